//! Compressed messages (RFC 7692).

use chat_protocol::Limits;
use chat_server::Config;
use chat_testkit::frame::{BINARY, CONTINUATION, FIN, PING, RSV1, TEXT, deflated, header, masked, whole};
use chat_testkit::v2::{PROTOCOL, Session};
use chat_testkit::{Client, Seen, handshake_with, path, said};
use serde_json::json;
use tokio::time::Duration;

use crate::frames::assert_each_closes_the_connection;
use crate::support::{Running, config, start, start_with};

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

/// The size limit for messages of the server in these tests, in bytes.
const LIMIT: usize = 64 * 1024;

async fn start_deflating() -> Running {
    let limits = Limits { message_bytes: LIMIT, ..Limits::default() };
    start_with(Config { deflate: true, limits, ..config() }).await
}

/// Joins a room on a connection with compressed messages.
async fn enter(server: &Running, username: &str) -> Client {
    let client = Client::open(server.address, &handshake_with(&path("r", username), OFFER)).await.unwrap();
    assert_eq!(
        client.extensions(),
        Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover")
    );
    client
}

/// A text that compresses well.
fn compressible() -> String {
    "the same over and over ".repeat(100)
}

/// A frame with the message "x", padded to this many bytes.
fn padded(bytes: usize) -> String {
    let said = said("x");
    let padding = " ".repeat(bytes - said.len());
    said + &padding
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_compressed_only_if_both_sides_agree() {
    let off = start().await;
    let offered = Client::open(off.address, &handshake_with(&path("r", "ana"), OFFER)).await.unwrap();
    assert_eq!(offered.extensions(), None);
    off.stop().await.unwrap();

    let on = start_deflating().await;
    let mut ana = Client::enter(on.address, "r", "ana").await;
    assert_eq!(ana.extensions(), None);
    let mut bob = enter(&on, "bob").await;
    bob.send_message(&compressible()).await;
    // this client would not accept a compressed message
    assert_eq!(ana.messages(1).await, [compressible()]);
    assert_eq!(bob.messages(1).await, [compressible()]);
    assert!(bob.deflated() > 0);
    on.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_acceptable_offer_is_accepted() {
    let server = start_deflating().await;
    let lines = "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9\r\n\
                 Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=13\r\n";
    let client = Client::open(server.address, &handshake_with(&path("r", "ana"), lines)).await.unwrap();
    let expected = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12";
    assert_eq!(client.extensions(), Some(expected));
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_compressed_but_the_guest_token_is_not() {
    let server = start_deflating().await;
    let client = Client::open(server.address, &handshake_with("/ws", &format!("{PROTOCOL}{OFFER}"))).await;
    let mut ana =
        Session::hello_on(client.unwrap(), json!({ "username": "ana", "render": true, "guest_token": null }))
            .await;
    assert!(ana.welcome["guest_token"].is_string());
    assert_eq!(ana.client.deflated(), 0);
    ana.join("r").await;
    let before = ana.client.deflated();
    for _ in 0..5 {
        ana.send_message("r", &compressible()).await;
    }
    let page = ana.ask(json!({ "type": "history", "room": "r" })).await;
    assert_eq!(page["messages"].as_array().unwrap().len(), 5);
    assert!(page["messages"].to_string().contains(&compressible()));
    assert!(ana.client.deflated() >= before + 6);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_message_may_be_fragmented_with_pings_in_between() {
    let server = start_deflating().await;
    let mut bob = Client::enter(server.address, "r", "bob").await;
    let mut ana = enter(&server, "ana").await;
    let text = said(&format!("世界 {}", compressible()));
    let payload = deflated(text.as_bytes());
    for size in [1, 7, payload.len(), payload.len() + 1] {
        let pieces: Vec<&[u8]> = payload.chunks(size).collect();
        for (i, piece) in pieces.iter().enumerate() {
            let first = if i == 0 { RSV1 | TEXT } else { CONTINUATION };
            let fin = if i + 1 == pieces.len() { FIN } else { 0 };
            ana.write(&masked(fin | first, piece)).await;
            if i == 1 {
                ana.ping(b"between").await;
                while ana.see().await != Seen::Pong(b"between".to_vec()) {}
            }
        }
        ana.send_message("plain").await;
        assert_eq!(bob.messages(2).await, [format!("世界 {}", compressible()), "plain".to_owned()]);
    }
    // an empty last fragment, sent octet by octet
    let frames = [masked(RSV1 | TEXT, &payload), masked(FIN | CONTINUATION, b"")].concat();
    for octet in frames {
        ana.write(&[octet]).await;
    }
    assert_eq!(bob.messages(1).await, [format!("世界 {}", compressible())]);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_size_limit_applies_to_the_decompressed_message() {
    let server = start_deflating().await;
    let mut bob = Client::enter(server.address, "r", "bob").await;
    let frame_of = |bytes: usize| whole(RSV1 | TEXT, &deflated(padded(bytes).as_bytes()));
    let mut ana = enter(&server, "ana").await;
    ana.write(&frame_of(LIMIT)).await;
    assert_eq!(bob.messages(1).await, ["x"]);
    ana.write(&frame_of(LIMIT + 1)).await;
    assert_eq!(ana.closed().await, Some(1009));
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn violations_of_the_extension_close_the_connection_with_the_right_code() {
    let server = start_deflating().await;
    let payload = deflated(said(&compressible()).as_bytes());
    let begun = || masked(RSV1 | TEXT, &payload[..10]);
    let bomb = deflated(&vec![b' '; 4 << 20]);
    assert!(bomb.len() < LIMIT / 8);
    let unmasked = [&[FIN | RSV1 | TEXT, 5][..], &payload[..5]].concat();
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("a bomb", whole(RSV1 | TEXT, &bomb), 1009),
        (
            "a bomb in fragments",
            [masked(RSV1 | TEXT, &bomb[..100]), whole(CONTINUATION, &bomb[100..])].concat(),
            1009,
        ),
        ("a header that announces too much", header(FIN | RSV1 | TEXT, LIMIT as u64 + 1), 1009),
        ("a header that announces 2^63 bytes", header(FIN | RSV1 | TEXT, 1 << 63), 1009),
        ("not compressed data", whole(RSV1 | TEXT, b"\x06\xff\xff"), 1007),
        ("bad UTF-8 in it", whole(RSV1 | TEXT, &deflated(b"{\"message\":\"\xff\"}")), 1007),
        ("a compressed binary message", whole(RSV1 | BINARY, &payload), 1003),
        ("a compressed binary message in fragments", masked(RSV1 | BINARY, &payload), 1003),
        ("RSV1 on a continuation", [begun(), whole(RSV1 | CONTINUATION, &payload[10..])].concat(), 1002),
        ("RSV1 on a continuation without a message", whole(RSV1 | CONTINUATION, &payload), 1002),
        (
            "RSV1 on a continuation of an uncompressed message",
            [masked(TEXT, b"{"), whole(RSV1 | CONTINUATION, b"}")].concat(),
            1002,
        ),
        ("RSV1 on a ping", whole(RSV1 | PING, b""), 1002),
        ("another reserved bit with RSV1", whole(RSV1 | 0x20 | TEXT, &payload), 1002),
        ("another reserved bit without RSV1", whole(0x10 | TEXT, b"{}"), 1002),
        ("an uncompressed message inside a compressed one", [begun(), whole(TEXT, b"{}")].concat(), 1002),
        ("a compressed message inside another", [begun(), begun()].concat(), 1002),
        ("a compressed message inside an uncompressed one", [masked(TEXT, b"{"), begun()].concat(), 1002),
        ("not masked", unmasked, 1002),
    ];
    assert_each_closes_the_connection(&server, || enter(&server, "ana"), cases).await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rate_limit_counts_the_decompressed_size() {
    let limits = Limits { message_bytes: LIMIT, message_rate: 100, message_burst: 1, ..Limits::default() };
    let server = start_with(Config { deflate: true, limits, ..config() }).await;
    let mut ana = enter(&server, "ana").await;
    assert_eq!(ana.brief().await, "+ana");
    let began = std::time::Instant::now();
    // a few bytes on the wire, but 15 times 4 KiB when decompressed
    let frame = whole(RSV1 | TEXT, &deflated(padded(LIMIT - 4_000).as_bytes()));
    ana.write(&frame.repeat(4)).await;
    ana.send_message("y").await;
    assert_eq!(ana.messages(5).await, ["x", "x", "x", "x", "y"]);
    // the messages before the last one count as 64, one of which is the burst: 10 ms for each of
    // the others
    assert!(began.elapsed() >= Duration::from_millis(63 * 10), "{:?}", began.elapsed());
    server.stop().await.unwrap();
}
