//! Which origins may connect and read answers.

use chat_server::Config;
use chat_testkit::v2::PROTOCOL;
use chat_testkit::{Client, handshake_with, http};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::{Running, config, start, start_with};

/// The status of a handshake from a page of this origin.
async fn handshake_status(server: &Running, path: &str, origin: &str) -> u16 {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let lines = format!("{PROTOCOL}Origin: {origin}\r\n");
    stream.write_all(handshake_with(path, &lines).as_bytes()).await.unwrap();
    Client::shake_hands(stream).await.map_or_else(|answer| answer.status, |_| 101)
}

/// The origin that may read a look-up made by a page of this origin.
async fn allowed_origin(server: &Running, origin: &str) -> Option<String> {
    let line = format!("Origin: {origin}");
    let answer = http::request(server.address, "GET", "/chat/get_signed_user/r/ana", &[&line]).await;
    assert_eq!((answer.status, answer.header("vary")), (200, Some("Origin")));
    answer.header("access-control-allow-origin").map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_sessions_are_same_origin_and_classic_clients_any_origin() {
    let server = start().await;
    // the host to which the handshake is sent
    assert_eq!(handshake_status(&server, "/ws", "http://localhost").await, 101);
    for origin in ["https://evil.example", "http://localhost:5173", "null"] {
        assert_eq!(handshake_status(&server, "/ws", origin).await, 403, "{origin}");
        assert_eq!(handshake_status(&server, &format!("/ws/chat/r/u{}", origin.len()), origin).await, 101);
        assert_eq!(allowed_origin(&server, origin).await.as_deref(), Some("*"));
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_origins_applies_to_all_endpoints() {
    let origins = "https://site.example".parse().unwrap();
    let server = start_with(Config { origins, ..config() }).await;
    assert_eq!(
        allowed_origin(&server, "https://site.example").await.as_deref(),
        Some("https://site.example")
    );
    assert_eq!(allowed_origin(&server, "https://evil.example").await, None);
    for path in ["/ws", "/ws/chat/r/ana"] {
        assert_eq!(handshake_status(&server, path, "https://evil.example").await, 403, "{path}");
        assert_eq!(handshake_status(&server, path, "https://site.example").await, 101, "{path}");
    }
    server.stop().await.unwrap();
}
