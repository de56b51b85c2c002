//! The web page.

use chat_server::{Config, Page};
use chat_testkit::http;

use crate::support::{config, start, start_with};

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_served_at_the_root_and_for_every_room() {
    let server = start().await;
    for path in ["/", "/r/lobby", "/client.js", "/page/style.css"] {
        let answer = http::request(server.address, "GET", path, &[]).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.header("content-security-policy").is_some_and(|policy| !policy.contains("unsafe")));
        assert!(answer.header("etag").is_some());
        assert!(answer.body.len() > 500);
    }
    assert_eq!(http::request(server.address, "GET", "/page/none.js", &[]).await.status, 404);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_can_be_disabled() {
    let server = start_with(Config { page: Page::None, ..config() }).await;
    for path in ["/", "/r/lobby", "/client.js"] {
        assert_eq!(http::request(server.address, "GET", path, &[]).await.status, 404, "{path}");
    }
    assert_eq!(http::request(server.address, "GET", "/livez", &[]).await.status, 200);
    server.stop().await.unwrap();
}
