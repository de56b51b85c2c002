//! The certificate, from the files that the options name.

use std::path::PathBuf;
use std::sync::Arc;

use chat_server::{Tls, TlsError};

use crate::cli::{Options, OrOff};

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateError {
    #[error("--tls-cert and --tls-key must be set together: {missing} is not set")]
    Incomplete { missing: &'static str },
    #[error(transparent)]
    Unusable(#[from] TlsError),
}

/// Reads the certificate and its key. `None` if connections are not encrypted.
pub(crate) fn open(options: &Options) -> Result<Option<Arc<Tls>>, CertificateError> {
    let missing = |missing| Err(CertificateError::Incomplete { missing });
    match (&options.tls_cert, &options.tls_key) {
        (OrOff(None), OrOff(None)) => Ok(None),
        (OrOff(None), _) => missing("--tls-cert"),
        (_, OrOff(None)) => missing("--tls-key"),
        (OrOff(Some(certificate)), OrOff(Some(key))) => {
            Ok(Some(Arc::new(Tls::open(PathBuf::clone(certificate), PathBuf::clone(key))?)))
        }
    }
}
