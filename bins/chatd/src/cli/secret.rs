//! The admin token.

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The minimum length of a token, in characters.
const MIN_LENGTH: usize = 16;

/// A secret. `Debug` and `Display` hide its value.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

/// A value that is not a valid token. The error does not quote it.
#[derive(Debug, thiserror::Error)]
#[error(
    "a token needs at least {MIN_LENGTH} characters, without spaces and without characters outside ASCII"
)]
pub(crate) struct InvalidToken;

/// Why the token can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("the token file {} can't be read: {error}", path.display())]
    Read { path: PathBuf, error: std::io::Error },
    #[error("the token file {} can't be used: {error}", path.display())]
    File { path: PathBuf, error: InvalidToken },
    #[error("the admin token can't be used: {0}")]
    Given(#[from] InvalidToken),
}

impl Secret {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// The secret, if it is a valid token.
    fn checked(self) -> Result<Self, InvalidToken> {
        let is_valid = self.0.len() >= MIN_LENGTH && self.0.bytes().all(|byte| byte.is_ascii_graphic());
        is_valid.then_some(self).ok_or(InvalidToken)
    }

    /// Reads a token from a file. White space after the token is ignored.
    fn read(path: &Path) -> Result<Self, TokenError> {
        let path = path.to_owned();
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                Self(text.trim_end().to_owned()).checked().map_err(|error| TokenError::File { path, error })
            }
            Err(error) => Err(TokenError::Read { path, error }),
        }
    }

    /// The configured token: the one in the file, else the given one. `None` if neither is set.
    pub(crate) fn configured(file: Option<&Path>, given: Option<&Self>) -> Result<Option<Self>, TokenError> {
        match file {
            Some(file) => Self::read(file).map(Some),
            None => Ok(given.cloned().map(Self::checked).transpose()?),
        }
    }
}

/// Accepts any text: an error of a value parser would quote the value.
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
