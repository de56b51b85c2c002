//! Frames: what RFC 6455 allows and forbids.

use chat_protocol::Limits;
use chat_server::{Config, Timings};
use chat_testkit::frame::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, header, masked, whole};
use chat_testkit::{Client, Seen, said};
use tokio::io::AsyncWriteExt;
use tokio::time::Duration;

use crate::support::{Running, config, start, start_with, timings};

/// Checks that each of these byte strings, sent by ana on a new connection, closes it with this
/// code, and that the room only sees her join and leave.
pub(crate) async fn assert_each_closes_the_connection<F: Future<Output = Client>>(
    server: &Running,
    enter: impl Fn() -> F,
    cases: Vec<(&str, Vec<u8>, u16)>,
) {
    let mut bob = Client::enter(server.address, "r", "bob").await;
    assert_eq!(bob.brief().await, "+bob");
    for (case, bytes, code) in cases {
        let mut ana = enter().await;
        assert_eq!(ana.brief().await, "+ana");
        ana.write(&bytes).await;
        assert_eq!(ana.closed().await, Some(code), "{case}");
        for expected in ["+ana", "-ana"] {
            assert_eq!(bob.brief().await, expected, "{case}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_frames_close_the_connection_with_the_right_code() {
    let limits = Limits { message_bytes: 1_000, ..Limits::default() };
    let server = start_with(Config { limits, ..config() }).await;
    let begun = || masked(TEXT, b"begun");
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("unmasked", vec![FIN | TEXT, 2, b'{', b'}'], 1002),
        ("a reserved bit", masked(FIN | 0x40 | TEXT, b"{}"), 1002),
        ("a reserved data opcode", whole(0x3, b"{}"), 1002),
        ("a reserved control opcode", whole(0xb, b""), 1002),
        ("a control frame in fragments", masked(PING, b""), 1002),
        ("a ping of 126 bytes", whole(PING, &[b'x'; 126]), 1002),
        ("a continuation without a message", whole(CONTINUATION, b"x"), 1002),
        ("a message inside another", [begun(), whole(TEXT, b"x")].concat(), 1002),
        ("a close of one byte", whole(CLOSE, b"x"), 1002),
        ("a close code that must not be sent", whole(CLOSE, &1005_u16.to_be_bytes()), 1002),
        ("bad UTF-8", whole(TEXT, b"{\"message\":\"\xff\"}"), 1007),
        (
            "bad UTF-8 in the second fragment",
            [masked(TEXT, b"\xe4\xb8"), masked(CONTINUATION, b"\xff")].concat(),
            1007,
        ),
        ("text that ends within a character", whole(TEXT, b"\xe4\xb8"), 1007),
        ("a close reason that is not UTF-8", whole(CLOSE, b"\x03\xe8\xff"), 1007),
        ("a binary frame", whole(BINARY, b"{}"), 1003),
        ("a header that announces 2^63 bytes", header(FIN | TEXT, 1 << 63), 1009),
        ("a header that announces the limit plus one", header(FIN | TEXT, 1_001), 1009),
        ("a fragmented binary message", masked(BINARY, b"{"), 1003),
        (
            "a fragment whose header exceeds the limit",
            [masked(TEXT, &[b'x'; 600]), header(FIN | CONTINUATION, 600)].concat(),
            1009,
        ),
        (
            "fragments over the limit",
            [masked(TEXT, &[b'x'; 600]), masked(CONTINUATION, &[b'x'; 600])].concat(),
            1009,
        ),
    ];
    assert_each_closes_the_connection(&server, || Client::enter(server.address, "r", "ana"), cases).await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_may_be_fragmented_with_pings_in_between() {
    let server = start().await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    assert_eq!(ana.brief().await, "+ana");
    let text = said("in pieces 世界");
    let pieces: Vec<&[u8]> = text.as_bytes().chunks(3).collect();
    for (i, piece) in pieces.iter().enumerate() {
        let opcode = if i == 0 { TEXT } else { CONTINUATION };
        let fin = if i + 1 == pieces.len() { FIN } else { 0 };
        ana.write(&masked(fin | opcode, piece)).await;
        if i == 2 {
            ana.ping(b"between").await;
            assert_eq!(ana.see().await, Seen::Pong(b"between".to_vec()));
            ana.write(&whole(PONG, b"unasked")).await;
        }
    }
    assert_eq!(ana.brief().await, "ana: in pieces 世界");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_does_not_end_closes_the_connection() {
    let ping = Duration::from_millis(50);
    let timings = Timings { message: Duration::from_millis(200), ping, ..timings() };
    let server = start_with(Config { timings, ..config() }).await;
    for endless in [masked(TEXT, b"begun"), header(FIN | TEXT, 100), vec![FIN | TEXT]] {
        let mut ana = Client::enter(server.address, "r", "ana").await;
        // a pong in the middle of a frame would become part of it
        ana.ignore_pings();
        ana.write(&endless).await;
        assert_eq!(ana.closed().await, Some(1008));
    }
    // endless empty fragments, with pings in between, do not extend the time
    let mut ana = Client::enter(server.address, "r", "ana").await;
    ana.write(&masked(TEXT, b"")).await;
    let code = loop {
        let _ = ana.stream().write_all(&masked(CONTINUATION, b"")).await;
        let _ = ana.stream().write_all(&whole(PING, b"")).await;
        match ana.see().await {
            Seen::Close(code) => break code,
            Seen::End => break None,
            _ => {}
        }
    };
    assert_eq!(code, Some(1008));
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_are_answered_again_after_the_client_stopped_reading() {
    let server = start().await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    let mut bob = Client::enter(server.address, "r", "bob").await;
    assert_eq!(bob.brief().await, "+bob");
    // more than fits into the system's buffers, and less than the backlog limit
    let filler = "x".repeat(100_000);
    for _ in 0..40 {
        bob.send_message(&filler).await;
        bob.messages(1).await;
    }
    for _ in 0..20 {
        ana.ping(&[b'p'; 125]).await;
    }
    ana.send_message("all read now").await;
    while bob.brief().await != "ana: all read now" {}
    let mut messages = 0;
    while messages < 41 {
        if matches!(ana.see().await, Seen::Event(event) if event["type"] == "chat_message") {
            messages += 1;
        }
    }
    ana.ping(b"and now").await;
    while ana.see().await != Seen::Pong(b"and now".to_vec()) {}
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rate_limit_counts_fragments() {
    let limits = Limits { message_rate: 200, message_burst: 10, ..Limits::default() };
    let server = start_with(Config { limits, ..config() }).await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    assert_eq!(ana.brief().await, "+ana");
    let began = std::time::Instant::now();
    let empty: Vec<u8> = (0..200).flat_map(|_| masked(CONTINUATION, b"")).collect();
    ana.write(&[masked(TEXT, said("x").as_bytes()), empty, masked(FIN | CONTINUATION, b"")].concat()).await;
    ana.send_message("y").await;
    assert_eq!(ana.messages(2).await, ["x", "y"]);
    // 202 frames came before the second message, 10 of which are the burst: 5 ms for each of the
    // others
    assert!(began.elapsed() >= Duration::from_millis(191 * 5), "{:?}", began.elapsed());
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rate_limit_counts_a_large_frame_as_several() {
    let limits = Limits { message_rate: 100, message_burst: 1, ..Limits::default() };
    let server = start_with(Config { limits, ..config() }).await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    assert_eq!(ana.brief().await, "+ana");
    let began = std::time::Instant::now();
    let large = "x".repeat(100 * 1024);
    ana.send_message(&large).await;
    ana.send_message("y").await;
    assert_eq!(ana.messages(2).await, [&large, "y"]);
    // each 4 KiB count as a frame
    assert!(began.elapsed() >= Duration::from_millis(25 * 10), "{:?}", began.elapsed());
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ping_flood_is_answered_with_a_bounded_backlog() {
    let server = start().await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    assert_eq!(ana.brief().await, "+ana");
    let flood: Vec<u8> = (0..2_000_u32).flat_map(|i| whole(PING, &i.to_be_bytes())).collect();
    ana.write(&flood).await;
    ana.send_message("after the flood").await;
    let mut last = None;
    loop {
        match ana.see().await {
            Seen::Pong(payload) => {
                let number = u32::from_be_bytes(payload.try_into().unwrap());
                assert!(last < Some(number), "pongs come in order");
                last = Some(number);
            }
            Seen::Event(event) => {
                assert_eq!(chat_testkit::brief(&event), "ana: after the flood");
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_keeps_sending_after_the_close_is_throttled() {
    /// What the system's buffers on both sides may hold, plus about 6 MB per second.
    const MAX_WRITTEN: usize = 32 << 20;
    let close = Duration::from_secs(2);
    let server = start_with(Config { timings: Timings { close, ..timings() }, ..config() }).await;
    let mut eve = Client::enter(server.address, "r", "eve").await;
    eve.write(&whole(BINARY, b"{}")).await;
    let flood = vec![0x5a; 256 << 10];
    let mut written = 0;
    // writing fails once the server stops reading and closes the socket
    while eve.stream().write_all(&flood).await.is_ok() {
        written += flood.len();
        assert!(written < MAX_WRITTEN, "the server has discarded {written} bytes");
    }
    let mut bob = Client::enter(server.address, "r", "bob").await;
    assert_eq!(bob.brief().await, "+bob");
}
