//! Name look-ups and health checks over plain HTTP.

use chat_server::Config;
use chat_testkit::{Client, http, until};
use serde_json::json;

use crate::support::{config, start, start_with};

const ORIGIN: &str = "Origin: http://localhost:3000";

#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_has_exactly_two_segments() {
    let server = start().await;
    let _ana = Client::enter(server.address, "r", "ana").await;
    let get = async |path: &str| http::request(server.address, "GET", path, &[]).await;
    assert_eq!(get("/chat/get_signed_user/r/ana").await.json(), json!({"user_exists": true}));
    assert_eq!(get("/chat/get_signed_user/r/%61na?x=1").await.json(), json!({"user_exists": true}));
    for absent in ["r/Ana", "s/ana", "r/a.b", "%FF/%FF", "r/%2F", "%00/x", "*/*"] {
        let answer = get(&format!("/chat/get_signed_user/{absent}")).await;
        assert_eq!((answer.status, answer.json()), (200, json!({"user_exists": false})), "{absent}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    for path in ["", "/", "/r", "/r/", "//ana", "/r/ana/", "/r/ana/x", "/r//ana"] {
        let answer =
            http::request(server.address, "GET", &format!("/chat/get_signed_user{path}"), &[ORIGIN]).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
    }
    assert_eq!(get("/chat").await.status, 404);
    assert_eq!(get("/nothing").await.status, 404);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_every_origin_may_read_look_ups() {
    let server = start().await;
    let ask = async |method, headers: &[&str]| {
        http::request(server.address, method, "/chat/get_signed_user/r/ana", headers).await
    };
    for (method, status) in [
        ("GET", 200),
        ("HEAD", 200),
        ("POST", 400),
        ("PUT", 400),
        ("PATCH", 400),
        ("DELETE", 400),
        ("TRACE", 405),
    ] {
        for origin in [Some(ORIGIN), Some("Origin: null"), None] {
            let answer = ask(method, origin.as_slice()).await;
            assert_eq!(answer.status, status, "{method}");
            assert_eq!(answer.header("vary"), Some("Origin"), "{method}");
            assert_eq!(answer.header("access-control-allow-origin"), origin.map(|_| "*"), "{method}");
            if status == 400 {
                assert_eq!(answer.json(), json!({"message": "bad request"}));
            }
        }
    }
    let asked =
        [ORIGIN, "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: x-one, x-two"];
    let preflight = ask("OPTIONS", &asked).await;
    assert_eq!(preflight.status, 200);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
    assert_eq!(preflight.header("access-control-allow-headers"), Some("x-one, x-two"));
    assert!(preflight.header("access-control-allow-methods").unwrap().contains("GET"));
    assert_eq!(ask("OPTIONS", &[]).await.header("allow"), Some("GET, HEAD, OPTIONS"));
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_closed_connection_still_receives_the_answer() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = start().await;
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /chat/get_signed_user/r/ana HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    chat_testkit::soon("an answer", stream.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.ends_with(b"{\"user_exists\":false}"), "{:?}", String::from_utf8_lossy(&answer));
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn health_checks_are_answered() {
    let server = start().await;
    for path in ["/livez", "/readyz"] {
        assert_eq!(http::request(server.address, "GET", path, &[]).await.status, 200, "{path}");
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_is_not_ready() {
    let server = start_with(Config { max_connections: 1, ..config() }).await;
    let ready = async || http::request(server.address, "GET", "/readyz", &[]).await;
    assert_eq!(ready().await.status, 200);
    let ana = Client::enter(server.address, "r", "ana").await;
    let full = ready().await;
    assert_eq!(full.status, 503);
    assert_eq!(
        String::from_utf8(full.body).unwrap(),
        "not ready: the maximum number of connections is reached\n"
    );
    let refused = Client::try_enter(server.address, "r", "bob").await.unwrap_err();
    assert_eq!(
        (refused.status, &refused.body[..]),
        (503, &b"the server is full: the maximum number of connections is reached\n"[..])
    );
    drop(ana);
    until("a connection is free", async || ready().await.status == 200).await;
    server.stop().await.unwrap();
}
