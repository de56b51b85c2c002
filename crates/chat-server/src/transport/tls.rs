//! TLS: the certificate and the handshake.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::BytesMut;
use parking_lot::RwLock;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::{Ticketer, default_provider};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

use crate::transport::prefixed::Prefixed;

/// First byte of a client's first record (RFC 8446, section 5.1).
const HANDSHAKE_RECORD: u8 = 22;

/// An encrypted connection.
pub(crate) type Encrypted = TlsStream<Prefixed<TcpStream>>;

/// A server's certificate, from PEM files that can be reloaded while the server runs. TLS 1.2 and
/// 1.3.
#[derive(Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    /// Used for new connections; open ones keep what they have.
    current: RwLock<Arc<ServerConfig>>,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or does not contain what is expected.
    #[error("{what} can't be read from {path}: {reason}")]
    Unreadable {
        /// The certificate or the key.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The certificate and the key do not match, or are of an unsupported kind.
    #[error("the certificate in {certificate} can't be used with the key in {key}: {source}")]
    Refused {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// The cause.
        source: rustls::Error,
    },
}

/// How a client opens a connection.
pub(crate) enum Opening {
    /// The TLS handshake is complete.
    Encrypted(Box<Encrypted>),
    /// It did not start a TLS handshake, and may be answered in plain text.
    Plain(TcpStream),
}

impl Tls {
    /// Reads a certificate, with its chain, and its key (PKCS #8, PKCS #1 or SEC 1). Blocks while
    /// it reads.
    ///
    /// # Errors
    /// [`TlsError`] when a file cannot be read or the two do not match.
    pub fn open(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, TlsError> {
        let (certificate, key) = (certificate.into(), key.into());
        let current = RwLock::new(read(&certificate, &key)?);
        Ok(Self { certificate, key, current })
    }

    /// Reads both files again, for new connections. Blocks while it reads.
    ///
    /// # Errors
    /// [`TlsError`]; the previous certificate stays in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        *self.current.write() = read(&self.certificate, &self.key)?;
        Ok(())
    }

    /// Performs the TLS handshake with a client of which `read` was already read. Not cancel-safe.
    pub(crate) async fn accept(&self, mut stream: TcpStream, mut read: BytesMut) -> io::Result<Opening> {
        if read.is_empty() && stream.read_buf(&mut read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if read.first() != Some(&HANDSHAKE_RECORD) {
            return Ok(Opening::Plain(stream));
        }
        let acceptor = TlsAcceptor::from(Arc::clone(&self.current.read()));
        let encrypted = acceptor.accept(Prefixed::new(read.freeze(), stream)).await?;
        Ok(Opening::Encrypted(Box::new(encrypted)))
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let unreadable = |what: &'static str, path: &Path| {
        let path = path.to_owned();
        move |error: pem::Error| TlsError::Unreadable { what, path, reason: describe(&error) }
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .and_then(|chain: Vec<_>| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) })
        .map_err(unreadable("a certificate", certificate))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| {
        // this marker is not part of the key
        if std::fs::read(key).is_ok_and(|pem| String::from_utf8_lossy(&pem).contains("ENCRYPTED")) {
            let reason =
                "it is encrypted with a passphrase; write it without one: openssl pkey -in KEY -out NEWKEY";
            TlsError::Unreadable { what: "a private key", path: key.to_owned(), reason: reason.to_owned() }
        } else {
            unreadable("a private key", key)(error)
        }
    })?;
    let config = server_config(chain, private).map_err(|source| TlsError::Refused {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        source,
    })?;
    Ok(Arc::new(config))
}

/// Describes what is wrong with a file without quoting it: it may contain a key.
fn describe(error: &pem::Error) -> String {
    match error {
        pem::Error::NoItemsFound => "the file has none in PEM format".to_owned(),
        pem::Error::Io(error) => error.to_string(),
        pem::Error::MissingSectionEnd { .. } => "a section in PEM format has no end".to_owned(),
        pem::Error::IllegalSectionStart { .. } => {
            "a section in PEM format has no valid first line".to_owned()
        }
        _ => "the file is not in valid PEM format".to_owned(),
    }
}

fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    // RFC 6455 is defined for HTTP/1.1 only; this is how a browser that also offers HTTP/2 learns
    // of it
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // clients that reconnect, as all do after a network restart, need no new signature
    config.ticketer = Ticketer::new()?;
    Ok(config)
}
