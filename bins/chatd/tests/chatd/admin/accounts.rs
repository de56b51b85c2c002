//! `chatd account`: accounts, as an admin manages them.

use std::net::SocketAddr;
use std::path::Path;

use chat_testkit::http::{request, send_json};
use chat_testkit::v2::Session;
use serde_json::{Value, json};

use super::{TOKEN, api, run_admin, run_command, start_server};

const PASSWORD: &str = "correct horse";

async fn account(folder: &Path, admin: SocketAddr, arguments: &[&str]) -> (bool, String) {
    run_command(folder, admin, "account", arguments).await
}

/// Runs a command that prints JSON.
async fn json_of(folder: &Path, admin: SocketAddr, arguments: &[&str]) -> Value {
    let (success, output) = account(folder, admin, &[arguments, &["--json"]].concat()).await;
    assert!(success, "{output}");
    serde_json::from_str(&output).unwrap()
}

async fn log_in(server: SocketAddr, username: &str, password: &str) -> Result<String, u16> {
    let body = json!({"username": username, "password": password});
    let answer = send_json(server, "POST", "/api/v1/login", &[], &body).await;
    match answer.status {
        200 => Ok(answer.json()["token"].as_str().unwrap().to_owned()),
        status => Err(status),
    }
}

async fn ends_with(session: &mut Session) -> (bool, u16) {
    let (bye, code) = session.closed().await;
    (bye.unwrap()["reconnect"].as_bool().unwrap(), code.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_admin_is_added_and_accounts_are_managed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("password"), format!("{PASSWORD}\n")).unwrap();
    let (running, admin) = start_server(folder);
    let server = running.address;
    assert_eq!(account(folder, admin, &["list"]).await, (true, "no accounts".into()));
    let mut guest = Session::hello(server, "ana").await;
    let add = ["add", "ana", "--role", "admin", "--password-file", "password"];
    assert_eq!(account(folder, admin, &add).await, (true, "the account \"ana\" is created".into()));
    assert_eq!(ends_with(&mut guest).await, (true, 4401), "a guest who had the name");
    let again = account(folder, admin, &["add", "Ana", "--no-password"]).await;
    assert_eq!(again, (false, format!("chatd: http://{admin}: the name \"ana\" is taken")));
    let added = json_of(folder, admin, &["add", "bob", "--no-password"]).await;
    assert_eq!((&added["role"], &added["has_password"]), (&json!("user"), &json!(false)));

    let token = log_in(server, "ana", PASSWORD).await.unwrap();
    let mut ana = Session::hello_with(server, json!({"token": token})).await;
    assert_eq!(ana.welcome["user"]["role"], "admin");
    assert_eq!(log_in(server, "bob", "").await, Err(401), "it has no password");

    // a role is that of the next session
    let changed = account(folder, admin, &["role", "ana", "moderator"]).await;
    assert_eq!(changed, (true, "the account \"ana\" has the role moderator".into()));
    ends_with(&mut ana).await;
    let mut ana = Session::hello_with(server, json!({"token": token})).await;
    assert_eq!(ana.welcome["user"]["role"], "moderator");

    let disabled = account(folder, admin, &["disable", "ana"]).await;
    assert_eq!(disabled, (true, "the account \"ana\" is disabled".into()));
    assert_eq!(ends_with(&mut ana).await, (false, 4401));
    assert_eq!(log_in(server, "ana", PASSWORD).await, Err(403));
    assert!(account(folder, admin, &["enable", "ana"]).await.0);
    let mut ana = Session::hello_with(server, json!({"token": token})).await;

    std::fs::write(folder.join("password"), "battery staple\nand a second line").unwrap();
    let set = account(folder, admin, &["password", "ana", "--password-file", "password"]).await;
    assert_eq!(set, (true, "the account \"ana\" has a new password".into()));
    assert_eq!(ends_with(&mut ana).await, (false, 4401));
    assert_eq!(log_in(server, "ana", PASSWORD).await, Err(401));
    let token = log_in(server, "ana", "battery staple").await.unwrap();
    let mut ana = Session::hello_with(server, json!({"token": token})).await;

    let tokens = json_of(folder, admin, &["tokens", "ana"]).await;
    assert_eq!(tokens["tokens"].as_array().unwrap().len(), 1);
    assert!(!tokens.to_string().contains(&token));
    let removed = account(folder, admin, &["tokens", "ana", "--remove", "--yes"]).await;
    assert_eq!(removed, (true, "removed 1 token of \"ana\"".into()));
    assert_eq!(ends_with(&mut ana).await, (false, 4401));

    let listed = json_of(folder, admin, &["list"]).await;
    let names: Vec<_> =
        listed["accounts"].as_array().unwrap().iter().map(|one| one["username"].as_str().unwrap()).collect();
    assert_eq!(names, ["ana", "bob"]);
    let unknown = account(folder, admin, &["show", "cid"]).await;
    assert_eq!(unknown, (false, format!("chatd: http://{admin}: there is no account \"cid\"")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_account_is_erased_and_its_name_can_be_given_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("password"), PASSWORD).unwrap();
    let (running, admin) = start_server(folder);
    let server = running.address;
    let add = ["add", "ana", "--password-file", "password"];
    assert!(account(folder, admin, &add).await.0);
    let token = log_in(server, "ana", PASSWORD).await.unwrap();
    let mut ana = Session::hello_with(server, json!({"token": token})).await;
    ana.join("lobby").await;
    ana.send_message("lobby", "secret").await;
    let (mut bob, _) = Session::enter(server, "lobby", "bob").await;
    let asked = account(folder, admin, &["delete", "ana"]).await;
    assert!(!asked.0, "{asked:?}");
    let dry = account(folder, admin, &["delete", "ana", "--dry-run"]).await;
    assert_eq!(dry, (true, "would delete the account \"ana\"".into()));
    let deleted = account(folder, admin, &["delete", "ana", "--erase-messages", "--yes"]).await;
    assert_eq!(deleted, (true, "the account \"ana\" is deleted".into()));
    assert_eq!(bob.next("deleted").await["by"], "operator");
    assert_eq!(ends_with(&mut ana).await, (false, 4401));
    let body = json!({"username": "ana", "password": PASSWORD});
    let kept = send_json(server, "POST", "/api/v1/accounts", &[], &body).await;
    assert_eq!(kept.status, 409, "the name is kept");
    assert!(account(folder, admin, &add).await.0, "an admin can give it away");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invite_lets_users_register() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("chatd.toml"), "registration = \"invite\"\n").unwrap();
    let (running, admin) = start_server(folder);
    let server = running.address;
    let site = request(server, "GET", "/api/v1/site", &[]).await.json();
    assert_eq!(site["registration"], "invite");
    let created = json_of(folder, admin, &["invite", "--uses", "2", "--for", "1h"]).await;
    let code = created["code"].as_str().unwrap();
    let register = async |username: &str| {
        let body = json!({"username": username, "password": PASSWORD, "invite": code});
        send_json(server, "POST", "/api/v1/accounts", &[], &body).await.status
    };
    assert_eq!(register("ana").await, 201);
    let listed = json_of(folder, admin, &["invite", "--list"]).await;
    assert_eq!(listed["invites"][0]["uses_left"], 1);
    assert!(!listed.to_string().contains(code));
    let id = created["invite"]["id"].as_str().unwrap();
    let removed = account(folder, admin, &["invite", "--remove", id, "--yes"]).await;
    assert_eq!(removed, (true, format!("the invite {id:?} is removed")));
    assert_eq!(register("bob").await, 422);
    assert_eq!(account(folder, admin, &["invite", "--list"]).await, (true, "no invites".into()));
    let text = account(folder, admin, &["invite"]).await.1;
    assert!(text.contains("\n1 user can register with this code; its id is "), "{text}");
}

