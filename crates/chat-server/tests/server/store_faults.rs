//! The store fails: nobody new gets in, nobody is put out, and it recovers by itself.

use chat_testkit::{Client, http, until};
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

use crate::support::start;

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_database_refuses_those_who_come_and_nobody_else_notices() {
    let server = start().await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    let mut bob = Client::enter(server.address, "r", "bob").await;
    let mut outside = SqliteConnection::establish(server.database.to_str().unwrap()).unwrap();
    outside.batch_execute("BEGIN IMMEDIATE").unwrap();

    assert_eq!(Client::knock(server.address, "r", "eve").await.unwrap_err().status, 503);
    let ready = http::request(server.address, "GET", "/readyz", &[]).await;
    assert_eq!(ready.status, 503);
    assert!(String::from_utf8(ready.body).unwrap().starts_with("not ready: "));
    assert_eq!(http::request(server.address, "GET", "/livez", &[]).await.status, 200);
    assert!(!http::look_up(server.address, "r", "eve").await, "the name is free again");
    bob.say("still here").await;
    bob.close(None).await;
    for expected in ["+ana", "+bob", "bob: still here", "-bob"] {
        assert_eq!(ana.brief().await, expected);
    }
    assert!(!http::look_up(server.address, "r", "bob").await);

    outside.batch_execute("ROLLBACK").unwrap();
    until("it is ready again", async || {
        http::request(server.address, "GET", "/readyz", &[]).await.status == 200
    })
    .await;
    let mut eve = Client::enter(server.address, "r", "eve").await;
    assert_eq!(eve.brief().await, "+eve");
    server.until_rows("r", &["ana", "eve"]).await;
    server.stop().await.unwrap();
}
