//! The token that lets the operator in.

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The shortest token, in characters.
const SHORTEST: usize = 16;

/// Something that nobody is to see: it shows itself nowhere.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

/// What can't be a token, without quoting it.
#[derive(Debug, thiserror::Error)]
#[error("a token needs at least {SHORTEST} characters, without spaces and without characters outside ASCII")]
pub(crate) struct NoToken;

/// There is no token to be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("the token file {} can't be read: {error}", path.display())]
    Read { path: PathBuf, error: std::io::Error },
    #[error("the token file {} can't be used: {error}", path.display())]
    File { path: PathBuf, error: NoToken },
    #[error("the admin token can't be used: {0}")]
    Given(#[from] NoToken),
}

impl Secret {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it can be a token.
    fn checked(self) -> Result<Self, NoToken> {
        let is_one = self.0.len() >= SHORTEST && self.0.bytes().all(|byte| byte.is_ascii_graphic());
        is_one.then_some(self).ok_or(NoToken)
    }

    /// The token in a file, whose last line may end or not.
    pub(crate) fn read(path: &Path) -> Result<Self, TokenError> {
        let path = path.to_owned();
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                Self(text.trim_end().to_owned()).checked().map_err(|error| TokenError::File { path, error })
            }
            Err(error) => Err(TokenError::Read { path, error }),
        }
    }

    /// The one that is given, in a file before itself; none where neither is.
    pub(crate) fn of(file: Option<&Path>, given: Option<&Self>) -> Result<Option<Self>, TokenError> {
        match file {
            Some(file) => Self::read(file).map(Some),
            None => Ok(given.cloned().map(Self::checked).transpose()?),
        }
    }
}

/// Takes anything: who says what is wrong with a value of an option quotes it.
impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
