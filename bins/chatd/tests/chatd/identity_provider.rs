//! Users who sign in with the token of an identity provider.

use std::path::Path;

use chat_testkit::jwt;
use chat_testkit::v2::Session;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Running, chatd, refused};

const OLD: &[u8] = b"the first key of the identity provider";
const NEW: &[u8] = b"the second key of the identity provider";

const OPTIONS: [&str; 6] =
    ["--jwt-key-file", "key", "--jwt-issuer", "https://id.example", "--jwt-audience", "chat"];

fn folder_with_key(key: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_key(folder.path(), key);
    folder
}

fn write_key(folder: &Path, key: &[u8]) {
    std::fs::write(folder.join("key"), key).unwrap();
}

/// A token of the user "ana" that is valid for a long time.
fn ana(key: &[u8]) -> String {
    let claims = json!({
        "iss": "https://id.example", "aud": "chat", "exp": 4_102_444_800_u64,
        "sub": "1", "preferred_username": "ana",
    });
    jwt::token(key, &claims)
}

/// The user of a session with this token, or the error.
async fn hello(server: &Running, token: &str) -> Result<Value, Value> {
    let mut session = Session::without_hello(server.address).await;
    session.send(&json!({"type": "hello", "token": token})).await;
    let mut answer = session.frame().await;
    if answer["type"] == "welcome" { Ok(answer["user"].take()) } else { Err(answer["code"].take()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_of_a_token_has_an_account_and_the_keys_can_change() {
    let folder = folder_with_key(OLD);
    let mut server = Running::start(chatd(folder.path()).args(OPTIONS));
    let user = hello(&server, &ana(OLD)).await.unwrap();
    assert_eq!((&user["username"], &user["kind"]), (&json!("ana"), &json!("account")));
    assert_eq!(hello(&server, &ana(NEW)).await, Err(json!("unauthorized")));

    write_key(folder.path(), NEW);
    server.signal(Signal::HUP);
    server.log_up_to("the keys of the identity provider were read again");
    assert_eq!(hello(&server, &ana(NEW)).await.as_ref(), Ok(&user));
    assert_eq!(hello(&server, &ana(OLD)).await, Err(json!("unauthorized")));

    std::fs::remove_file(folder.path().join("key")).unwrap();
    server.signal(Signal::HUP);
    let log = server.log_up_to("the old ones stay in effect");
    assert!(!log.contains(std::str::from_utf8(NEW).unwrap()));
    assert_eq!(hello(&server, &ana(NEW)).await.as_ref(), Ok(&user));
    drop(server);
}

#[test]
fn options_that_do_not_belong_together_are_refused() {
    let folder = folder_with_key(OLD);
    let says = |arguments: &[&str], sentence: &str| {
        let output = refused(chatd(folder.path()).args(["--log", "off"]).args(arguments));
        assert_eq!(output, format!("chatd: {sentence}\n"));
    };
    says(&OPTIONS[..2], "keys of an identity provider need --jwt-issuer and --jwt-audience");
    says(
        &OPTIONS[2..],
        "--jwt-issuer and --jwt-audience need keys: set --jwt-jwks-url, --jwt-jwks-file or --jwt-key-file",
    );
    says(
        &[&OPTIONS[..], &["--jwt-jwks-file", "keys.json"]].concat(),
        "set one of --jwt-jwks-url, --jwt-jwks-file and --jwt-key-file, not several",
    );
}
