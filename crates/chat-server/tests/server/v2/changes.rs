//! Edits and deletions by users.

use chat_protocol::Limits;
use chat_server::Config;
use chat_testkit::Client;
use chat_testkit::v2::Session;
use serde_json::{Value, json};

use super::bodies;
use crate::support::{config, start, start_with};

fn edit(target: u64, body: &str) -> Value {
    json!({"type": "edit", "room": "r", "target": target, "body": body})
}

fn delete(target: u64) -> Value {
    json!({"type": "delete", "room": "r", "target": target})
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_message_is_replaced_for_everyone() {
    let server = start().await;
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    let (mut bob, _) = Session::enter(server.address, "r", "bob").await;
    let mut old = Client::enter(server.address, "r", "old").await;
    assert_eq!(ana.send_message("r", "helo *all*").await, 1);
    let mut frame = edit(1, "hello *all*");
    frame["id"] = "e-1".into();
    let ack = ana.ask(frame.clone()).await;
    assert_eq!((&ack["type"], &ack["seq"], &ack["id"]), (&json!("ack"), &json!(2), &json!("e-1")));
    assert_eq!(ack.get("sent_at"), None);
    let edited = bob.next("edited").await;
    assert_eq!(
        (&edited["seq"], &edited["target"], &edited["body"]),
        (&json!(2), &json!(1), &json!("hello *all*"))
    );
    assert!(edited["edited_at"].is_string());

    // sent again, and without a change
    assert_eq!(ana.ask(frame).await["seq"], 2);
    let unchanged = ana.ask(edit(1, "hello *all*")).await;
    assert_eq!((&unchanged["type"], unchanged.get("seq")), (&json!("ack"), None));
    ana.send_message("r", "next").await;
    assert_eq!(bob.next("message").await["seq"], 3, "nothing else was stored");
    assert_eq!(old.messages(2).await, ["helo *all*", "next"], "classic clients are not told");

    // a newcomer, a reader of history, and one that missed it
    let mut cid = Session::hello_with(server.address, json!({"username": "cid", "render": true})).await;
    let joined = cid.ask(json!({"type": "join", "room": "r", "history": 10})).await;
    assert_eq!(bodies(&joined["messages"]), ["hello *all*", "next"]);
    assert_eq!(joined["messages"][0]["changed_seq"], 2);
    assert_eq!(joined["messages"][0]["edited_at"], edited["edited_at"]);
    let missed = json!({"type": "join", "room": "r", "since": {"epoch": joined["epoch"], "seq": 1}});
    let resynced = bob.ask(missed).await;
    assert_eq!(
        (bodies(&resynced["changed"]), resynced["recovered"].as_bool()),
        (vec!["hello *all*"], Some(true))
    );

    // html goes with the text
    ana.ask(edit(1, "<b> & *hi*")).await;
    let rendered = cid.next("edited").await;
    assert_eq!(rendered["html"], "<p dir=\"auto\">&lt;b&gt; &amp; <em>hi</em></p>\n");
    let page = cid.ask(json!({"type": "history", "room": "r"})).await;
    assert_eq!(page["messages"][0]["html"], rendered["html"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_changes_a_message() {
    let server = start().await;
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    let (mut bob, _) = Session::enter(server.address, "r", "bob").await;
    ana.send_message("r", "mine").await;
    for (frame, code) in [
        (edit(1, "yours"), "forbidden"),
        (delete(1), "forbidden"),
        (edit(7, "what"), "not_found"),
        (delete(7), "not_found"),
        (edit(0, "what"), "not_found"),
        (edit(u64::MAX, "what"), "not_found"),
        (json!({"type": "edit", "room": "elsewhere", "target": 1, "body": "x"}), "not_in_room"),
        (json!({"type": "delete", "room": "elsewhere", "target": 1}), "not_in_room"),
        (json!({"type": "edit", "room": "r", "target": 1}), "missing_field"),
        (json!({"type": "edit", "room": "r", "target": "1", "body": "x"}), "missing_field"),
        (json!({"type": "delete", "room": "r"}), "missing_field"),
    ] {
        let answer = bob.ask(frame.clone()).await;
        assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!(code)), "{frame}");
    }
    // the same name later is another user
    drop(ana);
    bob.next("presence").await;
    let (mut other, joined) = {
        let mut other = Session::hello(server.address, "ana").await;
        let joined = other.ask(json!({"type": "join", "room": "r", "history": 5})).await;
        (other, joined)
    };
    assert_eq!((bodies(&joined["messages"]), &joined["seq"]), (vec!["mine"], &json!(1)));
    assert_eq!(other.ask(edit(1, "stolen")).await["code"], "forbidden");
    assert_eq!(other.ask(delete(1)).await["code"], "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_author_deletes_a_message() {
    let server = start().await;
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    let (mut bob, _) = Session::enter(server.address, "r", "bob").await;
    ana.send_message("r", "a mistake").await;
    let ack = ana.ask(delete(1)).await;
    assert_eq!((&ack["type"], &ack["seq"], ack.get("id")), (&json!("ack"), &json!(2), None));
    let deleted = bob.next("deleted").await;
    assert_eq!((&deleted["targets"], &deleted["by"]), (&json!([1]), &json!("author")));
    assert_eq!(ana.ask(delete(1)).await.get("seq"), None);
    assert_eq!(ana.ask(edit(1, "again")).await["code"], "not_found");
    let page = bob.ask(json!({"type": "history", "room": "r"})).await;
    assert_eq!((&page["messages"][0]["deleted"], page["messages"][0].get("body")), (&json!(true), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_for_edits_is_limited() {
    let limits = Limits { edit_window_s: 1, ..Limits::default() };
    let server = start_with(Config { limits, ..config() }).await;
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    assert_eq!(ana.welcome["limits"]["edit_window_s"], 1);
    ana.send_message("r", "one").await;
    assert_eq!(ana.ask(edit(1, "two")).await["seq"], 2);
    // the clock of the messages is the system's
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let late = ana.ask(edit(1, "three")).await;
    assert_eq!(
        (&late["code"], &late["message"]),
        (&json!("forbidden"), &json!("this message is too old to be edited"))
    );
    assert_eq!(ana.ask(delete(1)).await["seq"], 3, "it can still be deleted");
}
