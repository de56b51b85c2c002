//! A configuration that changes while clients are connected.

use chat_protocol::Limits;
use chat_server::Config;
use chat_testkit::Client;

use crate::support::{config, start_with};

#[tokio::test(flavor = "multi_thread")]
async fn an_open_connection_keeps_its_message_limit() {
    let server = start_with(config()).await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    assert_eq!(ana.brief().await, "+ana");
    let limits = Limits { message_bytes: 5_000, ..Limits::default() };
    server.control.reconfigure(Config { limits, ..config() });
    // the first one makes the library's buffer grow, after which it is replaced
    for letter in ["x", "y", "z"] {
        let body = letter.repeat(20_000);
        ana.send_message(&body).await;
        assert_eq!(ana.brief().await, format!("ana: {body}"));
    }
    let mut bob = Client::enter(server.address, "r", "bob").await;
    assert_eq!(bob.brief().await, "+bob");
    bob.send_message(&"x".repeat(20_000)).await;
    assert_eq!(bob.closed().await, Some(1009), "a new connection has the new limit");
    server.stop().await.unwrap();
}
