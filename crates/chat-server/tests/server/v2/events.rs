//! Durable events: deletions, cursors and resyncs.

use chat_history::Retention;
use chat_protocol::{DeletedBy, RoomName};
use chat_server::{Config, Rate};
use chat_testkit::Client;
use chat_testkit::v2::Session;
use serde_json::{Value, json};

use super::{seqs, since};
use crate::support::{Running, config, start, start_with};

fn room() -> RoomName {
    "r".parse().unwrap()
}

async fn delete(server: &Running, targets: &[u64]) -> usize {
    server.engine.delete_messages(&room(), targets, DeletedBy::Operator).await.unwrap()
}

async fn resync(session: &mut Session, since: Value, history: u64) -> Value {
    session.ask(json!({"type": "join", "room": "r", "since": since, "history": history})).await
}

/// The next durable frame.
async fn next_durable(session: &mut Session) -> Value {
    loop {
        let frame = session.frame().await;
        if ["message", "deleted", "sync"].contains(&frame["type"].as_str().unwrap()) {
            return frame;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_reaches_every_session_and_every_later_list() {
    let server = start().await;
    let (mut ana, joined) = Session::enter(server.address, "r", "ana").await;
    let (mut bob, _) = Session::enter(server.address, "r", "bob").await;
    let mut old = Client::enter(server.address, "r", "old").await;
    for text in ["one", "*two*", "three"] {
        ana.send_message("r", text).await;
    }
    assert_eq!(delete(&server, &[2, 9]).await, 1);
    assert_eq!(ana.send_message("r", "four").await, 5, "the deletion has the number 4");
    let deleted = json!({"type": "deleted", "room": "r", "seq": 4, "targets": [2], "by": "operator"});
    let mut frames = Vec::new();
    while frames.last().is_none_or(|frame: &Value| frame["seq"] != 5) {
        frames.push(next_durable(&mut bob).await);
    }
    let numbers: Vec<_> = frames.iter().map(|frame| frame["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    assert_eq!(frames[3], deleted);
    // a classic client is not sent deletions
    let texts: Vec<_> = old.messages(4).await;
    assert_eq!(texts, ["one", "*two*", "three", "four"]);

    let state = |list: &Value| {
        let items = list.as_array().unwrap().iter();
        items
            .map(|item| (item["seq"].clone(), item["deleted"].clone(), item["changed_seq"].clone()))
            .collect::<Vec<_>>()
    };
    let expected: Vec<_> = [1, 2, 3, 5]
        .map(|seq| match seq {
            2 => (json!(2), json!(true), json!(4)),
            seq => (json!(seq), Value::Null, Value::Null),
        })
        .into();
    let page = ana.ask(json!({"type": "history", "room": "r"})).await;
    assert_eq!(state(&page["messages"]), expected);
    assert_eq!((&page["first"], &page["last"], &page["more"]), (&json!(1), &json!(5), &json!(false)));
    let item = &page["messages"][1];
    let keys: Vec<_> = item.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["by", "changed_seq", "deleted", "sent_at", "seq"]);

    // what a session has missed: the new message, and the old one that has changed
    let mut cid = Session::hello(server.address, "cid").await;
    let missed = resync(&mut cid, since(&joined, 3), 0).await;
    assert_eq!((seqs(&missed["messages"]), seqs(&missed["changed"])), (vec![5], vec![2]));
    assert_eq!((&missed["recovered"], &missed["seq"]), (&json!(true), &json!(5)));
    assert_eq!((&missed["first"], &missed["last"], &missed["oldest"]), (&json!(4), &json!(5), &json!(1)));
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_in_the_room_can_resync() {
    let server = start().await;
    let (mut ana, joined) = Session::enter(server.address, "r", "ana").await;
    let (mut bob, _) = Session::enter(server.address, "r", "bob").await;
    ana.next("presence").await;
    for text in ["one", "two"] {
        bob.send_message("r", text).await;
    }
    delete(&server, &[1]).await;
    let refused = ana.ask(json!({"type": "join", "room": "r"})).await;
    assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("already_in_room")));

    let answer = resync(&mut ana, since(&joined, 0), 0).await;
    assert_eq!(
        (&answer["type"], &answer["recovered"], &answer["seq"]),
        (&json!("joined"), &json!(true), &json!(3))
    );
    assert_eq!(
        (seqs(&answer["messages"]), answer["messages"][0]["deleted"].clone()),
        (vec![1, 2], json!(true))
    );
    assert_eq!((&answer["changed"], &answer["member_count"]), (&json!([]), &json!(2)));
    // from a position that cannot be recovered, and from another epoch
    for position in [since(&joined, 4), json!({"epoch": "another", "seq": 1})] {
        let answer = resync(&mut ana, position, 1).await;
        assert_eq!((&answer["recovered"], seqs(&answer["messages"])), (&json!(false), vec![2]));
        assert!(answer.get("changed").is_none());
        assert_eq!(answer["first"], 2);
    }
    // the stream goes on, and the others have seen nothing
    bob.send_message("r", "three").await;
    assert_eq!(ana.next("message").await["seq"], 4);
    let leave = bob.ask(json!({"type": "leave", "room": "r"})).await;
    assert_eq!(leave["type"], "left");
    assert_eq!(ana.next("presence").await["left"], json!(["bob"]));
    server.stop().await.unwrap();
}

/// A client that sends commands without waiting finds everything before the answer to its resync
/// below its number, and everything after it above.
#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_a_resync_has_its_place_in_the_stream() {
    const EACH: u64 = 300;
    let server = start().await;
    let (mut ana, joined) = Session::enter(server.address, "r", "ana").await;
    let (mut bob, _) = Session::enter(server.address, "r", "bob").await;
    let writer = tokio::spawn(async move {
        for _ in 0..EACH {
            bob.send_message("r", "hello").await;
        }
    });
    let mut cursor = 0;
    let mut answers = 0;
    while cursor < EACH {
        let join = json!({"type": "join", "room": "r", "ref": "again", "since": since(&joined, cursor)});
        ana.send(&join).await;
        loop {
            let frame = ana.frame().await;
            match frame["type"].as_str().unwrap() {
                "message" => {
                    assert_eq!(frame["seq"], cursor + 1);
                    cursor += 1;
                }
                "joined" => {
                    assert_eq!(frame["seq"], cursor, "all that was sent before");
                    assert_eq!(frame["recovered"], true);
                    answers += 1;
                    break;
                }
                _ => {}
            }
        }
    }
    assert!(answers > 1);
    writer.await.unwrap();
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn resyncs_do_not_count_towards_the_rate_of_joins() {
    // one join, and then practically none
    let joins = Rate { per_second: 1, burst: 1 };
    let server = start_with(Config { joins, ..config() }).await;
    let (mut ana, joined) = Session::enter(server.address, "r", "ana").await;
    for _ in 0..30 {
        let answer = resync(&mut ana, since(&joined, 0), 0).await;
        assert_eq!(answer["recovered"], true);
    }
    server.stop().await.unwrap();
}

/// Retention counts messages, not numbers; `oldest` says what is gone.
#[tokio::test(flavor = "multi_thread")]
async fn retention_counts_messages_and_joined_says_what_is_gone() {
    let server = start().await;
    let (mut ana, joined) = Session::enter(server.address, "r", "ana").await;
    for n in 1..=6_u64 {
        ana.send_message("r", "hello").await;
        if n.is_multiple_of(2) {
            delete(&server, &[n]).await;
        }
    }
    let before = resync(&mut ana, since(&joined, 0), 50).await;
    assert_eq!(before["oldest"], 1);
    server.control.reconfigure(Config { retention: Retention::new(None, Some(3)), ..config() });
    let answer = resync(&mut ana, since(&joined, 1), 50).await;
    let kept = seqs(&answer["messages"]);
    assert_eq!((&answer["recovered"], kept.len()), (&json!(false), 3));
    assert_eq!(answer["oldest"], kept[0]);
    assert_eq!(kept, seqs(&before["messages"])[3..]);
    server.stop().await.unwrap();
}
