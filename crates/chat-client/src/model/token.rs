//! The token of a session.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

type ProviderError = Box<dyn Error + Send + Sync>;

/// The source of the token of each session. A token is a secret, so `Debug` does not show it.
#[derive(Clone)]
pub(crate) enum TokenSource {
    Fixed(Arc<str>),
    Provider(Arc<dyn Fn() -> BoxFuture<'static, Result<String, ProviderError>> + Send + Sync>),
}

impl TokenSource {
    pub(crate) fn provider<F, R, E>(provider: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<ProviderError>,
    {
        Self::Provider(Arc::new(move || {
            let token = provider();
            async move { token.await.map_err(Into::into) }.boxed()
        }))
    }

    /// The token of the next session.
    pub(crate) async fn token(&self) -> Result<String, ProviderError> {
        match self {
            Self::Fixed(token) => Ok(token.to_string()),
            Self::Provider(provider) => provider().await,
        }
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fixed(_) => "Fixed",
            Self::Provider(_) => "Provider",
        })
    }
}
