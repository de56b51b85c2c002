//! Messages that never end: throttling their sender does not extend the time limit.

use chat_protocol::Limits;
use chat_server::{Config, Timings};
use chat_testkit::frame::{CONTINUATION, PING, TEXT, masked, whole};
use chat_testkit::v2::PROTOCOL;
use chat_testkit::{handshake, handshake_with, path, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Duration;

use crate::support::{Running, config, start_with, timings};

/// A server with a low rate limit, on which a message must be complete within half a second.
async fn start_strict() -> Running {
    let limits = Limits { message_rate: 200, message_burst: 100, ..Limits::default() };
    let (message, ping) = (Duration::from_millis(500), Duration::from_millis(100));
    start_with(Config { limits, timings: Timings { message, ping, ..timings() }, ..config() }).await
}

/// Begins a message and sends these frames until the server closes. Returns everything that the
/// server sent.
async fn send_without_end(server: &Running, handshake: &str, frames: Vec<u8>) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(handshake.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let writing = tokio::spawn(async move {
        writer.write_all(&masked(TEXT, b"{")).await.unwrap();
        let many = frames.repeat(1_000);
        while writer.write_all(&many).await.is_ok() {}
    });
    let mut read = Vec::new();
    // the connection may be reset after the close frame
    let _ = soon("the connection is closed", reader.read_to_end(&mut read)).await;
    soon("the server stops reading", writing).await.unwrap();
    read
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_endless_fragments_is_closed_in_time() {
    let server = start_strict().await;
    // code 1008
    let close = [0x03, 0xf0];
    for (case, frames) in [
        ("empty fragments", masked(CONTINUATION, b"")),
        ("fragments of one byte", masked(CONTINUATION, b" ")),
        ("pings", whole(PING, b"")),
    ] {
        for handshake in [handshake(&path("r", "ana")), handshake_with("/ws", PROTOCOL)] {
            let read = send_without_end(&server, &handshake, frames.clone()).await;
            assert!(read.starts_with(b"HTTP/1.1 101"), "{case}");
            assert!(read.windows(2).any(|code| code == close), "{case}: {}", read.escape_ascii());
        }
    }
    server.stop().await.unwrap();
}
