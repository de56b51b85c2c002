//! The store fails: no client can join, no message is acked or delivered, no member is removed, and
//! the server recovers by itself.

use chat_testkit::v2::Session;
use chat_testkit::{Client, http, until};
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use serde_json::json;

use crate::support::{Running, start};

/// Locks the database until the connection is dropped or rolls back.
fn lock(server: &Running) -> SqliteConnection {
    let mut outside = SqliteConnection::establish(server.database.to_str().unwrap()).unwrap();
    outside.batch_execute("BEGIN IMMEDIATE").unwrap();
    outside
}

async fn until_ready(server: &Running) {
    until("the server is ready again", async || {
        http::request(server.address, "GET", "/readyz", &[]).await.status == 200
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_database_rejects_joins_and_does_not_affect_members() {
    let server = start().await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    let mut bob = Client::enter(server.address, "r", "bob").await;
    let mut outside = lock(&server);

    assert_eq!(Client::try_enter(server.address, "r", "eve").await.unwrap_err().status, 503);
    let ready = http::request(server.address, "GET", "/readyz", &[]).await;
    assert_eq!(ready.status, 503);
    assert!(String::from_utf8(ready.body).unwrap().starts_with("not ready: "));
    assert_eq!(http::request(server.address, "GET", "/livez", &[]).await.status, 200);
    assert!(!http::look_up(server.address, "r", "eve").await, "the name is free again");
    bob.send_message("not stored").await;
    for expected in ["+bob", "*chatd*: storage is unavailable; send the message again with the same id"] {
        assert_eq!(bob.brief().await, expected);
    }
    bob.close(None).await;
    for expected in ["+ana", "+bob", "-bob"] {
        assert_eq!(ana.brief().await, expected, "a message that is not stored is not delivered");
    }
    assert!(!http::look_up(server.address, "r", "bob").await);

    outside.batch_execute("ROLLBACK").unwrap();
    until_ready(&server).await;
    let mut eve = Client::enter(server.address, "r", "eve").await;
    assert_eq!(eve.brief().await, "+eve");
    ana.send_message("stored").await;
    for expected in ["+eve", "ana: stored"] {
        assert_eq!(ana.brief().await, expected);
    }
    server.until_rows("r", &["ana", "eve"]).await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_not_stored_is_neither_acked_nor_delivered_and_can_be_sent_again() {
    let server = start().await;
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    let (mut bob, _) = Session::enter(server.address, "r", "bob").await;
    assert_eq!(ana.send_message("r", "before").await, 1);
    let mut outside = lock(&server);
    let send = |n: u32| json!({"type": "send", "room": "r", "body": n.to_string(), "id": format!("id{n}")});
    let refused = ana.ask(send(2)).await;
    assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("store_unavailable")));
    assert_eq!(bob.ask(json!({"type": "join", "room": "elsewhere"})).await["code"], "store_unavailable");
    // messages in memory can be read
    let page = bob.ask(json!({"type": "history", "room": "r", "after": 0})).await;
    assert_eq!(page["messages"].as_array().unwrap().len(), 1);

    outside.batch_execute("ROLLBACK").unwrap();
    drop(outside);
    until_ready(&server).await;
    let ack = ana.ask(send(2)).await;
    assert_eq!((&ack["type"], &ack["seq"]), (&json!("ack"), &json!(2)), "no gap in the numbers");
    assert_eq!(ana.ask(send(2)).await["seq"], 2);
    assert_eq!(bob.next("message").await["body"], "2");
    assert_eq!(bob.join("elsewhere").await["seq"], 0);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_statement_stores_nothing_and_leaves_no_gap() {
    let server = start().await;
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    assert_eq!(ana.send_message("r", "before").await, 1);
    // an error that SQLite reports for the statement, not at the beginning of the transaction
    let mut outside = SqliteConnection::establish(server.database.to_str().unwrap()).unwrap();
    outside.batch_execute("PRAGMA busy_timeout = 5000; CREATE TRIGGER full BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'disk full, on purpose'); END").unwrap();
    for _ in 0..3 {
        let refused = ana.ask(json!({"type": "send", "room": "r", "body": "lost"})).await;
        assert_eq!(refused["code"], "store_unavailable", "{refused}");
    }
    outside.batch_execute("DROP TRIGGER full").unwrap();
    assert_eq!(ana.send_message("r", "after").await, 2);
    let page = ana.ask(json!({"type": "history", "room": "r", "after": 0})).await;
    assert_eq!(page["messages"].as_array().unwrap().len(), 2);
    server.stop().await.unwrap();
}
