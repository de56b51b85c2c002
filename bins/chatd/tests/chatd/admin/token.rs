//! Authentication by the admin token.

use chat_testkit::http::request;
use serde_json::json;

use super::{TOKEN, api, start_server};
use crate::process::{Running, chatd, refused};

#[tokio::test(flavor = "multi_thread")]
async fn requests_without_the_token_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_running, admin) = start_server(folder.path());
    for headers in [
        &[][..],
        &["Authorization: Bearer 0123456789abcdef-of-the-operatoR"],
        &["Authorization: Bearer "],
        &["Authorization: Basic 0123456789abcdef-of-the-operator"],
    ] {
        for (method, path) in
            [("GET", "/v1/rooms"), ("DELETE", "/v1/rooms/r"), ("POST", "/v1/notice"), ("GET", "/v1/nothing")]
        {
            let answer = request(admin, method, path, headers).await;
            assert_eq!(answer.status, 401, "{method} {path} {headers:?}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
    }
    assert_eq!(api(admin, "GET", "/v1/rooms").await.json(), json!({ "rooms": [] }));
    assert_eq!(api(admin, "GET", "/v1/nothing").await.status, 404);
    for wrong in [
        "/v1/usage?form=2026-11-28",
        "/v1/rooms/r/members?after=x",
        "/v1/users/ana/messages?after=x",
        "/v1/users/a.b/messages",
        "/v1/users/ana/messages?username=%20",
    ] {
        let answer = api(admin, "GET", wrong).await;
        assert!(answer.status == 400 && answer.json()["error"].is_string(), "{wrong}: {answer:?}");
    }
    // errors in the path are JSON, too
    for (method, path, status) in [
        ("PUT", "/v1/rooms", 405),
        ("GET", "/v1/rooms/%FF/members", 400),
        ("DELETE", "/v1/rooms/%FF", 400),
        ("DELETE", "/v1/rooms/r/members/%C3", 400),
        ("POST", "/v1/rooms/%FF/notice", 400),
        ("DELETE", "/v1/sessions/%FF", 400),
        ("GET", "/v1/users/%FF/messages", 400),
        ("GET", "/v1/rooms//members", 400),
    ] {
        let answer = api(admin, method, path).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        assert!(answer.json()["error"].is_string(), "{method} {path}: {answer:?}");
    }

    let other = tempfile::tempdir().unwrap();
    let without = Running::start(chatd(other.path()).args(["--admin-listen", "127.0.0.1:0"]));
    let answer = api(without.admin.unwrap(), "GET", "/v1/rooms").await;
    assert_eq!(
        (answer.status, &answer.json()["error"]),
        (403, &json!("this server has no admin token: start it with --admin-token-file"))
    );
}

#[test]
fn an_invalid_token_is_reported_and_not_quoted() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let what = "a token needs at least 16 characters, without spaces and without characters outside ASCII";
    let output = refused(chatd(folder.path()).args(arguments).env("CHATD_ADMIN_TOKEN", "hunter2"));
    assert_eq!(output, format!("chatd: the admin token can't be used: {what}\n"));
    std::fs::write(folder.path().join("token"), "two words are none\n").unwrap();
    let output = refused(chatd(folder.path()).args(arguments).args(["--admin-token-file", "token"]));
    assert_eq!(output, format!("chatd: the token file token can't be used: {what}\n"));
    let output = refused(chatd(folder.path()).args(arguments).args(["--admin-token-file", "nowhere"]));
    assert_eq!(
        output,
        "chatd: the token file nowhere can't be read: No such file or directory (os error 2)\n"
    );

    let shown =
        chatd(folder.path()).env("CHATD_ADMIN_TOKEN", TOKEN).args(["config", "show"]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("(hidden)") && !shown.contains(TOKEN), "{shown}");
}
