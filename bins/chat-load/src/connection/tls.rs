//! Which server certificates are trusted.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// The trusted root certificates, and the name for which the server's certificate must be valid.
#[derive(Clone)]
pub struct Trust {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
}

/// A server's certificate cannot be verified.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file cannot be read, or is not in PEM format.
    #[error("\"{0}\" holds no certificate in PEM format: {1}")]
    File(PathBuf, pem::Error),
    /// No certificate can be valid for this name.
    #[error("\"{0}\" is not a host name: a certificate is for a host name or an address")]
    Name(String, InvalidDnsNameError),
    /// The TLS library refuses a certificate.
    #[error(transparent)]
    Refused(#[from] rustls::Error),
}

impl Trust {
    /// Trusts the certificates of a PEM file, for a server of this name.
    ///
    /// # Errors
    /// [`TrustError`] if the file has no certificates, or `name` is not a host name or an address.
    pub fn read(file: &Path, name: &str) -> Result<Self, TrustError> {
        let unreadable = |error| TrustError::File(file.to_owned(), error);
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(file).map_err(unreadable)? {
            roots.add(certificate.map_err(unreadable)?)?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let named = ServerName::try_from(name.to_owned());
        let name = named.map_err(|error| TrustError::Name(name.to_owned(), error))?;
        Ok(Self { config: Arc::new(config), name })
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").field("name", &self.name).finish_non_exhaustive()
    }
}
