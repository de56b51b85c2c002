//! Rejoining a room: the missed messages, and then the live stream.

use chat_protocol::Limits;
use chat_server::BacklogLimits;
use chat_server::Config;
use chat_testkit::v2::Session;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{seqs, since};
use crate::support::{config, start, start_with, start_without_history};

async fn rejoin(session: &mut Session, since: Value, history: u64) -> Value {
    session.ask(json!({"type": "join", "room": "r", "since": since, "history": history})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn missed_messages_are_recovered_once_and_in_order() {
    let server = start().await;
    let (mut ana, joined) = Session::enter(server.address, "r", "ana").await;
    for i in 1..=1_100 {
        ana.send(&json!({"type": "send", "room": "r", "body": i.to_string()})).await;
    }
    while ana.next("message").await["seq"] != 1_100 {}
    for (seq, expected) in
        [(1_100, Some(0)), (1_095, Some(5)), (600, Some(500)), (100, Some(1_000)), (99, None), (1_101, None)]
    {
        let mut bob = Session::hello(server.address, "bob").await;
        let answer = rejoin(&mut bob, since(&joined, seq), 7).await;
        assert_eq!(answer["type"], "joined", "{answer}");
        assert_eq!(answer["recovered"], expected.is_some(), "since {seq}");
        let wanted = expected.unwrap_or(7);
        assert_eq!(seqs(&answer["messages"]), (1_101 - wanted..=1_100).collect::<Vec<_>>(), "since {seq}");
        bob.ask(json!({"type": "leave", "room": "r"})).await;
    }
    let mut bob = Session::hello(server.address, "bob").await;
    let answer = rejoin(&mut bob, json!({"epoch": "another", "seq": 1_000}), 2).await;
    assert_eq!((&answer["recovered"], seqs(&answer["messages"])), (&json!(false), vec![1_099, 1_100]));
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_megabyte_is_not_recovered() {
    let limits = Limits { message_rate: 0, ..Limits::default() };
    let server = start_with(Config { limits, ..config() }).await;
    let (mut ana, joined) = Session::enter(server.address, "r", "ana").await;
    let filler = "x".repeat(100_000);
    for _ in 0..12 {
        ana.send_message("r", &filler).await;
    }
    let mut bob = Session::hello(server.address, "bob").await;
    let answer = rejoin(&mut bob, since(&joined, 3), 0).await;
    assert_eq!(answer["recovered"], true);
    assert_eq!(seqs(&answer["messages"]), (4..=12).collect::<Vec<_>>());
    bob.ask(json!({"type": "leave", "room": "r"})).await;
    let answer = rejoin(&mut bob, since(&joined, 2), 1).await;
    assert_eq!((&answer["recovered"], seqs(&answer["messages"])), (&json!(false), vec![12]));
    bob.ask(json!({"type": "leave", "room": "r"})).await;

    // the limit applies to the size on the wire, where each of these is six times as long
    let filler = "\u{1}".repeat(20_000);
    for _ in 0..12 {
        ana.send_message("r", &filler).await;
    }
    let answer = rejoin(&mut bob, since(&joined, 12), 0).await;
    assert_eq!(answer["recovered"], false);
    let page = bob.ask(json!({"type": "history", "room": "r", "after": 12})).await;
    assert!(serde_json::to_string(&page).unwrap().len() < 1 << 20);
    assert_eq!((seqs(&page["messages"]), &page["more"]), ((13..=20).collect::<Vec<_>>(), &json!(true)));
    server.stop().await.unwrap();
}

/// Readers that join and leave while messages are sent receive each message once. The slowest
/// reader limits the rate of the messages: the number it misses must not exceed what can be
/// recovered, however busy the machine is.
#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_gap_and_no_repeat_between_recovery_and_the_live_stream() {
    const EACH: u64 = 3_000;
    let limits = Limits { message_rate: 0, ..Limits::default() };
    let server = start_with(Config { limits, ..config() }).await;
    let (_witness, joined) = Session::enter(server.address, "r", "witness").await;
    let address = server.address;
    let progress = watch::Sender::new([0; 4]);
    let sending: Vec<_> = (0..3)
        .map(|sender| {
            let mut read = progress.subscribe();
            tokio::spawn(async move {
                let (mut session, _) = Session::enter(address, "r", &format!("s{sender}")).await;
                for i in 0..EACH {
                    read.wait_for(|read| read.iter().all(|last| 3 * i < last + 600)).await.unwrap();
                    session
                        .send(&json!({"type": "send", "room": "r", "body": format!("{sender} {i}")}))
                        .await;
                    // read at the rate of sending
                    session.next("message").await;
                }
                session
            })
        })
        .collect();
    let reading: Vec<_> = (0..4)
        .map(|reader: usize| {
            let (joined, progress) = (joined.clone(), progress.clone());
            tokio::spawn(async move {
                let (mut last, mut visits) = (0, 0_u64);
                while last < 3 * EACH {
                    let mut session = Session::hello(address, &format!("r{reader}")).await;
                    let answer = rejoin(&mut session, since(&joined, last), 0).await;
                    if answer["type"] == "error" {
                        assert_eq!(
                            answer["code"], "username_taken",
                            "the server has not noticed yet that the previous visit ended"
                        );
                        continue;
                    }
                    assert_eq!(answer["recovered"], true, "{answer}");
                    visits += 1;
                    for seq in seqs(&answer["messages"]) {
                        assert_eq!(seq, last + 1);
                        last = seq;
                    }
                    assert_eq!(answer["seq"], last);
                    progress.send_modify(|read| read[reader] = last);
                    let count = 1 + (visits * 37 + reader as u64 * 13) % 200;
                    for _ in 0..count.min(3 * EACH - last) {
                        assert_eq!(session.next("message").await["seq"], last + 1, "visit {visits}");
                        last += 1;
                        progress.send_modify(|read| read[reader] = last);
                    }
                }
                visits
            })
        })
        .collect();
    // keep the sessions: hanging up with unread data would reset the connection and lose messages
    // in flight
    let mut kept = Vec::new();
    for task in sending {
        kept.push(chat_testkit::soon("everything is sent", task).await.unwrap());
    }
    for task in reading {
        assert!(chat_testkit::soon("everything is read", task).await.unwrap() > 3);
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_disconnected_and_recovers_what_it_missed() {
    let limits = Limits { message_rate: 0, ..Limits::default() };
    let backlog = BacklogLimits { frames: 10_000, bytes: 1 << 20 };
    let server = start_with(Config { limits, backlog, ..config() }).await;
    let (mut ana, joined) = Session::enter(server.address, "r", "ana").await;
    let (mut slow, _) = Session::enter(server.address, "r", "slow").await;
    // the system's buffers hold some megabytes before the backlog grows
    let (filler, mut sent) = ("x".repeat(50_000), 0);
    while server.engine.is_present(&"r".parse().unwrap(), &"slow".parse().unwrap()).await.unwrap() {
        sent = ana.send_message("r", &filler).await;
        assert!(sent < 2_000, "100 megabytes are queued for one client");
    }
    let mut last = 0;
    let code = loop {
        match slow.client.see().await {
            chat_testkit::Seen::Event(frame) if frame["type"] == "message" => {
                assert_eq!(frame["seq"], last + 1, "no gap in what it received");
                last += 1;
            }
            chat_testkit::Seen::Event(frame) if frame["type"] == "bye" => {
                assert_eq!((&frame["code"], &frame["reconnect"]), (&json!(4503), &json!(true)));
            }
            chat_testkit::Seen::Event(_) => {}
            chat_testkit::Seen::Close(code) => break code,
            _ => break None,
        }
    };
    assert!(matches!(code, Some(4503) | None), "{code:?}");
    let mut returned = Session::hello(server.address, "slow").await;
    let answer = rejoin(&mut returned, since(&joined, last), 0).await;
    let until = answer["seq"].as_u64().unwrap();
    assert_eq!(until, sent);
    if answer["recovered"] == false {
        while last < until {
            let page = returned.ask(json!({"type": "history", "room": "r", "after": last})).await;
            for seq in seqs(&page["messages"]) {
                assert_eq!(seq, last + 1);
                last = seq;
            }
        }
    } else {
        assert_eq!(seqs(&answer["messages"]), (last + 1..=until).collect::<Vec<_>>());
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_history_acks_are_marked_and_recovery_is_limited_to_memory() {
    let server = start_without_history().await;
    let (mut ana, joined) = Session::enter(server.address, "r", "ana").await;
    let ack = ana.ask(json!({"type": "send", "room": "r", "body": "1"})).await;
    assert_eq!((&ack["type"], &ack["stored"]), (&json!("ack"), &json!(false)));
    for i in 2..=1_500 {
        ana.send(&json!({"type": "send", "room": "r", "body": i.to_string()})).await;
    }
    while ana.next("message").await["seq"] != 1_500 {}
    let mut bob = Session::hello(server.address, "bob").await;
    let answer = rejoin(&mut bob, since(&joined, 1_000), 0).await;
    assert_eq!((&answer["recovered"], seqs(&answer["messages"]).len()), (&json!(true), 500));
    let page = bob.ask(json!({"type": "history", "room": "r", "after": 0, "limit": 1})).await;
    assert_eq!(seqs(&page["messages"]), [501], "the newest 1,000 of each room are kept");
    bob.ask(json!({"type": "leave", "room": "r"})).await;
    let answer = rejoin(&mut bob, since(&joined, 400), 3).await;
    assert_eq!((&answer["recovered"], seqs(&answer["messages"])), (&json!(false), vec![1_498, 1_499, 1_500]));
    server.stop().await.unwrap();

    let server = start_without_history().await;
    let (_, another) = Session::enter(server.address, "r", "ana").await;
    assert_ne!(another["epoch"], joined["epoch"], "each start has its own epoch");
    server.stop().await.unwrap();
}
