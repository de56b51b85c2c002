//! A handshake that is a later request of an HTTP connection, as proxies send it.

use chat_testkit::{Client, http, path, soon};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::support::start;

const HANDSHAKE: &[&str] = &[
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_the_response_is_a_member() {
    let server = start().await;
    for number in 0..50 {
        let (room, name) = (format!("r{number}"), "ana");
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        assert_eq!(http::request_on(&mut stream, "GET", "/livez", &[]).await.status, 200);
        let answer = http::request_on(&mut stream, "GET", &path(&room, name), HANDSHAKE).await;
        assert_eq!(answer.status, 101);
        let members = server.engine.members(&room.parse().unwrap()).map(|members| members.total());
        assert_eq!(members, Some(1), "round {number}");
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_receives_what_follows_its_join() {
    let server = start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(http::request_on(&mut stream, "GET", "/livez", &[]).await.status, 200);
    let answer = http::request_on(&mut stream, "GET", &path("r", "ana"), HANDSHAKE).await;
    assert_eq!(answer.status, 101);
    let mut bob = Client::enter(server.address, "r", "bob").await;
    bob.send_message("hello").await;
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains("hello") {
        let count = soon("the message", stream.read_buf(&mut read)).await.unwrap();
        assert!(count > 0, "{:?}", String::from_utf8_lossy(&read));
    }
    server.stop().await.unwrap();
}
