//! The filter of words and links, the limits of new users, and repeated messages, over sockets.

use std::sync::Arc;
use std::time::Duration;

use chat_server::{AbuseLimits, Config, NewUserLimits};
use chat_testkit::Client;
use chat_testkit::v2::Session;
use serde_json::{Value, json};

use crate::accounts::User;
use crate::support::{config, refused, start_with, start_with_accounts};

fn with(abuse: AbuseLimits) -> Config {
    Config { abuse, ..config() }
}

fn send(room: &str, body: &str) -> Value {
    json!({"type": "send", "room": room, "body": body})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_filter_refuses_words_and_links_in_both_protocols() {
    let filter = Arc::new("deny word casino*\ndeny link spam.example".parse().unwrap());
    let server =
        start_with_accounts(with(AbuseLimits { filter: Some(filter), ..AbuseLimits::default() })).await;
    let ana = User::register(server.address, "ana").await;
    let mut owner = ana.hello(server.address).await;
    owner.join("lobby").await;
    owner.ask(json!({"type": "create_room", "room": "lobby"})).await;
    let (mut gus, _) = Session::enter(server.address, "lobby", "gus").await;
    for body in ["Casinos!", "[x](https://spam.example/)"] {
        refused(&mut gus, send("lobby", body), "filtered").await;
    }
    let seq = gus.send_message("lobby", "hello").await;
    let edit = json!({"type": "edit", "room": "lobby", "target": seq, "body": "casino"});
    refused(&mut gus, edit, "filtered").await;
    // moderators may quote what they have removed
    owner.send_message("lobby", "no casino, please").await;

    let mut cleo = Client::enter(server.address, "lobby", "cleo").await;
    cleo.send_message("to the casino").await;
    loop {
        let event = cleo.event().await;
        if event["type"] == "chat_error" {
            break assert!(event["message"].as_str().unwrap().contains("not allowed"), "{event}");
        }
    }
    let page = gus.ask(json!({"type": "history", "room": "lobby"})).await;
    let bodies: Vec<_> =
        page["messages"].as_array().unwrap().iter().map(|message| &message["body"]).collect();
    assert_eq!(bodies, ["hello", "no casino, please"]);

    // a filter that is replaced holds at once; what was stored before is still acknowledged
    let first = json!({"type": "send", "room": "lobby", "body": "tea", "id": "m1"});
    let ack = gus.ask(first.clone()).await;
    let filter = Some(Arc::new("deny word tea".parse().unwrap()));
    server.control.reconfigure(with(AbuseLimits { filter, ..AbuseLimits::default() }));
    refused(&mut gus, send("lobby", "tea"), "filtered").await;
    assert_eq!(gus.ask(first).await["seq"], ack["seq"]);
    gus.send_message("lobby", "casino").await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn new_users_are_limited_in_all_rooms_together() {
    let new_users = Some(NewUserLimits { age: Duration::from_secs(3_600), messages_per_minute: 3 });
    let server = start_with_accounts(with(AbuseLimits { new_users, ..AbuseLimits::default() })).await;
    let ana = User::register(server.address, "ana").await;
    let (mut desktop, mut phone) = (ana.hello(server.address).await, ana.hello(server.address).await);
    desktop.join("lobby").await;
    phone.join("tea").await;
    refused(&mut desktop, send("lobby", "www.example.org"), "filtered").await;
    desktop.send_message("lobby", "one").await;
    phone.send_message("tea", "two").await;
    desktop.send_message("lobby", "three").await;
    let answer = refused(&mut phone, send("tea", "four"), "rate_limited").await;
    assert!((1..=60_000).contains(&answer["retry_after_ms"].as_u64().unwrap()), "{answer}");
    let (mut gus, _) = Session::enter(server.address, "lobby", "gus").await;
    gus.send_message("lobby", "guests have their own count").await;
    refused(&mut gus, send("lobby", "https://example.org"), "filtered").await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_text_in_many_rooms_is_a_flood() {
    let server = start_with(with(AbuseLimits { repeats: Some(3), ..AbuseLimits::default() })).await;
    let mut gus = Session::hello(server.address, "gus").await;
    let spam = "Come to my new room now";
    for room in ["a", "b", "c", "d"] {
        gus.join(room).await;
    }
    for room in ["a", "b", "c"] {
        gus.send_message(room, spam).await;
    }
    refused(&mut gus, send("d", &spam.to_uppercase()), "rate_limited").await;
    gus.send_message("d", "something else, which is long enough").await;
    // twelve by all guests
    let mut stored = 3;
    for n in 0..12 {
        let (mut other, _) = Session::enter(server.address, "a", &format!("other{n}")).await;
        stored += usize::from(other.ask(send("a", spam)).await["type"] == "ack");
    }
    assert_eq!(stored, 12);
    server.stop().await.unwrap();
}
