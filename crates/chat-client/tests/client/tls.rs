//! `wss:` addresses.

use std::net::SocketAddr;
use std::sync::Arc;

use chat_client::rustls::crypto::ring::default_provider;
use chat_client::rustls::pki_types::pem::PemObject;
use chat_client::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use chat_client::rustls::{ClientConfig, RootCertStore, ServerConfig};
use chat_client::{Client, ConnectError, Options};
use chat_testkit::tls::Identity;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::server::{Server, lobby, within_timeout};

/// Starts a TLS terminator for a server, and returns its port.
async fn encrypted(server: SocketAddr, identity: &Identity) -> u16 {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = identity.write(folder.path());
    let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut outside = acceptor.accept(stream).await?;
                let mut inside = TcpStream::connect(server).await?;
                copy_bidirectional(&mut outside, &mut inside).await
            });
        }
    });
    port
}

fn options(host: &str, port: u16) -> Options {
    Options::new(format!("wss://{host}:{port}/ws"), "ana".parse().unwrap())
}

fn trusting(identity: &Identity) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(identity.certificate_pem().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

#[tokio::test]
async fn a_session_is_encrypted_and_reconnects() {
    let (server, identity) = (Server::start().await, Identity::generate());
    let port = encrypted(server.address(), &identity).await;
    let options = options("localhost", port).tls(trusting(&identity));
    let (connected, (peer, _)) = tokio::join!(Client::connect(options), server.welcome());
    let (client, _events) = connected.unwrap();
    drop(peer);
    let (mut peer, _) = within_timeout("the next session", server.welcome()).await;
    let join = tokio::spawn(async move { client.join(&lobby(), Default::default()).await.map(drop) });
    let asked = peer.receive("join").await;
    peer.joined(&asked, "e1", 0, &[], false).await;
    within_timeout("the answer", join).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_untrusted_certificate_or_another_host_is_an_error() {
    let (server, identity) = (Server::start().await, Identity::generate());
    let port = encrypted(server.address(), &identity).await;
    let another = trusting(&Identity::generate());
    for options in
        [options("localhost", port).tls(another), options("127.0.0.1", port).tls(trusting(&identity))]
    {
        let error = within_timeout("the result of connect", Client::connect(options)).await.unwrap_err();
        assert!(matches!(error, ConnectError::Tls(_)), "{error}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_a_tls_error() {
    let server = Server::start().await;
    let options = options("127.0.0.1", server.address().port()).tls(trusting(&Identity::generate()));
    let answering = async {
        let mut socket = server.socket().await;
        tokio::io::AsyncWriteExt::write_all(&mut socket, b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    };
    let (error, ()) =
        tokio::join!(within_timeout("the result of connect", Client::connect(options)), answering);
    assert!(matches!(error, Err(ConnectError::Tls(_))), "{error:?}");
}
