//! The certificate from the files that the options name.

use std::path::PathBuf;
use std::sync::Arc;

use chat_server::{Tls, TlsError};

use crate::cli::options::{Bound, Options};

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateError {
    #[error("--tls-cert and --tls-key must be set together: {missing} is not set")]
    Half { missing: &'static str },
    #[error(transparent)]
    Unusable(#[from] TlsError),
}

/// Opens it; none where connections are not to be encrypted.
pub(crate) fn open(options: &Options) -> Result<Option<Arc<Tls>>, CertificateError> {
    let missing = |missing| Err(CertificateError::Half { missing });
    match (&options.tls_cert, &options.tls_key) {
        (Bound(None), Bound(None)) => Ok(None),
        (Bound(None), _) => missing("--tls-cert"),
        (_, Bound(None)) => missing("--tls-key"),
        (Bound(Some(certificate)), Bound(Some(key))) => {
            Ok(Some(Arc::new(Tls::open(PathBuf::clone(certificate), PathBuf::clone(key))?)))
        }
    }
}
