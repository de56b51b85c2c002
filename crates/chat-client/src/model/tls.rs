//! TLS for `wss:` addresses.

use std::io;
use std::sync::Arc;

use rustls_native_certs::{CertificateResult, load_native_certs};
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use super::error::ConnectError;

/// The certificates that a client trusts.
#[derive(Debug, Clone)]
pub(crate) enum Tls {
    /// Those that the system trusts. The first connection that needs them reads the system's files.
    System(Arc<OnceCell<Arc<ClientConfig>>>),
    /// The configuration of the program.
    Config(Arc<ClientConfig>),
}

impl Tls {
    pub(crate) fn system() -> Self {
        Self::System(Arc::default())
    }

    /// The configuration of a connection. Cancel-safe: if this is dropped while it reads the
    /// system's certificates, the next connection reads them again.
    pub(crate) async fn config(&self) -> Result<Arc<ClientConfig>, ConnectError> {
        match self {
            Self::Config(config) => Ok(Arc::clone(config)),
            Self::System(once) => once.get_or_try_init(system_config).await.map(Arc::clone),
        }
    }
}

async fn system_config() -> Result<Arc<ClientConfig>, ConnectError> {
    // there may be some hundred files
    let found = spawn_blocking(load_native_certs).await;
    let CertificateResult { certs, errors, .. } =
        found.map_err(|error| ConnectError::Tls(io::Error::from(error).into()))?;
    let mut roots = RootCertStore::empty();
    if roots.add_parsable_certificates(certs).0 == 0 {
        let why = errors.first().map(|error| format!(": {error}")).unwrap_or_default();
        return Err(ConnectError::Tls(format!("this system has no trusted root certificates{why}").into()));
    }
    // an explicit provider: a program that also uses another one has no usable default
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ConnectError::Tls(io::Error::other(error).into()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Whether TLS itself ended the handshake, for example because the certificate is for another name.
pub(crate) fn is_refusal(error: &io::Error) -> bool {
    let Some(source) = error.get_ref() else { return false };
    source.is::<rustls::Error>()
}
