//! Kicks, closed rooms and sessions, notices.

use chat_testkit::{Client, v2};
use serde_json::{Value, json};

use super::{api, run_admin, start_server};

#[tokio::test(flavor = "multi_thread")]
async fn a_kicked_user_is_notified_and_can_rejoin() {
    let folder = tempfile::tempdir().unwrap();
    let (running, admin) = start_server(folder.path());
    let server = running.address;
    let (mut eve, _) = v2::Session::enter(server, "lobby", "eve").await;
    eve.join("tea").await;
    let mut ana = Client::enter(server, "lobby", "ana").await;
    let (mut bob, _) = v2::Session::enter(server, "lobby", "bob").await;

    let output = run_admin(folder.path(), admin, &["kick", "lobby", "bob"]).await;
    assert_eq!(output, (true, "removed \"bob\" from the room \"lobby\"".into()));
    let left = bob.next("left").await;
    assert_eq!((&left["room"], &left["reason"]), (&json!("lobby"), &json!("kicked")));
    // the session stays open: a message is refused, and it can rejoin
    bob.send(&json!({ "type": "send", "room": "lobby", "body": "hello?", "ref": "1" })).await;
    assert_eq!(bob.next_error().await["code"], "not_in_room");
    bob.join("lobby").await;
    bob.send_message("lobby", "I am back").await;

    // a classic client is in this room only, so it is disconnected
    assert!(run_admin(folder.path(), admin, &["kick", "lobby", "ana"]).await.0);
    assert_eq!(ana.closed().await, Some(4403));
    let mut ana = Client::enter(server, "lobby", "ana").await;
    ana.send_message("and me").await;
    eve.next("message").await;
    assert_eq!(eve.next("message").await["body"], "and me");

    let output = run_admin(folder.path(), admin, &["kick", "lobby", "nobody"]).await;
    assert_eq!(
        output,
        (false, format!("chatd: http://{admin}: there is no member \"nobody\" in the room \"lobby\""))
    );

    let refused = run_admin(folder.path(), admin, &["close-room", "lobby"]).await;
    let how = "add --yes to remove 3 members from the room \"lobby\", or --dry-run to see what would be done";
    assert_eq!(refused, (false, format!("chatd: nobody can be asked here: {how}")));
    let dry = run_admin(folder.path(), admin, &["close-room", "lobby", "--dry-run"]).await;
    assert_eq!(dry, (true, "would remove 3 members from the room \"lobby\"".into()));
    assert_eq!(api(admin, "GET", "/v1/rooms/lobby/members").await.json()["total"], 3);
    let output = run_admin(folder.path(), admin, &["close-room", "lobby", "--yes"]).await;
    assert_eq!(output, (true, "closed the room \"lobby\": removed 3 members".into()));
    assert_eq!(eve.next("left").await["reason"], "room_closed");
    assert_eq!(ana.closed().await, Some(4403));
    eve.send_message("tea", "still here").await;
    assert_eq!(eve.join("lobby").await["member_count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_were_acked_before_a_kick_are_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let (running, admin) = start_server(folder.path());
    let (mut bob, _) = v2::Session::enter(running.address, "lobby", "bob").await;
    let mut ana = Client::enter(running.address, "lobby", "ana").await;
    for number in 0..200 {
        bob.send(&json!({ "type": "send", "room": "lobby", "body": format!("{number}") })).await;
    }
    // by now some messages are stored, some are in flight, some are not yet read
    assert!(run_admin(folder.path(), admin, &["kick", "lobby", "bob"]).await.0);
    let mut acked = 0;
    loop {
        let frame = bob.frame().await;
        match frame["type"].as_str() {
            Some("ack") => acked += 1,
            Some("left") => break,
            _ => {}
        }
    }
    let received = ana.messages(acked).await;
    assert_eq!(received.len(), acked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_session_leaves_all_rooms_and_cannot_be_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (running, admin) = start_server(folder.path());
    let (mut bob, _) = v2::Session::enter(running.address, "lobby", "bob").await;
    let (_, sessions) = run_admin(folder.path(), admin, &["sessions", "--json"]).await;
    let sessions: Value = serde_json::from_str(&sessions).unwrap();
    let id = sessions["sessions"][0]["session"].as_str().unwrap();
    assert_eq!(
        run_admin(folder.path(), admin, &["close-session", id]).await,
        (true, format!("closed the session \"{id}\""))
    );
    let (bye, code) = bob.closed().await;
    assert_eq!((code, bye.unwrap()["reconnect"].clone()), (Some(4403), json!(false)));
    let output = run_admin(folder.path(), admin, &["close-session", id]).await;
    assert_eq!(output, (false, format!("chatd: http://{admin}: there is no session \"{id}\"")));
    // nothing is left to replace: the same guest begins a new session, which is in no room
    let mut again = v2::Session::hello_replacing(running.address, &bob).await;
    assert_eq!(again.user(), bob.user());
    assert_eq!(again.join("lobby").await["member_count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_reaches_one_room_or_all_rooms_in_both_protocols() {
    let folder = tempfile::tempdir().unwrap();
    let (running, admin) = start_server(folder.path());
    let mut ana = Client::enter(running.address, "lobby", "ana").await;
    let (mut bob, _) = v2::Session::enter(running.address, "tea", "bob").await;
    assert_eq!(
        run_admin(folder.path(), admin, &["notice", "back at ten"]).await,
        (true, "sent to 2 rooms".into())
    );
    let notice = bob.next("notice").await;
    assert_eq!((&notice["body"], &notice["level"]), (&json!("back at ten"), &json!("info")));
    let received = async |client: &mut Client| loop {
        let event = client.event().await;
        if event["type"] == "chat_notice" {
            break event["message"].clone();
        }
    };
    assert_eq!(received(&mut ana).await, "back at ten");
    let arguments = ["notice", "--room", "lobby", "--level", "warning", "only here"];
    assert_eq!(run_admin(folder.path(), admin, &arguments).await, (true, "sent to 1 room".into()));
    assert_eq!(received(&mut ana).await, "only here");
    let (ok, output) = run_admin(folder.path(), admin, &["notice", ""]).await;
    assert_eq!((ok, output), (false, format!("chatd: http://{admin}: a notice must have 1 to 4096 bytes")));
}
