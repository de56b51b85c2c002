//! Joining over the classic protocol: which handshakes are accepted.

use chat_server::{Config, Timings};
use chat_testkit::{Client, Seen, brief, http, listed, path, soon};
use tokio::net::TcpStream;
use tokio::time::Duration;

use crate::support::{config, impatient, start, start_with, timings};

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_duplicate_name_does_not_affect_the_holder() {
    let server = start().await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    let mut bob = Client::enter(server.address, "r", "bob").await;
    assert_eq!(bob.brief().await, "+bob");
    for expected in ["+ana", "+bob"] {
        assert_eq!(ana.brief().await, expected);
    }
    let rows = server.rows("r").await;
    for _ in 0..3 {
        let refused = Client::try_enter(server.address, "r", "ana").await.unwrap_err();
        assert_eq!(refused.status, 403);
        assert_eq!(refused.header("content-length"), Some("0"));
    }
    assert_eq!(server.rows("r").await, rows);
    assert!(http::look_up(server.address, "r", "ana").await);
    ana.send_message("still here").await;
    for client in [&mut ana, &mut bob] {
        let event = client.event().await;
        assert_eq!((brief(&event).as_str(), listed(&event)), ("ana: still here", vec!["ana", "bob"]));
    }
    assert!(
        Client::try_enter(server.address, "other", "ana").await.is_ok(),
        "a name is taken only in its room"
    );
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_100_handshakes_for_one_name_exactly_one_is_accepted() {
    let server = start().await;
    for round in 0..3 {
        let room = format!("r{round}");
        let asked: Vec<_> = (0..100)
            .map(|_| {
                let (address, room) = (server.address, room.clone());
                tokio::spawn(async move { Client::try_enter(address, &room, "ana").await })
            })
            .collect();
        let (mut admitted, mut refused) = (Vec::new(), 0);
        for answer in asked {
            match soon("an answer", answer).await.unwrap() {
                Ok(client) => admitted.push(client),
                Err(answer) => {
                    assert_eq!(answer.status, 403);
                    refused += 1;
                }
            }
        }
        assert_eq!((admitted.len(), refused), (1, 99));
        assert_eq!(admitted[0].brief().await, "+ana");
        assert_eq!(server.rows(&room).await.len(), 1);
        admitted[0].send_message("alone").await;
        assert_eq!(admitted[0].brief().await, "ana: alone");
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_does_not_answer_the_probe_loses_the_name() {
    let timings = Timings { probe: Duration::from_millis(300), ..timings() };
    let server = start_with(Config { timings, ..config() }).await;
    let mut dead = Client::enter(server.address, "r", "ana").await;
    let mut bob = Client::enter(server.address, "r", "bob").await;
    // read before the probe: a ping overtakes queued frames
    for expected in ["+ana", "+bob"] {
        assert_eq!(dead.brief().await, expected);
    }
    dead.ignore_pings();
    assert_eq!(Client::try_enter(server.address, "r", "ana").await.unwrap_err().status, 403);
    for expected in ["+bob", "-ana"] {
        assert_eq!(bob.brief().await, expected);
    }
    let mut successor = Client::enter(server.address, "r", "ana").await;
    assert_eq!(successor.brief().await, "+ana");
    assert_eq!(dead.see().await, Seen::Ping(Vec::new()));
    assert_eq!(dead.closed().await, Some(4408));
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_answers_the_probe_keeps_the_name() {
    let timings = Timings { probe: Duration::from_millis(100), ..timings() };
    let server = start_with(Config { timings, ..config() }).await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    assert_eq!(ana.brief().await, "+ana");
    ana.ignore_pings();
    for _ in 0..5 {
        assert_eq!(Client::try_enter(server.address, "r", "ana").await.unwrap_err().status, 403);
        assert_eq!(ana.see().await, Seen::Ping(Vec::new()));
        ana.ping(b"alive").await;
        assert_eq!(ana.see().await, Seen::Pong(b"alive".to_vec()));
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_spellings_of_a_name_are_the_same_name() {
    let server = start().await;
    let mut composed = Client::enter(server.address, "caf%C3%A9", "jos%C3%A9").await;
    let event = composed.event().await;
    assert_eq!(listed(&event), ["josé"]);
    assert_eq!(event["users"][0]["room"], "café");
    assert_eq!(Client::try_enter(server.address, "cafe%CC%81", "jose%CC%81").await.unwrap_err().status, 403);
    assert!(http::look_up(server.address, "cafe%CC%81", "jose%CC%81").await);
    let mut world = Client::enter(server.address, "caf%C3%A9", "%E4%B8%96%E7%95%8C").await;
    assert_eq!(world.brief().await, "+世界");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_name_is_answered_with_404_and_leaves_no_row() {
    let server = start().await;
    let long = "a".repeat(51);
    for name in
        ["a%20b", "%00", "..", "a.b", "%E2%80%8Bana", "ana%E2%80%AE", "*chatd*", "%FF", "%CC%81ana", &long]
    {
        let refused = Client::try_enter(server.address, "r", name).await.unwrap_err();
        assert_eq!(refused.status, 404, "{name}");
        assert!(!http::look_up(server.address, "r", name).await);
    }
    assert_eq!(Client::try_enter(server.address, &"r".repeat(65), "ana").await.unwrap_err().status, 404);
    assert!(server.rows("r").await.is_empty());
    assert_eq!(server.engine.room_count(), 0);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_not_a_handshake_is_answered_with_the_right_status() {
    let server = start().await;
    let upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let old = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 8", key];
    let ask = async |method, headers: &[&str]| {
        http::request(server.address, method, &path("r", "ana"), headers).await
    };
    let plain = ask("GET", &[]).await;
    assert_eq!((plain.status, plain.header("upgrade")), (426, Some("websocket")));
    let old = ask("GET", &old).await;
    assert_eq!((old.status, old.header("sec-websocket-version")), (426, Some("13")));
    assert_eq!(ask("GET", &upgrade).await.status, 400);
    let post = ask("POST", &[&upgrade[..], &[key]].concat()).await;
    assert_eq!((post.status, post.header("allow")), (405, Some("GET")));
    for path in ["/ws/", "/ws/chat/r", "/ws/chat/r/ana/", "/ws/nothing/r/ana"] {
        let answer = http::request(server.address, "GET", path, &[&upgrade[..], &[key]].concat()).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    assert_eq!(server.engine.room_count(), 0);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_rejects_handshakes_until_a_client_leaves() {
    let server = start_with(Config { max_connections: 2, ..config() }).await;
    let _ana = Client::enter(server.address, "r", "ana").await;
    let mut bob = Client::enter(server.address, "r", "bob").await;
    assert_eq!(Client::try_enter(server.address, "r", "eve").await.unwrap_err().status, 503);
    assert!(!http::look_up(server.address, "r", "eve").await, "look-ups still work");
    bob.close(None).await;
    assert_eq!(bob.closed().await, Some(1000));
    let address = server.address;
    drop(bob);
    chat_testkit::until("a connection is free", async || {
        Client::try_enter(address, "r", "eve").await.is_ok()
    })
    .await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_connection_is_pinged_and_then_closed() {
    // bob must answer in time on a busy machine, too
    let (ping, silence) = (Duration::from_millis(500), Duration::from_millis(1_750));
    let timings = Timings { ping, silence, ..impatient() };
    let server = start_with(Config { timings, ..config() }).await;
    let mut bob = Client::enter(server.address, "r", "bob").await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    ana.ignore_pings();
    assert_eq!(ana.brief().await, "+ana");
    for _ in 0..3 {
        assert_eq!(ana.see().await, Seen::Ping(Vec::new()));
    }
    for expected in ["+bob", "+ana", "-ana"] {
        assert_eq!(bob.brief().await, expected, "bob answers pings and stays connected");
    }
    assert_eq!(ana.closed().await, Some(4408));
    assert!(!http::look_up(server.address, "r", "ana").await);
    server.until_rows("r", &["bob"]).await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_during_the_handshake_leaves_nothing_behind() {
    use tokio::io::AsyncWriteExt;
    let server = start().await;
    let mut bob = Client::enter(server.address, "r", "bob").await;
    assert_eq!(bob.brief().await, "+bob");
    for _ in 0..20 {
        let mut gone = TcpStream::connect(server.address).await.unwrap();
        // the end of the stream arrives before the server reads the head
        gone.write_all(b"GET /ws/chat/r/ana HTTP/1.1\r\n").await.unwrap();
        gone.write_all(&chat_testkit::handshake("").as_bytes()[15..]).await.unwrap();
        gone.shutdown().await.unwrap();
    }
    server.until_rows("r", &["bob"]).await;
    bob.send_message("anybody?").await;
    // clients admitted before the server noticed the end have joined and left; no member remains
    loop {
        let event = bob.event().await;
        if event["type"] == "chat_message" {
            break;
        }
    }
    chat_testkit::until("ana is free", async || !http::look_up(server.address, "r", "ana").await).await;
    server.stop().await.unwrap();
}
