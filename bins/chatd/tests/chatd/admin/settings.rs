//! The settings of rooms.

use chat_testkit::http::send_json;
use chat_testkit::{Client, v2};
use serde_json::{Value, json};

use super::{TOKEN, api, run_admin, run_command, start_server};

#[tokio::test(flavor = "multi_thread")]
async fn a_room_for_accounts_removes_guests_and_refuses_them() {
    let folder = tempfile::tempdir().unwrap();
    let (running, admin) = start_server(folder.path());
    let server = running.address;
    let (mut gus, joined) = v2::Session::enter(server, "lobby", "gus").await;
    assert_eq!(
        joined["info"],
        json!({ "visibility": "unlisted", "join": "everyone", "post": "everyone", "slow_mode_s": 0, "mention_room": "moderators" })
    );
    let mut old = Client::enter(server, "lobby", "old").await;

    let (succeeded, output) = run_admin(folder.path(), admin, &["settings", "lobby"]).await;
    assert!(succeeded && output.contains("everyone"), "{output}");
    let (succeeded, output) =
        run_admin(folder.path(), admin, &["settings", "lobby", "--join", "accounts", "--yes"]).await;
    assert!(succeeded && output.contains("accounts"), "{output}");

    let changed = gus.next("room_changed").await;
    assert_eq!(
        changed["info"],
        json!({ "visibility": "unlisted", "join": "accounts", "post": "everyone", "slow_mode_s": 0, "mention_room": "moderators" })
    );
    assert_eq!(gus.next("left").await["reason"], "not_allowed");
    assert_eq!(old.closed().await, Some(4403));

    gus.send(&json!({ "type": "join", "room": "lobby", "ref": "1" })).await;
    let error = gus.next_error().await;
    assert_eq!((&error["code"], &error["ref"]), (&json!("forbidden"), &json!("1")));
    assert_eq!(gus.join("tea").await["member_count"], 1, "other rooms are open");
    let refused = Client::try_enter(server, "lobby", "old").await;
    assert_eq!(refused.unwrap_err().status, 403);

    let output = run_admin(folder.path(), admin, &["settings", "lobby", "--join", "friends"]).await;
    assert!(!output.0 && output.1.contains("expected everyone, accounts or members"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_room_for_announcements_moderators_post_and_everyone_reads() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("password"), "correct horse battery").unwrap();
    let (running, admin) = start_server(folder);
    let server = running.address;
    for (name, role) in [("ana", "moderator"), ("bob", "user")] {
        let add = ["add", name, "--role", role, "--password-file", "password"];
        assert!(run_command(folder, admin, "account", &add).await.0);
    }
    assert!(run_admin(folder, admin, &["settings", "news", "--post", "moderators"]).await.0);
    let shown = api(admin, "GET", "/v1/rooms/news/settings").await.json();
    assert_eq!(
        shown,
        json!({ "visibility": "unlisted", "join": "everyone", "post": "moderators", "slow_mode_s": 0, "mention_room": "moderators" })
    );

    let (mut gus, joined) = v2::Session::enter(server, "news", "gus").await;
    assert_eq!(joined["info"], shown);
    let mut old = Client::enter(server, "news", "old").await;
    let mut sessions = Vec::new();
    for name in ["ana", "bob"] {
        let body = json!({ "username": name, "password": "correct horse battery" });
        let token = send_json(server, "POST", "/api/v1/login", &[], &body).await.json()["token"].take();
        let mut session = v2::Session::hello_with(server, json!({ "token": token })).await;
        session.join("news").await;
        sessions.push(session);
    }
    let [mut ana, mut bob] = <[_; 2]>::try_from(sessions).ok().unwrap();
    for session in [&mut gus, &mut bob] {
        session.send(&json!({ "type": "send", "room": "news", "body": "me too", "ref": "1" })).await;
        let error = session.next_error().await;
        let message = "only moderators may do this in this room";
        assert_eq!((&error["code"], &error["message"]), (&json!("forbidden"), &json!(message)));
    }
    // a classic client is told in an event from the server
    old.send_message("me too").await;
    let error = loop {
        let event = old.event().await;
        if event["type"] == "chat_error" {
            break event;
        }
    };
    assert_eq!(error["message"], "only moderators may do this in this room");
    ana.send_message("news", "version 2 is out").await;
    assert_eq!(gus.next("message").await["body"], "version 2 is out");
    assert_eq!(old.messages(1).await, ["version 2 is out"], "nothing else was posted");

    // a change of one setting leaves the others
    let change = json!({ "join": "accounts" });
    let token = format!("Authorization: Bearer {TOKEN}");
    let answer = send_json(admin, "PATCH", "/v1/rooms/news/settings", &[&token], &change).await;
    assert_eq!(
        answer.json(),
        json!({ "visibility": "unlisted", "join": "accounts", "post": "moderators", "slow_mode_s": 0, "mention_room": "moderators" })
    );
    let wrong = json!({ "post": "nobody" });
    let answer = send_json(admin, "PATCH", "/v1/rooms/news/settings", &[&token], &wrong).await;
    assert_eq!(answer.status, 400);
    let unauthorized = send_json(admin, "PATCH", "/v1/rooms/news/settings", &[], &change).await;
    assert_eq!(unauthorized.status, 401);
    assert_ne!(unauthorized.json(), Value::Null);
}
