//! Messages with `html`, for sessions that asked for it.

use chat_protocol::v2::PAGE_BYTES;
use chat_testkit::v2::Session;
use serde_json::{Value, json};

use super::seqs;
use crate::support::{config, start, start_with};

async fn rendering(server: std::net::SocketAddr, username: &str) -> Session {
    Session::hello_with(server, json!({"username": username, "render": true})).await
}

fn htmls(messages: &Value) -> Vec<Option<&str>> {
    messages.as_array().unwrap().iter().map(|message| message["html"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_sessions_that_ask_for_html_receive_it() {
    let server = start().await;
    let mut ana = rendering(server.address, "ana").await;
    ana.join("r").await;
    let (mut bob, _) = Session::enter(server.address, "r", "bob").await;
    let mut cleo = rendering(server.address, "cleo").await;
    cleo.join("r").await;
    bob.send_message("r", "**hi** <b>there</b>").await;
    for session in [&mut ana, &mut cleo] {
        let message = session.next("message").await;
        assert_eq!(message["body"], "**hi** <b>there</b>");
        assert_eq!(message["html"], "<p dir=\"auto\"><strong>hi</strong> &lt;b&gt;there&lt;/b&gt;</p>\n");
    }
    assert!(bob.next("message").await.get("html").is_none(), "bob did not ask for html");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn history_and_recovered_messages_are_rendered() {
    let server = start().await;
    let (mut bob, joined) = Session::enter(server.address, "r", "bob").await;
    for body in ["*one*", "<script>alert(1)</script>", "[x](javascript:alert(1))"] {
        bob.send_message("r", body).await;
    }
    let expected = [
        Some("<p dir=\"auto\"><em>one</em></p>\n"),
        Some("<p dir=\"auto\">&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"),
        Some("<p dir=\"auto\">[x](javascript:alert(1))</p>\n"),
    ];
    let mut ana = rendering(server.address, "ana").await;
    let since = json!({"epoch": joined["epoch"], "seq": 0});
    let missed = ana.ask(json!({"type": "join", "room": "r", "since": since})).await;
    assert_eq!(missed["recovered"], true);
    assert_eq!(htmls(&missed["messages"]), expected);
    let page = ana.ask(json!({"type": "history", "room": "r", "limit": 3})).await;
    assert_eq!(htmls(&page["messages"]), expected);
    let plain = bob.ask(json!({"type": "history", "room": "r", "limit": 3})).await;
    assert_eq!(htmls(&plain["messages"]), [None, None, None]);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn html_does_not_exceed_the_size_limit_of_a_page() {
    let mut config = config();
    config.limits.message_rate = 0;
    let server = start_with(config).await;
    let mut ana = rendering(server.address, "ana").await;
    ana.join("r").await;
    // as HTML in JSON, each is more than five times as long
    let body = "&".repeat(30_000);
    for _ in 0..12 {
        ana.send_message("r", &body).await;
    }
    let page = ana.ask(json!({"type": "history", "room": "r"})).await;
    assert_eq!(seqs(&page["messages"]), (1..=12).collect::<Vec<_>>(), "every message is there");
    let rendered = htmls(&page["messages"]).iter().filter(|html| html.is_some()).count();
    assert!((1..12).contains(&rendered), "{rendered} rendered");
    let bytes = page.to_string().len();
    assert!(bytes < PAGE_BYTES + 1_000, "{bytes}");
    server.stop().await.unwrap();
}
