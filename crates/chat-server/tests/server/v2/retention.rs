//! Messages that retention removes disappear from memory and from the store at once.

use chat_history::Retention;
use chat_server::Config;
use chat_testkit::until;
use chat_testkit::v2::Session;
use serde_json::{Value, json};
use tokio::time::Duration;

use super::{seqs, since};
use crate::support::{Running, config, start};

fn retain(server: &Running, max_age: Option<Duration>, max_count: Option<u64>) {
    server.control.reconfigure(Config { retention: Retention::new(max_age, max_count), ..config() });
}

/// The reply to a join of a new session, with `since` if given.
async fn join_as_new_session(server: &Running, username: &str, after: Option<Value>) -> Value {
    let hello = json!({ "username": username, "render": true });
    let mut session = Session::hello_with(server.address, hello).await;
    let mut join = json!({ "type": "join", "room": "r", "history": 50 });
    if let Some(after) = after {
        join["since"] = after;
    }
    session.ask(join).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shorter_retention_applies_to_the_memory_of_a_room_at_once() {
    let server = start().await;
    let (mut ana, joined) = Session::enter(server.address, "r", "ana").await;
    for number in 1..=10 {
        ana.send_message("r", &format!("*{number}*")).await;
    }
    assert_eq!(
        seqs(&join_as_new_session(&server, "before", None).await["messages"]),
        (1..=10).collect::<Vec<_>>()
    );

    retain(&server, None, Some(3));
    assert_eq!(seqs(&join_as_new_session(&server, "newcomer", None).await["messages"]), [8, 9, 10]);
    let back = join_as_new_session(&server, "back", Some(since(&joined, 2))).await;
    assert_eq!((&back["recovered"], seqs(&back["messages"])), (&json!(false), vec![8, 9, 10]));
    let back = join_as_new_session(&server, "soon", Some(since(&joined, 8))).await;
    assert_eq!((&back["recovered"], seqs(&back["messages"])), (&json!(true), vec![9, 10]));
    for (ask, expected) in [
        (json!({}), vec![8, 9, 10]),
        (json!({ "before": 10 }), vec![8, 9]),
        (json!({ "after": 1 }), vec![8, 9, 10]),
    ] {
        let mut history = json!({ "type": "history", "room": "r" });
        history.as_object_mut().unwrap().extend(ask.as_object().unwrap().clone());
        let page = ana.ask(history).await;
        assert_eq!((seqs(&page["messages"]), &page["more"]), (expected, &json!(false)), "{ask}");
    }

    // one more message, and the oldest is removed automatically
    ana.send_message("r", "eleven").await;
    assert_eq!(seqs(&join_as_new_session(&server, "later", None).await["messages"]), [9, 10, 11]);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_become_too_old_are_removed_everywhere() {
    let server = start().await;
    let (mut ana, joined) = Session::enter(server.address, "r", "ana").await;
    ana.send_message("r", "one").await;
    ana.send_message("r", "two").await;
    retain(&server, Some(Duration::from_millis(300)), None);
    until("new sessions do not receive them", async || {
        let username = format!("u{}", next_number());
        seqs(&join_as_new_session(&server, &username, None).await["messages"]).is_empty()
    })
    .await;
    let back = join_as_new_session(&server, "back", Some(since(&joined, 1))).await;
    assert_eq!((&back["recovered"], seqs(&back["messages"])), (&json!(false), vec![]));
    let none_missed = join_as_new_session(&server, "there", Some(since(&joined, 2))).await;
    assert_eq!((&none_missed["recovered"], &none_missed["seq"]), (&json!(true), &json!(2)));
    let page = ana.ask(json!({ "type": "history", "room": "r" })).await;
    assert_eq!((seqs(&page["messages"]), &page["more"]), (vec![], &json!(false)));
    // numbering continues
    assert_eq!(ana.send_message("r", "three").await, 3);
    server.stop().await.unwrap();
}

/// A number for a name that was not used before.
fn next_number() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
