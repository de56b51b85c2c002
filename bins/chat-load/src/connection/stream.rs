//! What a connection reads and writes: a socket, or one that is encrypted.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mio::net::TcpStream;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Whose certificates are believed, and the name that the server's has to be for.
#[derive(Clone)]
pub struct Trust {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// A server's certificate can't be looked at.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("\"{0}\" holds no certificate in PEM format: {1}")]
    File(PathBuf, pem::Error),
    #[error("\"{0}\" is not a host name: a certificate is for a host name or an address")]
    Name(String, InvalidDnsNameError),
    #[error(transparent)]
    Refused(#[from] rustls::Error),
}

impl Trust {
    /// Believes the certificates of a PEM file, for a server of this name.
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

pub(super) enum Stream {
    Plain(TcpStream),
    Encrypted(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    pub(super) fn new(socket: TcpStream, trust: Option<&Trust>) -> io::Result<Self> {
        let Some(Trust { config, name }) = trust else { return Ok(Self::Plain(socket)) };
        let keys = ClientConnection::new(Arc::clone(config), name.clone()).map_err(io::Error::other)?;
        Ok(Self::Encrypted(Box::new(StreamOwned::new(keys, socket))))
    }

    pub(super) fn socket(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Encrypted(stream) => &mut stream.sock,
        }
    }

    /// Whether a read may have set something free that waits to be written.
    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self, Self::Encrypted(_))
    }
}

impl Read for Stream {
    /// Fills the buffer as far as something has arrived.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let stream = match self {
            Self::Plain(socket) => return socket.read(buffer),
            Self::Encrypted(stream) => stream,
        };
        let mut count = 0;
        while count < buffer.len() {
            match stream.read(&mut buffer[count..]) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // what came before it is told first; it comes again
                Err(_) if count > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Encrypted(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Encrypted(stream) => stream.flush(),
        }
    }
}
