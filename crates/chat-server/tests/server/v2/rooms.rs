//! Joining, sending and leaving.

use std::time::{Duration, Instant};

use chat_server::{Config, Rate};
use chat_testkit::v2::Session;
use chat_testkit::{Client, brief, frame};
use serde_json::json;

use super::{bodies, names, seqs};
use crate::support::{config, start, start_with};

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_both_protocols_share_a_room() {
    let server = start().await;
    let mut classic = Client::enter(server.address, "r", "cleo").await;
    assert_eq!(classic.brief().await, "+cleo");
    let (mut ana, joined) = Session::enter(server.address, "r", "ana").await;
    assert_eq!(names(&joined["members"]), ["ana", "cleo"]);
    assert_eq!((&joined["member_count"], &joined["seq"]), (&json!(2), &json!(0)));
    assert_eq!((&joined["messages"], &joined["recovered"]), (&json!([]), &json!(false)));
    assert_eq!(classic.brief().await, "+ana", "at once, as in a room of classic clients");

    assert_eq!(ana.send_message("r", "from v2").await, 1);
    classic.send_message("from classic").await;
    let first = ana.next("message").await;
    let second = ana.next("message").await;
    assert_eq!(seqs(&json!([first, second])), [1, 2]);
    assert_eq!(bodies(&json!([first, second])), ["from v2", "from classic"]);
    assert_eq!((&second["from"], &second["room"]), (&json!("cleo"), &json!("r")));
    let sent_at = second["sent_at"].as_str().unwrap();
    assert!(sent_at.ends_with('Z') && sent_at.len() == "2026-01-01T00:00:00.000Z".len(), "{sent_at}");
    for expected in ["ana: from v2", "cleo: from classic"] {
        let event = classic.event().await;
        assert_eq!(brief(&event), expected);
        assert_eq!(event["users"].as_array().unwrap().len(), 2);
    }

    let taken = Client::try_enter(server.address, "r", "ana").await.unwrap_err();
    assert_eq!(taken.status, 403, "one name, one member, in either protocol");
    let mut other = Session::hello(server.address, "cleo").await;
    assert_eq!(other.ask(json!({"type": "join", "room": "r"})).await["code"], "username_taken");
    assert_eq!(ana.ask(json!({"type": "leave", "room": "r"})).await["type"], "left");
    assert_eq!(classic.brief().await, "-ana");
    server.until_rows("r", &["cleo"]).await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ack_precedes_the_senders_own_message_and_carries_the_ref() {
    let server = start().await;
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    let (mut bob, _) = Session::enter(server.address, "r", "bob").await;
    for i in 0..100 {
        ana.send(&json!({"type": "send", "room": "r", "body": format!("{i}"), "ref": format!("r{i}"), "id": format!("id{i}")})).await;
    }
    let (mut acked, mut received) = (0, 0);
    while received < 100 {
        let frame = ana.frame().await;
        match frame["type"].as_str().unwrap() {
            "ack" => {
                assert_eq!(frame["ref"], format!("r{acked}"));
                assert_eq!(frame["id"], format!("id{acked}"));
                acked += 1;
                assert_eq!(frame["seq"], acked);
            }
            "message" => {
                assert_eq!(frame["body"], format!("{received}"));
                received += 1;
                assert_eq!(frame["seq"], received);
                assert!(received <= acked, "the ack of a message precedes it");
            }
            other => assert_eq!(other, "presence"),
        }
    }
    for i in 0..100 {
        let message = bob.next("message").await;
        assert_eq!((&message["body"], &message["id"]), (&json!(format!("{i}")), &json!(format!("id{i}"))));
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_about_a_room_take_effect_in_the_order_sent() {
    let server = start().await;
    let mut ana = Session::hello(server.address, "ana").await;
    for round in 0..20 {
        // all at once, without waiting for replies
        let send = |n: u64| json!({"type": "send", "room": "r", "body": n.to_string(), "ref": n.to_string()});
        for frame in [
            json!({"type": "join", "room": "r", "ref": "j"}),
            send(1),
            send(2),
            json!({"type": "leave", "room": "r", "ref": "l"}),
            send(3),
        ] {
            ana.send(&frame).await;
        }
        let mut seen = Vec::new();
        while seen.len() < 5 {
            let frame = ana.frame().await;
            match frame["type"].as_str().unwrap() {
                "message" | "presence" => {}
                kind => seen.push(format!("{kind} {}", frame["ref"].as_str().unwrap())),
            }
        }
        // the reply to the last one is immediate, because the session is not in the room any more
        seen.sort_by_key(|frame| frame.starts_with("error"));
        assert_eq!(seen, ["joined j", "ack 1", "ack 2", "left l", "error 3"], "round {round}");
    }
    let history = ana.join("r").await;
    assert_eq!(history["seq"], 40);

    // a page contains the message sent right before it was requested
    for seq in 41..60 {
        let said = json!({"type": "send", "room": "r", "body": seq.to_string()}).to_string();
        let asked = json!({"type": "history", "room": "r", "limit": 1}).to_string();
        let both = [said, asked].map(|text| frame::whole(frame::TEXT, text.as_bytes())).concat();
        ana.client.write(&both).await;
        assert_eq!(seqs(&ana.next("history").await["messages"]), [seq]);
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn several_rooms_on_one_connection_are_independent() {
    let server = start().await;
    let mut ana = Session::hello(server.address, "ana").await;
    let mut bob = Session::hello(server.address, "bob").await;
    for room in ["a", "b", "c"] {
        ana.join(room).await;
    }
    bob.join("b").await;
    assert_eq!(bob.send_message("b", "hi b").await, 1);
    let message = ana.next("message").await;
    assert_eq!((&message["room"], &message["body"]), (&json!("b"), &json!("hi b")));
    assert_eq!(ana.send_message("c", "hi c").await, 1, "each room has its own numbering");
    assert_eq!(ana.next("message").await["room"], "c");
    assert_eq!(ana.send_message("b", "back").await, 2);
    assert_eq!(bob.next("message").await["body"], "hi b");
    assert_eq!(bob.next("message").await["body"], "back");
    drop(ana);
    for room in ["a", "c"] {
        server.until_rows(room, &[]).await;
    }
    server.until_rows("b", &["bob"]).await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_receives_nothing_of_a_room_after_left() {
    let server = start().await;
    let (mut bob, _) = Session::enter(server.address, "r", "bob").await;
    let sending = tokio::spawn(async move {
        for i in 0..2_000 {
            bob.send(&json!({"type": "send", "room": "r", "body": i.to_string()})).await;
        }
        bob
    });
    let mut ana = Session::hello(server.address, "ana").await;
    for _ in 0..20 {
        ana.join("r").await;
        ana.send(&json!({"type": "leave", "room": "r"})).await;
        ana.next("left").await;
        // frames received before the reply to a ping were sent before it
        ana.send(&json!({"type": "ping", "ref": "p"})).await;
        assert_eq!(ana.frame().await["type"], "pong", "no frame of the room after `left`");
    }
    drop(sending.await.unwrap());
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_is_sent_to_the_others_and_throttled() {
    let server = start().await;
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    let (mut bob, _) = Session::enter(server.address, "r", "bob").await;
    let mut classic = Client::enter(server.address, "r", "cleo").await;
    assert_eq!(classic.brief().await, "+cleo");
    for _ in 0..50 {
        ana.send(&json!({"type": "typing", "room": "r"})).await;
    }
    ana.send_message("r", "done").await;
    let (mut typed, mut done) = (0, false);
    while !done {
        let frame = bob.frame().await;
        match frame["type"].as_str().unwrap() {
            "typing" => {
                assert_eq!(frame, json!({"type": "typing", "room": "r", "username": "ana"}));
                typed += 1;
            }
            kind => done = kind == "message",
        }
    }
    assert_eq!(typed, 1);
    let own = ana.next("message").await;
    assert_eq!(own["body"], "done", "next() would have failed on a frame it does not know");
    assert_eq!(classic.brief().await, "ana: done", "classic clients do not receive typing");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sending_the_same_id_again_is_the_same_message() {
    let server = start().await;
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    let (mut bob, _) = Session::enter(server.address, "r", "bob").await;
    let send = |body: &str| json!({"type": "send", "room": "r", "id": "once", "body": body});
    let first = ana.ask(send("hello")).await;
    for _ in 0..3 {
        assert_eq!(ana.ask(send("hello")).await, first);
    }
    assert_eq!(ana.ask(send("other")).await["code"], "id_reused");
    let of_bob = bob.ask(send("other")).await;
    assert_eq!((&of_bob["type"], &of_bob["seq"]), (&json!("ack"), &json!(2)), "ids are per user");
    let page = bob.ask(json!({"type": "history", "room": "r"})).await;
    assert_eq!(bodies(&page["messages"]), ["hello", "other"]);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn joins_are_rate_limited() {
    let joins = Rate { per_second: 50, burst: 2 };
    let server = start_with(Config { joins, ..config() }).await;
    let mut ana = Session::hello(server.address, "ana").await;
    let began = Instant::now();
    for i in 0..12 {
        let room = format!("r{i}");
        ana.send(&json!({"type": "join", "room": room})).await;
        ana.send(&json!({"type": "leave", "room": room})).await;
    }
    for i in 0..12 {
        assert_eq!(ana.next("joined").await["room"], format!("r{i}"));
    }
    assert!(began.elapsed() >= Duration::from_millis(10 * 20), "{:?}", began.elapsed());
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_room_accepts_a_member_after_another_has_left() {
    let server = start_with(Config { members_per_room: 2, ..config() }).await;
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    let _bob = Client::enter(server.address, "r", "bob").await;
    let mut cleo = Session::hello(server.address, "cleo").await;
    let refused = cleo.ask(json!({"type": "join", "room": "r"})).await;
    assert_eq!(refused["code"], "rate_limited");
    assert!(refused["retry_after_ms"].as_u64() > Some(0), "{refused}");
    let refused = Client::try_enter(server.address, "r", "dora").await.map(drop).unwrap_err();
    assert_eq!((refused.status, &refused.body[..]), (503, &b"the room is full\n"[..]));
    let taken = Client::try_enter(server.address, "r", "bob").await.map(drop).unwrap_err();
    assert_eq!(taken.status, 403, "a taken name is reported even if the room is full");
    cleo.join("elsewhere").await;
    assert_eq!(server.rows("r").await.len(), 2);

    ana.ask(json!({"type": "leave", "room": "r"})).await;
    cleo.join("r").await;
    server.until_rows("r", &["bob", "cleo"]).await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shutdown_is_announced() {
    let server = start().await;
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    for i in 0..50 {
        ana.send(&json!({"type": "send", "room": "r", "body": i.to_string()})).await;
    }
    while ana.next("message").await["seq"] != 1 {}
    let (task, _store, _folder) = server.begin_shutdown();
    let (mut acked, mut received) = (0, 1);
    let bye = loop {
        let frame = ana.frame().await;
        match frame["type"].as_str().unwrap() {
            "ack" => acked = frame["seq"].as_u64().unwrap(),
            "message" => received = frame["seq"].as_u64().unwrap(),
            "bye" => break frame,
            other => assert_eq!(other, "presence"),
        }
    };
    assert!(acked == 0 || acked == received, "messages that were read are acked and delivered before bye");
    assert_eq!((&bye["code"], &bye["reconnect"]), (&json!(1001), &json!(true)));
    assert_eq!(ana.closed().await.1, Some(1001));
    task.await.unwrap().unwrap();
}
