//! Log lines that refused clients cause.

use chat_testkit::v2::PROTOCOL;
use chat_testkit::{Client, handshake_with};
use rustix::process::Signal;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::process::{Running, chatd};

#[tokio::test(flavor = "multi_thread")]
async fn refused_pages_cause_one_short_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = Running::start(&mut chatd(folder.path()));
    let origin = "\u{e9}".repeat(15_000);
    for _ in 0..400 {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        let lines = format!("{PROTOCOL}Origin: {origin}\r\n");
        stream.write_all(handshake_with("/ws", &lines).as_bytes()).await.unwrap();
        assert_eq!(Client::shake_hands(stream).await.unwrap_err().status, 403);
    }
    running.signal(Signal::TERM);
    let log = running.log_up_to("stopped");
    assert_eq!(log.matches("is not allowed to connect").count(), 1, "{log}");
    assert!(log.contains("127.0.0.1"), "the line names the address: {log}");
    assert!(log.contains("suppressed=399"), "the others are counted: {log}");
    assert!(log.lines().all(|line| line.len() < 1_000), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_by_address_apply_before_logging() {
    let folder = tempfile::tempdir().unwrap();
    // with a trusted proxy, connections from this machine are limited, too
    let arguments = ["--join-burst", "1", "--join-rate", "1", "--trusted-proxies", "192.0.2.1"];
    let mut running = Running::start(chatd(folder.path()).args(arguments));
    let mut statuses = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        let lines = format!("{PROTOCOL}Origin: https://evil.example\r\n");
        stream.write_all(handshake_with("/ws", &lines).as_bytes()).await.unwrap();
        statuses.push(Client::shake_hands(stream).await.unwrap_err().status);
    }
    assert_eq!(statuses[0], 403);
    assert!(statuses.iter().filter(|status| **status == 429).count() > 10, "{statuses:?}");
    running.signal(Signal::TERM);
    let log = running.log_up_to("stopped");
    assert_eq!(log.matches("too many handshakes a second").count(), 1, "{log}");
    assert_eq!(log.matches("is not allowed to connect").count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_user_agent_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = Running::start(chatd(folder.path()).args(["--log", "chat_server=debug"]));
    let client = "x".repeat(100_000);
    let hello = serde_json::json!({ "username": "ana", "client": client });
    drop(chat_testkit::v2::Session::hello_with(running.address, hello).await);
    let log = running.log_up_to("closed");
    assert!(log.contains("session started") && log.lines().all(|line| line.len() < 1_000), "{log}");
}
