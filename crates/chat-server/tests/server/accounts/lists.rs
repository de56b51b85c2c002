//! The list of a user's rooms: favourites, read marks, news.

use chat_testkit::v2::Session;
use serde_json::{Value, json};

use super::{PASSWORD, User};
use crate::support::{config, start_with_accounts};

/// The list that follows `welcome`.
async fn rooms(session: &mut Session) -> Vec<Value> {
    let frame = session.next("rooms").await;
    assert_eq!(frame["more"], false);
    frame["entries"].as_array().unwrap().clone()
}

fn counts(entry: &Value) -> (u64, u64, u64) {
    let number = |name: &str| entry[name].as_u64().unwrap();
    (number("newest"), number("read_up_to"), number("unread"))
}

#[tokio::test(flavor = "multi_thread")]
async fn favourites_and_read_marks_are_the_same_on_all_devices() {
    let server = start_with_accounts(config()).await;
    let desktop = User::register(server.address, "ana").await;
    let phone = User::log_in(server.address, "ana", PASSWORD).await;
    let (mut bob, _) = Session::enter(server.address, "lobby", "bob").await;
    bob.send_message("lobby", "before").await;
    let (mut one, mut two) = (desktop.hello(server.address).await, phone.hello(server.address).await);
    assert_eq!(rooms(&mut one).await, Vec::<Value>::new());
    assert_eq!(rooms(&mut two).await, Vec::<Value>::new());

    let kept = one.ask(json!({"type": "keep", "room": "lobby"})).await;
    let entry = &kept["entry"];
    assert_eq!(kept["type"], "kept", "{kept}");
    assert_eq!(
        (&entry["kind"], &entry["favourite"], &entry["notify"]),
        (&json!("room"), &json!(true), &json!("all"))
    );
    assert_eq!(counts(entry), (1, 1, 0), "a new entry begins read");
    let same = two.next("kept").await;
    assert_eq!((&same["entry"], same.get("ref")), (entry, None));

    // news comes to the sessions that are not in the room
    one.join("lobby").await;
    bob.send_message("lobby", "news").await;
    let inbox = two.next("inbox").await;
    let (up_to, unread) = (inbox["up_to"].as_u64(), inbox["unread"].as_u64());
    assert_eq!((up_to, unread, &inbox["from"]), (Some(2), Some(1), &json!("bob")));
    one.next("message").await;
    // the user's own messages are no news
    one.send_message("lobby", "mine").await;
    bob.send_message("lobby", "more").await;
    let inbox = two.next("inbox").await;
    assert_eq!((inbox["up_to"].as_u64(), inbox["unread"].as_u64()), (Some(4), Some(2)));

    let epoch = entry["epoch"].clone();
    let mark = |up_to: u64| json!({"type": "mark_read", "room": "lobby", "epoch": epoch, "up_to": up_to});
    let read = one.ask(mark(2)).await;
    assert_eq!((&read["type"], &read["up_to"], &read["unread"]), (&json!("read"), &json!(2), &json!(1)));
    assert_eq!(two.next("read").await["unread"], 1);
    assert_eq!(one.ask(mark(1)).await["up_to"], 2, "it never goes back");
    two.next("read").await;
    assert_eq!(one.ask(mark(99)).await["up_to"], 4, "and never beyond the newest event");
    assert_eq!(two.next("read").await["unread"], 0);
    let other = json!({"type": "mark_read", "room": "lobby", "epoch": "other", "up_to": 1});
    assert_eq!(one.ask(other).await["up_to"], 4, "another epoch says nothing");

    let changed = two.ask(json!({"type": "keep", "room": "lobby", "notify": "none"})).await;
    assert_eq!(changed["entry"]["notify"], "none");
    assert_eq!(one.next("kept").await["entry"]["notify"], "none");
    bob.send_message("lobby", "last").await;
    let mut three = phone.hello(server.address).await;
    let list = rooms(&mut three).await;
    assert_eq!(counts(&list[0]), (5, 4, 1));

    let dropped = one.ask(json!({"type": "keep", "room": "lobby", "favourite": false})).await;
    assert_eq!((&dropped["type"], &dropped["room"]), (&json!("dropped"), &json!("lobby")));
    assert_eq!(two.next("dropped").await["room"], "lobby");
    let gone = one.ask(mark(5)).await;
    assert_eq!(gone["code"], "not_found");
    server.stop().await.unwrap();
}

