//! Searches.

use std::time::Duration;

use chat_protocol::Timestamp;
use chat_testkit::v2::Session;
use chat_testkit::{soon, until};
use serde_json::{Value, json};

use crate::accounts::User;
use crate::support::{start, start_searching};

fn search(query: &str) -> Value {
    json!({"type": "search", "query": query})
}

fn search_in(room: &str, query: &str) -> Value {
    json!({"type": "search", "query": query, "room": room})
}

/// The results as `room:seq`, once the index has them.
async fn found(session: &mut Session, frame: &Value, expected: &[&str]) -> Value {
    let looking = async {
        loop {
            let answer = session.ask(frame.clone()).await;
            assert_eq!(answer["type"], "found", "{answer}");
            let messages = answer["messages"].as_array().unwrap();
            let place = |message: &Value| format!("{}:{}", message["room"].as_str().unwrap(), message["seq"]);
            if messages.iter().map(place).eq(expected.iter().map(|place| (*place).to_owned())) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    soon(&format!("{frame} finds {expected:?}"), looking).await
}

/// Messages that are sent before and after this have different times.
async fn until_the_next_millisecond() {
    let begun = Timestamp::now();
    until("the clock advances", async || Timestamp::now() > begun).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_found_in_the_rooms_that_the_session_has_joined() {
    let server = start_searching().await;
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    let (mut bob, _) = Session::enter(server.address, "r", "bob").await;
    bob.join("s").await;
    ana.send_message("r", "The *Café* opens").await;
    // what is found is ordered by these times
    until_the_next_millisecond().await;
    bob.send_message("s", "a secret cafe").await;
    until_the_next_millisecond().await;
    bob.send_message("r", "日本語の喫茶店").await;
    ana.send_message("r", "no cafe today").await;
    found(&mut ana, &search("cafe"), &["r:3", "r:1"]).await;
    found(&mut bob, &search("CAFE"), &["r:3", "s:1", "r:1"]).await;
    found(&mut bob, &search_in("s", "cafe"), &["s:1"]).await;
    found(&mut ana, &search("喫茶"), &["r:2"]).await;
    found(&mut ana, &search("cafe opens"), &["r:1"]).await;
    found(&mut bob, &json!({"type": "search", "query": "cafe", "from": "ana"}), &["r:3", "r:1"]).await;
    found(&mut ana, &search("secret"), &[]).await;
    // in pages
    let mut page = json!({"type": "search", "query": "cafe", "limit": 1});
    let first = found(&mut ana, &page, &["r:3"]).await;
    assert_eq!(first["more"], true);
    page["before"] = first["before"].clone();
    let second = found(&mut ana, &page, &["r:1"]).await;
    if second["more"] == true {
        page["before"] = second["before"].clone();
        assert_eq!(found(&mut ana, &page, &[]).await["more"], false);
    }
    // in the current state, with its own reactions and html
    bob.ask(json!({"type": "react", "room": "r", "target": 1, "emoji": "👍", "on": true})).await;
    let mut cid = Session::hello_with(server.address, json!({"username": "cid", "render": true})).await;
    cid.join("r").await;
    cid.ask(json!({"type": "react", "room": "r", "target": 1, "emoji": "🎉", "on": true})).await;
    let answer = found(&mut cid, &search("opens"), &["r:1"]).await;
    let message = &answer["messages"][0];
    assert_eq!(message["html"], "<p dir=\"auto\">The <em>Café</em> opens</p>\n");
    let mine = |index: usize| message["reactions"][index]["mine"].as_bool();
    assert_eq!((mine(0), mine(1)), (None, Some(true)));
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_are_gone_are_not_found() {
    let server = start_searching().await;
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    for body in ["alpha one", "alpha two", "alpha three"] {
        ana.send_message("r", body).await;
    }
    found(&mut ana, &search("alpha"), &["r:3", "r:2", "r:1"]).await;
    ana.ask(json!({"type": "delete", "room": "r", "target": 2})).await;
    // at once, whatever the index has
    let places = ["r:3", "r:1"];
    let answer = ana.ask(search("alpha")).await;
    assert_eq!(answer["messages"].as_array().unwrap().len(), 2, "{answer}");
    ana.ask(json!({"type": "edit", "room": "r", "target": 1, "body": "beta one"})).await;
    let answer = ana.ask(search("alpha")).await;
    assert_eq!(answer["messages"].as_array().unwrap().len(), 1, "{answer}");
    found(&mut ana, &search("beta"), &["r:1"]).await;
    found(&mut ana, &search("alpha"), &places[..1]).await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_is_not_possible_is_refused() {
    let server = start_searching().await;
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    for (frame, code) in [
        (search(""), "missing_field"),
        (search("\"* -"), "missing_field"),
        (search(&"x".repeat(1_000)), "missing_field"),
        (search("a b c d e f g h i j k l m n o p q r s t"), "missing_field"),
        (search_in("s", "tea"), "not_in_room"),
        (json!({"type": "search"}), "missing_field"),
        (json!({"type": "search", "query": 7}), "missing_field"),
        (json!({"type": "search", "query": "tea", "before": "nonsense!"}), "missing_field"),
    ] {
        let answer = ana.ask(frame.clone()).await;
        assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!(code)), "{frame}");
    }
    // what looks like an operator is text
    for query in ["tea OR coffee", "NEAR(tea)", "body:tea", "tea*", "^tea", "a\" OR b", "(", "te'a;--"] {
        let answer = ana.ask(search(query)).await;
        assert!(answer["type"] == "found" || answer["code"] == "missing_field", "{query}: {answer}");
    }
    let without = start().await;
    let (mut bob, _) = Session::enter(without.address, "r", "bob").await;
    assert_eq!(bob.ask(search("tea")).await["code"], "forbidden");
}

/// The list of a user is searched, too, but only rooms that the user may read now.
#[tokio::test(flavor = "multi_thread")]
async fn the_rooms_of_the_list_are_searched() {
    let server = start_searching().await;
    let ana = User::register(server.address, "ana").await;
    let (mut bob, _) = Session::enter(server.address, "r", "bob").await;
    bob.join("s").await;
    bob.send_message("r", "tea in r").await;
    bob.send_message("s", "tea in s").await;
    let mut session = ana.hello(server.address).await;
    found(&mut session, &search("tea"), &[]).await;
    session.ask(json!({"type": "keep", "room": "s"})).await;
    found(&mut session, &search("tea"), &["s:1"]).await;
    assert_eq!(session.ask(search_in("s", "tea")).await["code"], "not_in_room");
    let moderators = serde_json::from_value(json!({"join": "members"})).unwrap();
    server.engine.configure(&"s".parse().unwrap(), moderators).await.unwrap();
    found(&mut session, &search("tea"), &[]).await;
    server.stop().await.unwrap();
}
