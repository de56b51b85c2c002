//! However a connection ends: one leave event, no presence row, and the name is free at once.

use chat_protocol::Limits;
use chat_server::{Config, Timings};
use chat_testkit::{Client, Seen, frame, http, listed, said, soon};
use tokio::time::Duration;

use crate::support::{config, start, start_with, timings};

#[tokio::test(flavor = "multi_thread")]
async fn every_end_of_a_connection_is_a_leave() {
    let server = start().await;
    let mut bob = Client::enter(server.address, "r", "bob").await;
    assert_eq!(bob.brief().await, "+bob");
    for end in [
        "close 1000",
        "close 4321",
        "close without a code",
        "finish",
        "reset",
        "drop",
        "cut in mid-frame",
        "cut in mid-header",
        "protocol error",
        "finish after sending",
    ] {
        let mut ana = Client::enter(server.address, "r", "ana").await;
        assert_eq!(ana.brief().await, "+ana", "{end}");
        assert_eq!(bob.brief().await, "+ana", "{end}");
        match end {
            "close 1000" => ana.close(Some(1000)).await,
            "close 4321" => ana.close(Some(4321)).await,
            "close without a code" => ana.close(None).await,
            "finish" => ana.finish().await,
            "cut in mid-frame" => {
                ana.write(&frame::whole(frame::TEXT, &[b'x'; 1_000])[..500]).await;
                ana.finish().await;
            }
            "cut in mid-header" => {
                ana.write(&[0x81]).await;
                ana.finish().await;
            }
            "protocol error" => ana.write(&[0xff; 14]).await,
            "finish after sending" => {
                ana.send_message("bye").await;
                ana.finish().await;
                assert_eq!(bob.brief().await, "ana: bye");
            }
            "reset" | "drop" => {}
            other => panic!("{other}"),
        }
        let code = match end {
            "reset" => {
                ana.reset();
                None
            }
            "drop" => {
                drop(ana);
                None
            }
            _ => ana.closed().await,
        };
        let expected = match end {
            "close 1000" | "close without a code" => Some(1000),
            "close 4321" => Some(4321),
            "protocol error" => Some(1002),
            _ => None,
        };
        assert_eq!(code, expected, "{end}");
        let event = bob.event().await;
        assert_eq!((chat_testkit::brief(&event).as_str(), listed(&event)), ("-ana", vec!["bob"]), "{end}");
        assert!(!http::look_up(server.address, "r", "ana").await, "{end}: the name is free");
        server.until_rows("r", &["bob"]).await;
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_leaves_while_others_send_leaves_one_event_and_no_row() {
    const ROUNDS: usize = 40;
    let server = start().await;
    let mut witness = Client::enter(server.address, "r", "witness").await;
    let senders: Vec<_> = (0..4)
        .map(|i| {
            let address = server.address;
            tokio::spawn(async move {
                let mut sender = Client::enter(address, "r", &format!("s{i}")).await;
                for n in 0..500 {
                    sender.send_message(&n.to_string()).await;
                }
                sender.messages(500).await;
            })
        })
        .collect();
    for round in 0..ROUNDS {
        let mut ana = Client::enter(server.address, "r", "ana").await;
        ana.send_message("in between").await;
        match round % 3 {
            0 => ana.reset(),
            1 => drop(ana),
            _ => {
                ana.close(None).await;
                ana.closed().await;
            }
        }
        chat_testkit::until("the name is free", async || !http::look_up(server.address, "r", "ana").await)
            .await;
    }
    for sender in senders {
        soon("a sender", sender).await.unwrap();
    }
    let (mut joins, mut leaves) = (0, 0);
    while leaves < ROUNDS {
        match witness.brief().await.as_str() {
            "+ana" => {
                joins += 1;
                assert_eq!(joins, leaves + 1);
            }
            "-ana" => {
                leaves += 1;
                assert_eq!(joins, leaves);
            }
            _ => {}
        }
    }
    server.until_rows("r", &["witness"]).await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_sent_before_hanging_up_are_delivered_even_if_throttled() {
    let limits = Limits { message_rate: 100, message_burst: 1, ..Limits::default() };
    let server = start_with(Config { limits, ..config() }).await;
    let mut bob = Client::enter(server.address, "r", "bob").await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    let piece: Vec<u8> =
        (0..30).flat_map(|i| frame::whole(frame::TEXT, said(&i.to_string()).as_bytes())).collect();
    ana.write(&piece).await;
    ana.finish().await;
    assert!(bob.messages(30).await.into_iter().eq((0..30).map(|i| i.to_string())));
    assert_eq!(bob.brief().await, "-ana");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_of_a_throttled_client_is_noticed_soon() {
    let limits = Limits { message_rate: 1, message_burst: 1, ..Limits::default() };
    let timings = Timings { hang_up: Duration::from_millis(300), ..timings() };
    let server = start_with(Config { limits, timings, ..config() }).await;
    let mut bob = Client::enter(server.address, "r", "bob").await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    let piece: Vec<u8> = (0..1_000).flat_map(|_| frame::whole(frame::TEXT, said("x").as_bytes())).collect();
    ana.write(&piece).await;
    ana.finish().await;
    // at the rate limit it would take a quarter of an hour
    while bob.brief().await != "-ana" {}
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_closed_receives_nothing_more() {
    let server = start().await;
    let mut bob = Client::enter(server.address, "r", "bob").await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    assert_eq!(ana.brief().await, "+ana");
    ana.close(Some(1000)).await;
    assert_eq!(ana.see().await, Seen::Close(Some(1000)));
    bob.send_message("are you still there?").await;
    assert_eq!(ana.see().await, Seen::End);
    server.stop().await.unwrap();
}
