//! The listener: request heads of all sizes and speeds, and the requests after them.

use chat_server::Config;
use chat_testkit::{Client, frame, handshake, http, path, said, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{config, impatient, start, start_with};

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_may_come_one_byte_at_a_time() {
    let server = start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in handshake(&path("r", "ana")).bytes() {
        stream.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut ana = Client::shake_hands(stream).await.unwrap();
    assert_eq!(ana.brief().await, "+ana");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_may_follow_the_handshake_immediately() {
    let server = start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let frames = [
        frame::whole(frame::TEXT, said("one").as_bytes()),
        frame::whole(frame::TEXT, said("two").as_bytes()),
    ];
    let all = [handshake(&path("r", "ana")).as_bytes(), &frames.concat()].concat();
    stream.write_all(&all).await.unwrap();
    let mut ana = Client::shake_hands(stream).await.unwrap();
    for expected in ["+ana", "ana: one", "ana: two"] {
        assert_eq!(ana.brief().await, expected);
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_with_an_incomplete_head_is_dropped() {
    let server = start_with(Config { timings: impatient(), ..config() }).await;
    for begun in [&b""[..], b"GET /ws/chat/r/ana HTTP/1.1\r\nHost: a\r\n", b"G"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(begun).await.unwrap();
        let mut answer = Vec::new();
        let _ = soon("the end", stream.read_to_end(&mut answer)).await;
        assert!(answer.is_empty());
    }
    assert_eq!(server.engine.room_count(), 0);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_keep_alive_connection_is_dropped() {
    let server = start_with(Config { timings: impatient(), ..config() }).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(http::request_on(&mut stream, "GET", "/livez", &[]).await.status, 200);
    assert_eq!(soon("the end", stream.read(&mut [0; 100])).await.unwrap(), 0);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_of_20_megabytes_is_rejected_early() {
    const HUGE: usize = 20_000_000;
    let server = start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /ws/chat/r/ana HTTP/1.1\r\nX-Filler: ").await.unwrap();
    let (mut reading, mut writing) = stream.split();
    let chunk = vec![b'a'; 65_536];
    let mut written = 0;
    let write = async {
        while written < HUGE && writing.write_all(&chunk).await.is_ok() {
            written += chunk.len();
        }
    };
    let mut answer = Vec::new();
    let read = reading.read_to_end(&mut answer);
    tokio::select! {
        _ = soon("an answer", read) => {}
        () = write => panic!("the server read 20 megabytes"),
    }
    assert!(answer.starts_with(b"HTTP/1.1 431 "), "{:?}", String::from_utf8_lossy(&answer));

    let fields = vec!["X-Field: 1234567890"; 5_000];
    assert_eq!(http::request(server.address, "GET", &path("r", "ana"), &fields).await.status, 431);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_http_are_rejected_at_once() {
    let server = start().await;
    for nonsense in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[..], b"hello there\r\n\r\n", b"GET\r\n\r\n"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(nonsense).await.unwrap();
        let mut answer = Vec::new();
        soon("an answer", stream.read_to_end(&mut answer)).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 400 "), "{:?}", String::from_utf8_lossy(&answer));
    }
    let look_up = "/chat/get_signed_user/r/ana";
    let long = format!("X-Filler: {}", "a".repeat(40_000));
    for (line, status) in [("Host: another", 400), ("no header line", 400), (&*long, 431)] {
        let answer = http::request(server.address, "GET", look_up, &["Origin: http://elsewhere", line]).await;
        assert_eq!(answer.status, status, "{}", &line[..10]);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.header("vary"), Some("Origin"));
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keep_alive_connection_serves_requests_and_then_a_handshake() {
    let server = start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    for _ in 0..3 {
        assert_eq!(
            http::request_on(&mut stream, "GET", "/chat/get_signed_user/r/ana", &[]).await.status,
            200
        );
    }
    assert_eq!(http::request_on(&mut stream, "GET", "/ws/chat/r/a.b", &[]).await.status, 404);
    // proxies send a handshake over any open connection, with frames right after it
    let next = frame::whole(frame::TEXT, said("at once").as_bytes());
    stream.write_all(&[handshake(&path("r", "ana")).as_bytes(), &next].concat()).await.unwrap();
    let mut ana = Client::shake_hands(stream).await.unwrap();
    for expected in ["+ana", "ana: at once"] {
        assert_eq!(ana.brief().await, expected);
    }
    let mut other = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(http::request_on(&mut other, "GET", "/livez", &[]).await.status, 200);
    other.write_all(handshake(&path("r", "ana")).as_bytes()).await.unwrap();
    assert_eq!(Client::shake_hands(other).await.unwrap_err().status, 403);
    ana.close(None).await;
    assert_eq!(ana.closed().await, Some(1000));
    server.until_rows("r", &[]).await;
    server.stop().await.unwrap();
}
