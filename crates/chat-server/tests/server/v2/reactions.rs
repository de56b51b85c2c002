//! Replies, reactions and mentions.

use chat_testkit::Client;
use chat_testkit::v2::Session;
use serde_json::{Value, json};

use super::bodies;
use crate::accounts::{PASSWORD, User, send};
use crate::support::{config, start, start_with_accounts};

fn react(target: u64, emoji: &str, on: bool) -> Value {
    json!({"type": "react", "room": "r", "target": target, "emoji": emoji, "on": on})
}

fn say(body: &str) -> Value {
    json!({"type": "send", "room": "r", "body": body})
}

#[tokio::test(flavor = "multi_thread")]
async fn reactions_are_counted_and_sent_to_everyone() {
    let server = start().await;
    let (mut ana, joined) = Session::enter(server.address, "r", "ana").await;
    let (mut bob, _) = Session::enter(server.address, "r", "bob").await;
    let mut old = Client::enter(server.address, "r", "old").await;
    ana.send_message("r", "a release!").await;
    let ack = bob.ask(react(1, ":tada:", true)).await;
    assert_eq!((&ack["type"], &ack["seq"], ack.get("id")), (&json!("ack"), &json!(2), None));
    let frame = ana.next("reactions").await;
    let bob_id = bob.welcome["user"]["id"].clone();
    assert_eq!(
        frame,
        json!({"type": "reactions", "room": "r", "seq": 2, "target": 1, "changes": [
            {"emoji": "🎉", "count": 1, "added": [{"username": "bob", "user": bob_id}], "removed": []},
        ]})
    );
    assert_eq!(bob.ask(react(1, "🎉", true)).await.get("seq"), None, "it is there already");
    ana.ask(react(1, "🎉", true)).await;
    ana.ask(react(1, "+1", true)).await;
    ana.send_message("r", "next").await;
    assert_eq!(old.messages(2).await, ["a release!", "next"], "classic clients are not told");

    // each session learns which are its own
    for (session, own) in [(&mut ana, [true, true]), (&mut bob, [true, false])] {
        let page = session.ask(json!({"type": "history", "room": "r"})).await;
        let reactions = &page["messages"][0]["reactions"];
        let mine: Vec<_> = (0..2).map(|index| reactions[index]["mine"].as_bool().unwrap_or(false)).collect();
        assert_eq!(mine, own);
        assert_eq!((&reactions[0]["emoji"], &reactions[0]["count"]), (&json!("🎉"), &json!(2)));
        assert_eq!(reactions[0]["users"], json!(["bob", "ana"]));
        assert_eq!(page["messages"][0]["changed_seq"], 4);
        assert_eq!(page["messages"][1].get("reactions"), None);
    }
    let since = json!({"epoch": joined["epoch"], "seq": 3});
    let resynced = bob.ask(json!({"type": "join", "room": "r", "since": since})).await;
    assert_eq!(resynced["changed"][0]["reactions"][0]["mine"], true);
    assert_eq!(bob.ask(react(1, "🎉", false)).await["seq"], 6);
    // a newcomer has the same state
    let mut cid = Session::hello(server.address, "cid").await;
    let joined = cid.ask(json!({"type": "join", "room": "r", "history": 5})).await;
    assert_eq!(
        joined["messages"][0]["reactions"],
        json!([{"emoji": "🎉", "count": 1, "users": ["ana"]}, {"emoji": "👍", "count": 1, "users": ["ana"]}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_that_is_not_possible_is_refused() {
    let server = start().await;
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    ana.send_message("r", "one").await;
    ana.send_message("r", "two").await;
    ana.ask(json!({"type": "delete", "room": "r", "target": 2})).await;
    for (frame, code) in [
        (react(2, "👍", true), "not_found"),
        (react(3, "👍", true), "not_found"),
        (react(99, "👍", true), "not_found"),
        (react(u64::MAX, "👍", false), "not_found"),
        (react(1, "hello", true), "missing_field"),
        (react(1, "👍👍", true), "missing_field"),
        (json!({"type": "react", "room": "r", "target": 1, "emoji": "👍"}), "missing_field"),
        (json!({"type": "react", "room": "s", "target": 1, "emoji": "👍", "on": true}), "not_in_room"),
        (json!({"type": "send", "room": "r", "body": "x", "reply_to": 2}), "not_found"),
        (json!({"type": "send", "room": "r", "body": "x", "reply_to": 77}), "not_found"),
        (json!({"type": "send", "room": "r", "body": "x", "reply_to": "1"}), "missing_field"),
    ] {
        let answer = ana.ask(frame.clone()).await;
        assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!(code)), "{frame}");
    }
    for emoji in ('\u{1f600}'..).take(20) {
        assert_eq!(ana.ask(react(1, &emoji.to_string(), true)).await["type"], "ack");
    }
    assert_eq!(ana.ask(react(1, "👍", true)).await["code"], "limit_reached");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_names_its_target() {
    let server = start().await;
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    let (mut bob, _) = Session::enter(server.address, "r", "bob").await;
    ana.send_message("r", "tea?").await;
    let reply = json!({"type": "send", "room": "r", "body": "yes", "reply_to": 1, "id": "b-1"});
    assert_eq!(bob.ask(reply.clone()).await["seq"], 2);
    let expected = json!({"seq": 1, "from": "ana", "user": ana.welcome["user"]["id"]});
    ana.next("message").await;
    assert_eq!(ana.next("message").await["reply_to"], expected);
    ana.ask(json!({"type": "delete", "room": "r", "target": 1})).await;
    assert_eq!(bob.ask(reply).await["seq"], 2, "repeated, although the target is gone");
    let other = json!({"type": "send", "room": "r", "body": "yes", "id": "b-1"});
    assert_eq!(bob.ask(other).await["code"], "id_reused");
    let page = bob.ask(json!({"type": "history", "room": "r", "after": 1})).await;
    assert_eq!((bodies(&page["messages"]), &page["messages"][0]["reply_to"]), (vec!["yes"], &expected));
}

/// The reactions of a user who was a guest before are its own.
#[tokio::test(flavor = "multi_thread")]
async fn reactions_of_a_former_guest_stay_its_own() {
    let server = start_with_accounts(config()).await;
    let secret = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned();
    let mut guest = Session::hello_as(server.address, "ana", &secret).await;
    guest.join("r").await;
    let (mut bob, _) = Session::enter(server.address, "r", "bob").await;
    bob.send_message("r", "hi").await;
    guest.ask(react(1, "👍", true)).await;
    let body = json!({
        "username": "ana", "password": PASSWORD, "guest_token": secret,
    });
    let answer = send(server.address, "POST", "accounts", None, &body).await;
    assert_eq!(answer.status, 201);
    let ana = User::log_in(server.address, "ana", PASSWORD).await;
    let mut session = ana.hello(server.address).await;
    let joined = session.ask(json!({"type": "join", "room": "r", "history": 5})).await;
    assert_eq!(joined["messages"][0]["reactions"][0]["mine"], true, "{joined}");
    assert_eq!(session.ask(react(1, "👍", true)).await.get("seq"), None);
    assert_eq!(session.ask(react(1, "👍", false)).await["type"], "ack");
    bob.next("reactions").await;
    let frame = bob.next("reactions").await;
    assert_eq!(frame["changes"][0]["removed"][0]["user"], guest.welcome["user"]["id"]);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn those_whom_a_message_names_are_mentioned() {
    let server = start().await;
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    let (mut tanaka, _) = Session::enter(server.address, "r", "田中").await;
    let id = |session: &Session| session.welcome["user"]["id"].clone();
    let (anas, tanakas) = (id(&ana), id(&tanaka));
    for (body, expected) in [
        ("hi @ANA", json!([anas])),
        ("@ana, @ana and @田中さん", json!([anas, tanakas])),
        ("**@ana**", json!([anas])),
        ("`@ana` mail@ana.example @anabel @nobody @room", Value::Null),
        ("nobody", Value::Null),
    ] {
        tanaka.ask(say(body)).await;
        let message = ana.next("message").await;
        assert_eq!(message["mentions"], expected, "{body}");
    }
    // an edit addresses others
    let edit = json!({"type": "edit", "room": "r", "target": 1, "body": "hi @田中"});
    tanaka.ask(edit).await;
    assert_eq!(ana.next("edited").await["mentions"], json!([tanakas]));
    let page = ana.ask(json!({"type": "history", "room": "r", "limit": 5})).await;
    assert_eq!(page["messages"][0]["mentions"], json!([tanakas]));
    ana.ask(json!({"type": "edit", "room": "r", "target": 1, "body": "x"})).await;
    tanaka.ask(json!({"type": "edit", "room": "r", "target": 1, "body": "nobody"})).await;
    assert_eq!(ana.next("edited").await.get("mentions"), None);
}

/// Accounts that keep the room are counted, wherever they are.
#[tokio::test(flavor = "multi_thread")]
async fn mentions_are_counted_for_accounts_that_keep_the_room() {
    let server = start_with_accounts(config()).await;
    let ana = User::register(server.address, "Ana").await;
    let eve = User::register(server.address, "eve").await;
    server.make_moderator(&eve.id).await;
    let mut anas = ana.hello(server.address).await;
    assert_eq!(anas.next("rooms").await["entries"], json!([]));
    anas.ask(json!({"type": "keep", "room": "r"})).await;
    let (mut bob, _) = Session::enter(server.address, "r", "bob").await;
    let (mut cid, _) = Session::enter(server.address, "r", "cid").await;
    for body in ["hi", "@ana and @eve", "@anabel", "`@ana`"] {
        bob.ask(say(body)).await;
    }
    assert_eq!(cid.next("message").await.get("mentions"), None);
    let message = cid.next("message").await;
    assert_eq!(message.get("mentions"), None, "nobody who is in the room: {message}");
    let mut inbox = anas.next("inbox").await;
    while inbox["up_to"] != 4 {
        inbox = anas.next("inbox").await;
    }
    assert_eq!((&inbox["unread"], &inbox["mentions"]), (&json!(4), &json!(1)));

    // on another device, and after an edit and a deletion
    let counts = async |expected: (u64, u64)| {
        let mut other = ana.hello(server.address).await;
        let list = other.next("rooms").await;
        let entry = &list["entries"][0];
        assert_eq!(
            (entry["unread"].as_u64(), entry["mentions"].as_u64()),
            (Some(expected.0), Some(expected.1))
        );
    };
    counts((4, 1)).await;
    bob.ask(json!({"type": "edit", "room": "r", "target": 1, "body": "hi @Ana"})).await;
    counts((4, 2)).await;
    bob.ask(json!({"type": "delete", "room": "r", "target": 2})).await;
    counts((3, 1)).await;
    let epoch = anas.ask(json!({"type": "keep", "room": "r"})).await["entry"]["epoch"].clone();
    let mark = json!({"type": "mark_read", "room": "r", "epoch": epoch, "up_to": 1});
    let read = anas.ask(mark).await;
    assert_eq!((&read["unread"], &read["mentions"]), (&json!(2), &json!(0)));

    // everyone, by a moderator only
    bob.ask(say("@room tea!")).await;
    counts((3, 0)).await;
    let mut moderator = eve.hello(server.address).await;
    moderator.join("r").await;
    moderator.ask(say("@Room tea!")).await;
    counts((4, 1)).await;
    let mut message = cid.next("message").await;
    while message["body"] != "@Room tea!" {
        message = cid.next("message").await;
    }
    assert_eq!(message["mentions"], json!(["room"]));
    server.stop().await.unwrap();
}
