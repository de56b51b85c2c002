//! Limits per address, and which proxies are trusted to report the address of a client.

use chat_server::{Config, Proxies, ProxyHeader, Rate};
use chat_testkit::{Client, handshake_with, http, path, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Running, config, start_with};

/// A server behind proxies that accepts two connections per address.
async fn start_behind(trusted: &str, header: ProxyHeader) -> Running {
    let proxies = Proxies { trusted: trusted.parse().unwrap(), header };
    start_with(Config { proxies, connections_per_address: 2, ..config() }).await
}

/// Sends a handshake with these bytes before it and these header lines in it.
async fn connect(server: &Running, name: &str, before: &[u8], lines: &str) -> Result<Client, http::Answer> {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let handshake = handshake_with(&path("r", name), lines);
    stream.write_all(&[before, handshake.as_bytes()].concat()).await.unwrap();
    Client::shake_hands(stream).await
}

async fn over_proxy(server: &Running, name: &str, client: &str) -> Result<Client, http::Answer> {
    connect(server, name, b"", &format!("X-Forwarded-For: {client}\r\n")).await
}

fn refused(answer: Result<Client, http::Answer>) -> http::Answer {
    let answer = answer.map(drop).unwrap_err();
    assert_eq!(answer.status, 429);
    assert!(answer.header("retry-after").is_some());
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_per_address_are_limited() {
    let server = start_behind("127.0.0.1", ProxyHeader::ForwardedFor).await;
    let first = over_proxy(&server, "a", "203.0.113.9").await.unwrap();
    // the proxy appends its value to what the client sent
    let _second = over_proxy(&server, "b", "198.51.100.1, 203.0.113.9").await.unwrap();
    refused(over_proxy(&server, "c", "198.51.100.2, 203.0.113.9").await);
    server.until_rows("r", &["a", "b"]).await;
    let _other = over_proxy(&server, "d", "198.51.100.1").await.unwrap();
    let _network = [
        over_proxy(&server, "e", "2001:db8::1").await.unwrap(),
        over_proxy(&server, "f", "2001:db8::2").await.unwrap(),
    ];
    refused(over_proxy(&server, "g", "2001:db8::ffff:0:0:3").await);
    drop(first);
    until("a connection is allowed again", async || over_proxy(&server, "c", "203.0.113.9").await.is_ok())
        .await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_header_of_an_untrusted_proxy_is_ignored() {
    let server = start_behind("192.0.2.1", ProxyHeader::ForwardedFor).await;
    let _first = over_proxy(&server, "a", "203.0.113.1").await.unwrap();
    let _second = over_proxy(&server, "b", "203.0.113.2").await.unwrap();
    refused(over_proxy(&server, "c", "203.0.113.3").await);
    // the limit applies to every request
    assert_eq!(http::request(server.address, "GET", "/livez", &[]).await.status, 429);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_can_send_the_address_in_a_proxy_protocol_header() {
    let server = start_behind("127.0.0.0/8", ProxyHeader::ProxyProtocol).await;
    let text = b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\r\n";
    let binary =
        [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", &[203, 0, 113, 9, 192, 0, 2, 1, 0, 99, 0, 80][..]].concat();
    let _first = connect(&server, "a", text, "").await.unwrap();
    let _second = connect(&server, "b", &binary, "X-Forwarded-For: 198.51.100.1\r\n").await.unwrap();
    refused(connect(&server, "c", &binary, "").await);
    let _other = connect(&server, "c", b"PROXY TCP6 2001:db8::1 2001:db8::2 4711 80\r\n", "").await.unwrap();
    // health checks of the proxy itself
    let mut probe = TcpStream::connect(server.address).await.unwrap();
    probe
        .write_all(b"PROXY UNKNOWN\r\nGET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    probe.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_a_proxy_protocol_header_is_closed() {
    let server = start_behind("127.0.0.1", ProxyHeader::ProxyProtocol).await;
    let mut plain = TcpStream::connect(server.address).await.unwrap();
    plain.write_all(handshake_with(&path("r", "ana"), "").as_bytes()).await.unwrap();
    // the server sends nothing and closes; unread data can turn that into a reset
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert_eq!(answer, b"");
    assert!(server.rows("r").await.is_empty());
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_are_rate_limited_per_address() {
    let proxies = Proxies { trusted: "127.0.0.1".parse().unwrap(), header: ProxyHeader::ForwardedFor };
    let joins = Rate { per_second: 1, burst: 3 };
    let server = start_with(Config { proxies, joins, connections_per_address: 0, ..config() }).await;
    let mut answers = Vec::new();
    for i in 0..20 {
        answers.push(over_proxy(&server, &format!("n{i}"), "203.0.113.9").await);
    }
    assert!(answers[..3].iter().all(Result::is_ok));
    let refusals: Vec<_> = answers.into_iter().filter(Result::is_err).collect();
    assert!(!refusals.is_empty(), "20 handshakes take less than 17 s");
    refusals.into_iter().for_each(|answer| drop(refused(answer)));
    let _other = over_proxy(&server, "b", "203.0.113.8").await.unwrap();
    server.stop().await.unwrap();
}