/// Neither the log nor an error has a secret.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_not_logged() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("password"), PASSWORD).unwrap();
    std::fs::write(
        folder.join("chatd.toml"),
        "log = \"info,chat_server=trace,chat_accounts=trace,chat_admin=trace\"\n",
    )
    .unwrap();
    let (mut running, admin) = start_server(folder);
    let server = running.address;
    assert!(account(folder, admin, &["add", "ana", "--password-file", "password"]).await.0);
    let token = log_in(server, "ana", PASSWORD).await.unwrap();
    assert_eq!(log_in(server, "ana", "wrong horse").await, Err(401));
    let _ana = Session::hello_with(server, json!({"token": token})).await;
    let bearer = format!("Authorization: Bearer {token}");
    assert_eq!(request(server, "GET", "/api/v1/me", &[&bearer]).await.status, 200);
    let malformed = send_json(server, "POST", "/api/v1/login", &[], &json!({"password": PASSWORD})).await;
    assert_eq!(malformed.status, 422);
    assert_eq!(api(admin, "GET", "/v1/accounts").await.status, 200);
    assert!(run_admin(folder, admin, &["rooms"]).await.0);
    let body = json!({"username": "end", "password": PASSWORD});
    assert_eq!(send_json(server, "POST", "/api/v1/accounts", &[], &body).await.status, 201);
    let log = running.log_up_to("a user has registered");
    assert!(log.contains("a user has signed in") && log.contains("could not sign in"), "{log}");
    for secret in [PASSWORD, "wrong horse", &token, TOKEN] {
        assert!(!log.contains(secret), "{log}");
    }
}
