//! TLS: everything works as without it, and certificates can be replaced. The cases of
//! `conformance` also run over TLS.

use std::sync::Arc;

use chat_protocol::Limits;
use chat_server::BacklogLimits;
use chat_server::{Config, Proxies, ProxyHeader, Tls};
use chat_testkit::tls::Identity;
use chat_testkit::v2::Session;
use chat_testkit::{Client, handshake, http, path, soon};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional, duplex};
use tokio::net::TcpStream;

use crate::support::{Running, config, impatient, start_with};

/// A server with a certificate.
pub(crate) struct Encrypted {
    pub(crate) server: Running,
    /// The server's certificate.
    pub(crate) identity: Identity,
    tls: Arc<Tls>,
    files: TempDir,
}

pub(crate) async fn start(config: Config) -> Encrypted {
    let (identity, files) = (Identity::generate(), tempfile::tempdir().unwrap());
    let (certificate, key) = identity.write(files.path());
    let tls = Arc::new(Tls::open(certificate, key).unwrap());
    let server = start_with(Config { tls: Some(Arc::clone(&tls)), ..config }).await;
    Encrypted { server, identity, tls, files }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_protocols_and_plain_requests_work_over_tls() {
    let Encrypted { server, identity, .. } = start(config()).await;
    let address = identity.tunnel(server.address).await;
    let mut ana = Client::enter(address, "r", "ana").await;
    assert_eq!(ana.brief().await, "+ana");
    assert_eq!(Client::try_enter(address, "r", "ana").await.unwrap_err().status, 403);
    let (mut bob, _) = Session::enter(address, "r", "bob").await;
    assert_eq!(ana.brief().await, "+bob");
    // larger than a TLS record, in both directions
    let long = "x".repeat(50_000);
    ana.send_message(&long).await;
    assert_eq!(ana.brief().await, format!("ana: {long}"));
    assert_eq!(bob.next("message").await["body"], long.as_str());
    let mut kept = TcpStream::connect(address).await.unwrap();
    for path in ["/r/r", "/livez", "/client.js"] {
        assert_eq!(http::request_on(&mut kept, "GET", path, &[]).await.status, 200);
    }
    kept.write_all(handshake(&path("r", "eve")).as_bytes()).await.unwrap();
    let mut eve = Client::shake_hands(kept).await.unwrap();
    assert_eq!(eve.brief().await, "+eve");
    ana.close(Some(1000)).await;
    assert_eq!(ana.closed().await, Some(1000));
    server.until_rows("r", &["bob", "eve"]).await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_closes_the_websocket_and_the_tls_session() {
    let Encrypted { server, identity, .. } = start(config()).await;
    let mut stream = identity.connect(server.address).await.unwrap();
    stream.write_all(handshake(&path("r", "ana")).as_bytes()).await.unwrap();
    let mut read = Vec::new();
    while !read.windows(16).any(|window| window == b"entered the room") {
        assert!(soon("the entering", stream.read_buf(&mut read)).await.unwrap() > 0);
    }
    let ended = tokio::spawn(server.stop());
    // without a `close_notify`, this would be an error
    soon("the end", stream.read_to_end(&mut read)).await.unwrap();
    // the last frame: the code and the reason
    assert!(read.ends_with(b"\x03\xE9the server is shutting down"), "{}", read.escape_ascii());
    drop(stream);
    ended.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_is_disconnected_over_tls() {
    let limits = Limits { message_rate: 0, ..Limits::default() };
    let backlog = BacklogLimits { frames: 10_000, bytes: 1 << 20 };
    let Encrypted { server, identity, .. } = start(Config { limits, backlog, ..config() }).await;
    let mut ana = Client::enter(identity.tunnel(server.address).await, "r", "ana").await;
    let mut slow = Client::enter(identity.tunnel(server.address).await, "r", "slow").await;
    for expected in ["+ana", "+slow"] {
        assert_eq!(ana.brief().await, expected);
    }
    let filler = "x".repeat(50_000);
    for sent in 0.. {
        ana.send_message(&filler).await;
        assert!(sent < 2_000, "100 megabytes are queued for one client");
        if ana.brief().await == "-slow" {
            break;
        }
    }
    server.until_rows("r", &["ana"]).await;
    assert_eq!(slow.closed().await, Some(4503));
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incomplete_tls_handshake_is_dropped_at_the_deadline() {
    let Encrypted { server, identity, .. } = start(Config { timings: impatient(), ..config() }).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut half = TcpStream::connect(server.address).await.unwrap();
    // a record that announces 512 bytes (RFC 8446, section 5.1)
    half.write_all(b"\x16\x03\x01\x02\x00\x01").await.unwrap();
    let mut nothing = [0; 1];
    for stream in [&mut silent, &mut half] {
        assert_eq!(soon("the end", stream.read(&mut nothing)).await.unwrap_or(0), 0);
    }
    // after the TLS handshake, the client sends nothing
    let mut idle = identity.connect(server.address).await.unwrap();
    assert_eq!(soon("the end", idle.read(&mut nothing)).await.unwrap_or(0), 0);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_request_is_answered_with_400() {
    let Encrypted { server, .. } = start(config()).await;
    let answer = http::request(server.address, "GET", "/", &[]).await;
    assert_eq!(answer.status, 400);
    assert!(String::from_utf8(answer.body).unwrap().contains("TLS"));
    assert_eq!(Client::try_enter(server.address, "r", "ana").await.unwrap_err().status, 400);
    // not a TLS handshake, although its first byte is that of one
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"\x16GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = soon("the end", stream.read_to_end(&mut answer)).await;
    assert!(!answer.starts_with(b"HTTP"));
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_applies_to_new_connections_and_drops_none() {
    let Encrypted { server, identity, tls, files } = start(config()).await;
    let mut ana = Client::enter(identity.tunnel(server.address).await, "r", "ana").await;
    assert_eq!(ana.brief().await, "+ana");

    let renewed = Identity::generate();
    renewed.write(files.path());
    assert!(renewed.connect(server.address).await.is_err(), "the files are read only on reload");
    tls.reload().unwrap();
    assert!(identity.connect(server.address).await.is_err(), "the old certificate is not used any more");
    let mut bob = Client::enter(renewed.tunnel(server.address).await, "r", "bob").await;
    assert_eq!(bob.brief().await, "+bob");
    assert_eq!(ana.brief().await, "+bob");
    bob.send_message("hi").await;
    assert_eq!(ana.brief().await, "bob: hi");

    // a certificate that does not match its key, and no certificate at all: the last valid one
    // remains in use
    let (certificate, key) = Identity::generate().write(files.path());
    std::fs::write(&key, "nothing").unwrap();
    let error = tls.reload().unwrap_err().to_string();
    assert!(error.contains("a private key") && error.contains("key.pem"), "{error}");
    renewed.write(files.path());
    std::fs::write(&certificate, Identity::generate().certificate_pem()).unwrap();
    let error = tls.reload().unwrap_err().to_string();
    assert!(error.contains("can't be used with the key"), "{error}");
    std::fs::remove_file(&certificate).unwrap();
    let error = tls.reload().unwrap_err().to_string();
    assert!(error.contains("a certificate") && error.contains("cert.pem"), "{error}");
    assert!(renewed.connect(server.address).await.is_ok());
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_header_precedes_tls_and_rejections_are_sent_within_tls() {
    let proxies = Proxies { trusted: "127.0.0.1".parse().unwrap(), header: ProxyHeader::ProxyProtocol };
    let Encrypted { server, identity, .. } =
        start(Config { proxies, connections_per_address: 1, ..config() }).await;
    let header = "PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\r\n";
    let mut statuses = Vec::new();
    let mut held = Vec::new();
    for name in ["ana", "bob"] {
        // the header and the client's first record in one write
        let (near, mut far) = duplex(1 << 16);
        let address = server.address;
        tokio::spawn(async move {
            let mut first = vec![0; 1 << 16];
            let count = far.read(&mut first).await.unwrap();
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(&[header.as_bytes(), &first[..count]].concat()).await.unwrap();
            copy_bidirectional(&mut far, &mut stream).await
        });
        let mut stream = soon("a handshake", identity.shake_hands(near)).await.unwrap();
        stream.write_all(handshake(&path("r", name)).as_bytes()).await.unwrap();
        let mut status = [0; 12];
        soon("an answer", stream.read_exact(&mut status)).await.unwrap();
        statuses.push(String::from_utf8(status.to_vec()).unwrap());
        held.push(stream);
    }
    assert_eq!(statuses, ["HTTP/1.1 101", "HTTP/1.1 429"]);
    drop(held);
    server.stop().await.unwrap();
}
