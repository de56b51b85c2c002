//! The certificate from the files that the options name.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use chat_server::{Tls, TlsError};

use crate::options::{Bound, Options};

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateError {
    #[error("--tls-cert and --tls-key belong together: {missing} is not set")]
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

/// Reads it anew with every SIGHUP, which ends the process no more, whether there is one or not.
pub(crate) fn follow_hang_ups(tls: Option<Arc<Tls>>) -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut hang_ups = signal(SignalKind::hangup())?;
        tokio::spawn(async move {
            while hang_ups.recv().await.is_some() {
                match tls.clone() {
                    None => tracing::info!("SIGHUP: there is no certificate that could be read anew"),
                    // it reads files
                    Some(tls) => drop(tokio::task::spawn_blocking(move || reload(&tls)).await),
                }
            }
        });
    }
    #[cfg(not(unix))]
    drop(tls);
    Ok(())
}

#[cfg(unix)]
fn reload(tls: &Tls) {
    match tls.reload() {
        Ok(()) => tracing::info!("the certificate was read anew; new connections get it"),
        Err(error) => tracing::error!(%error, "the certificate could not be read anew; the old one stays"),
    }
}
