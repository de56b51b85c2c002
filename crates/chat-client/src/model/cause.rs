//! The cause of an error.

use std::error::Error;
use std::fmt;
use std::io;
use std::ops::Deref;
use std::sync::Arc;

/// The cause of a [`ConnectError`](super::ConnectError), which its
/// [`source`](std::error::Error::source) returns. It is the error of another library, and clones
/// share it.
///
/// Two causes are equal if their texts are equal.
///
/// ```
/// use chat_client::{Cause, ConnectError};
///
/// let error = ConnectError::Token(Cause::from("the issuer is down"));
/// assert_eq!(error, error.clone());
/// let source = std::error::Error::source(&error).map(ToString::to_string);
/// assert_eq!(source.as_deref(), Some("the issuer is down"));
/// ```
#[derive(Clone)]
pub struct Cause(Arc<dyn Error + Send + Sync>);

impl Deref for Cause {
    type Target = dyn Error + Send + Sync;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl From<Box<dyn Error + Send + Sync>> for Cause {
    fn from(error: Box<dyn Error + Send + Sync>) -> Self {
        Self(error.into())
    }
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        Self(Arc::new(error))
    }
}

impl From<tokio_tungstenite::tungstenite::Error> for Cause {
    fn from(error: tokio_tungstenite::tungstenite::Error) -> Self {
        Self(Arc::new(error))
    }
}

impl From<String> for Cause {
    fn from(text: String) -> Self {
        Box::<dyn Error + Send + Sync>::from(text).into()
    }
}

impl From<&str> for Cause {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_string() == other.0.to_string()
    }
}

impl Eq for Cause {}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