/// Nobody is in the room, and it is not even loaded.
#[tokio::test(flavor = "multi_thread")]
async fn news_is_counted_up_to_a_hundred() {
    let server = start_with_accounts(config()).await;
    let ana = User::register(server.address, "ana").await;
    let mut session = ana.hello(server.address).await;
    rooms(&mut session).await;
    session.ask(json!({"type": "keep", "room": "lobby"})).await;
    let (mut bob, _) = Session::enter(server.address, "lobby", "bob").await;
    for number in 0..150 {
        bob.send(&json!({"type": "send", "room": "lobby", "body": number.to_string()})).await;
    }
    while session.next("inbox").await["up_to"] != 150 {}
    let mut other = ana.hello(server.address).await;
    assert_eq!(counts(&rooms(&mut other).await[0]), (150, 0, 100));
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_have_no_list() {
    let server = start_with_accounts(config()).await;
    let mut bob = Session::hello(server.address, "bob").await;
    for command in [
        json!({"type": "keep", "room": "lobby"}),
        json!({"type": "mark_read", "room": "lobby", "epoch": "e", "up_to": 1}),
        json!({"type": "renew", "token": "x"}),
    ] {
        assert_eq!(bob.ask(command.clone()).await["code"], "forbidden", "{command}");
    }
    let wrong = bob.ask(json!({"type": "keep", "room": "lobby", "notify": "loudly"})).await;
    assert_eq!(wrong["code"], "missing_field");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_has_a_maximum_and_comes_in_several_frames() {
    let server = start_with_accounts(config()).await;
    let ana = User::register(server.address, "ana").await;
    let mut session = ana.hello(server.address).await;
    rooms(&mut session).await;
    for number in 0..500 {
        let kept = session.ask(json!({"type": "keep", "room": format!("r{number:03}")})).await;
        assert_eq!(kept["type"], "kept", "{kept}");
    }
    let full = session.ask(json!({"type": "keep", "room": "another"})).await;
    assert_eq!(full["code"], "limit_reached");
    let mut other = ana.hello(server.address).await;
    let (mut names, mut more) = (Vec::new(), true);
    while more {
        let frame = other.next("rooms").await;
        names.extend(frame["entries"].as_array().unwrap().iter().map(|entry| entry["room"].clone()));
        more = frame["more"].as_bool().unwrap();
    }
    assert_eq!(names, (0..500).map(|number| json!(format!("r{number:03}"))).collect::<Vec<_>>());
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_continues_with_another_token() {
    let server = start_with_accounts(config()).await;
    let ana = User::register(server.address, "ana").await;
    let bob = User::register(server.address, "bob").await;
    let phone = User::log_in(server.address, "ana", PASSWORD).await;
    let mut session = ana.hello(server.address).await;
    let renew = |token: &str| json!({"type": "renew", "token": token});
    assert_eq!(session.ask(renew(&bob.token)).await["code"], "forbidden");
    assert_eq!(session.ask(renew("x")).await["code"], "unauthorized");
    let renewed = session.ask(renew(&phone.token)).await;
    assert_eq!(renewed["type"], "renewed");
    assert!(renewed["expires_at"].is_string());
    // it is the session of the other device now
    assert_eq!(ana.post(server.address, "logout", &json!({})).await.status, 204);
    session.join("lobby").await;
    assert_eq!(phone.post(server.address, "logout", &json!({})).await.status, 204);
    assert_eq!(super::end(&mut session).await, (false, 4401));
    server.stop().await.unwrap();
}
