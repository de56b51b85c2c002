//! Rooms with owners and moderators: who may do what, over sockets.

use std::net::SocketAddr;

use chat_testkit::v2::Session;
use serde_json::{Value, json};

use super::User;
use crate::support::{answered, config, refused, start_searching, start_with_accounts};

/// A user who is in the room.
async fn enter(server: SocketAddr, username: &str, room: &str) -> (User, Session) {
    let user = User::register(server, username).await;
    let mut session = user.hello(server).await;
    session.join(room).await;
    (user, session)
}

fn moderate(action: &str, user: &str) -> Value {
    json!({"type": "moderate", "room": "lobby", "action": action, "user": user})
}

async fn done(session: &mut Session, command: Value) {
    answered(session, command, "done").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registered_room_is_ruled_by_its_owner_and_moderators() {
    let server = start_with_accounts(config()).await;
    let (ana, mut owner) = enter(server.address, "ana", "lobby").await;
    owner.send(&json!({"type": "create_room", "ref": "1", "room": "lobby", "post": "members"})).await;
    assert_eq!(owner.next("you").await, json!({"type": "you", "room": "lobby", "role": "owner"}));
    assert_eq!(owner.next("room_changed").await["by"], "ana");
    let created = owner.next("ack").await;
    assert_eq!((&created["room"], &created["seq"]), (&json!("lobby"), &json!(1)));
    let (bob, mut bob_session) = enter(server.address, "bob", "lobby").await;
    let (mut gus, _) = Session::enter(server.address, "lobby", "gus").await;

    // nobody but members posts
    let send = json!({"type": "send", "room": "lobby", "body": "hello"});
    for session in [&mut bob_session, &mut gus] {
        refused(session, send.clone(), "forbidden").await;
    }
    done(&mut owner, json!({"type": "set_role", "room": "lobby", "user": bob.id, "role": "moderator"})).await;
    assert_eq!(bob_session.next("you").await["role"], "moderator");
    bob_session.send_message("lobby", "hello").await;

    // who may not gives no role, and learns nothing about who is known
    for user in [ana.id.as_str(), "u_nobody"] {
        refused(
            &mut gus,
            json!({"type": "set_role", "room": "lobby", "user": user, "role": "member"}),
            "forbidden",
        )
        .await;
        for action in ["kick", "ban", "unban", "mute", "unmute", "warn"] {
            refused(&mut gus, moderate(action, user), "forbidden").await;
        }
    }
    let configure = json!({"type": "configure_room", "room": "lobby", "post": "everyone"});
    for session in [&mut bob_session, &mut gus] {
        refused(session, configure.clone(), "forbidden").await;
    }
    refused(&mut bob_session, moderate("ban", &ana.id), "forbidden").await;
    refused(&mut bob_session, moderate("ban", &bob.id), "forbidden").await;
    refused(&mut owner, moderate("ban", "u_nobody"), "not_found").await;
    refused(&mut owner, json!({"type": "create_room", "room": "lobby"}), "forbidden").await;

    let roles = gus.ask(json!({"type": "roles", "room": "lobby"})).await;
    let names: Vec<_> = roles["roles"].as_array().unwrap().iter().map(|entry| &entry["role"]).collect();
    assert_eq!((names.len(), roles["more"].as_bool()), (2, Some(false)));
    let page = gus.ask(json!({"type": "roles", "room": "lobby", "limit": 1})).await;
    assert_eq!((page["roles"].as_array().unwrap().len(), page["more"].as_bool()), (1, Some(true)));
    let rest = gus.ask(json!({"type": "roles", "room": "lobby", "after": page["roles"][0]["user"]})).await;
    assert_eq!(rest["roles"].as_array().unwrap().len(), 1);
    assert_ne!(rest["roles"][0]["user"], page["roles"][0]["user"]);
    refused(&mut gus, json!({"type": "roles", "room": "elsewhere"}), "not_in_room").await;

    // a newcomer is told its role
    let mut again = bob.hello(server.address).await;
    let joined = again.join("lobby").await;
    let expected = json!({"visibility": "unlisted", "join": "everyone", "post": "members", "slow_mode_s": 0, "mention_room": "moderators", "role": "moderator"});
    assert_eq!(joined["info"], expected);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mute_holds_on_all_devices_of_a_user() {
    let server = start_with_accounts(config()).await;
    let (_, mut owner) = enter(server.address, "ana", "lobby").await;
    owner.ask(json!({"type": "create_room", "room": "lobby"})).await;
    let (bob, mut desktop) = enter(server.address, "bob", "lobby").await;
    let mut phone = bob.hello(server.address).await;
    phone.join("lobby").await;
    let seq = desktop.send_message("lobby", "spam").await;
    done(
        &mut owner,
        json!({"type": "moderate", "room": "lobby", "action": "mute", "target": seq, "for_s": 600}),
    )
    .await;
    for session in [&mut desktop, &mut phone] {
        let you = session.next("you").await;
        assert_eq!(you["muted"], true);
        for command in [
            json!({"type": "send", "room": "lobby", "body": "more"}),
            json!({"type": "edit", "room": "lobby", "target": seq, "body": "more"}),
            json!({"type": "react", "room": "lobby", "target": seq, "emoji": ":+1:", "on": true}),
        ] {
            let answer = session.ask(command.clone()).await;
            assert_eq!(
                (&answer["code"], &answer["until"]),
                (&json!("muted"), &you["muted_until"]),
                "{command}"
            );
        }
    }
    done(&mut owner, moderate("unmute", &bob.id)).await;
    phone.send_message("lobby", "thanks").await;
    server.stop().await.unwrap();
}

/// A banned user learns nothing more about the room: not by its list, by news, by a search, and not
/// by a read mark.
#[tokio::test(flavor = "multi_thread")]
async fn a_banned_user_learns_nothing_more() {
    let server = start_searching().await;
    let (_, mut owner) = enter(server.address, "ana", "lobby").await;
    owner.ask(json!({"type": "create_room", "room": "lobby"})).await;
    let (bob, mut session) = enter(server.address, "bob", "lobby").await;
    let kept = session.ask(json!({"type": "keep", "room": "lobby"})).await;
    let epoch = kept["entry"]["epoch"].clone();
    session.ask(json!({"type": "keep", "room": "elsewhere"})).await;
    owner.send_message("lobby", "a secret").await;
    let search = json!({"type": "search", "query": "secret"});
    // the index follows the messages
    while session.ask(search.clone()).await["messages"] == json!([]) {}
    done(&mut owner, moderate("ban", &bob.id)).await;
    assert_eq!(session.next("left").await["reason"], "banned");
    owner.send_message("lobby", "another secret").await;

    refused(&mut session, json!({"type": "join", "room": "lobby"}), "forbidden").await;
    refused(&mut session, json!({"type": "keep", "room": "lobby"}), "forbidden").await;
    let mark = json!({"type": "mark_read", "room": "lobby", "epoch": epoch, "up_to": 1});
    refused(&mut session, mark, "forbidden").await;
    assert_eq!(session.ask(search.clone()).await["messages"], json!([]));
    let mut again = bob.hello(server.address).await;
    let list = again.next("rooms").await;
    let rooms: Vec<_> = list["entries"].as_array().unwrap().iter().map(|entry| &entry["room"]).collect();
    assert_eq!(rooms, ["elsewhere"]);
    // news of another room comes, and none of this one
    let (_, mut other) = enter(server.address, "cid", "elsewhere").await;
    owner.send_message("lobby", "one more secret").await;
    other.send_message("elsewhere", "hello").await;
    for session in [&mut session, &mut again] {
        assert_eq!(session.next("inbox").await["room"], "elsewhere");
    }
    done(&mut owner, moderate("unban", &bob.id)).await;
    again.join("lobby").await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn server_moderators_moderate_every_room() {
    let server = start_with_accounts(config()).await;
    let (ana, mut owner) = enter(server.address, "ana", "lobby").await;
    owner.ask(json!({"type": "create_room", "room": "lobby"})).await;
    let sam = User::register(server.address, "sam").await;
    server.make_moderator(&sam.id).await;
    let mut moderator = sam.hello(server.address).await;
    moderator.join("lobby").await;
    refused(&mut owner, moderate("ban", &sam.id), "forbidden").await;
    done(&mut moderator, moderate("ban", &ana.id)).await;
    assert_eq!(owner.next("left").await["reason"], "banned");
    // a room that others use gets an owner by them alone
    moderator.join("used").await;
    moderator.send_message("used", "hello").await;
    let created = moderator.ask(json!({"type": "create_room", "room": "used"})).await;
    assert_eq!(created["type"], "ack");
    server.stop().await.unwrap();
}

/// A program need not read the sentence to know why it is refused, and until when.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_has_its_reason_for_programs() {
    let server = start_with_accounts(config()).await;
    let (_, mut owner) = enter(server.address, "ana", "lobby").await;
    owner.ask(json!({"type": "create_room", "room": "lobby"})).await;
    let (bob, mut member) = enter(server.address, "bob", "lobby").await;
    let (mut gus, _) = Session::enter(server.address, "lobby", "gus").await;
    let why = async |session: &mut Session, command: Value| {
        refused(session, command, "forbidden").await["denied"].clone()
    };
    let join = json!({"type": "join", "room": "lobby"});
    let send = json!({"type": "send", "room": "lobby", "id": "m", "body": "hello"});
    assert_eq!(why(&mut gus, json!({"type": "keep", "room": "lobby"})).await, "needs_account");
    let kick = moderate("kick", &bob.id);
    assert_eq!(why(&mut member, kick).await, "moderators_only");
    let configure =
        |field: &str, value: &str| json!({"type": "configure_room", "room": "lobby", field: value});
    assert_eq!(why(&mut member, configure("join", "members")).await, "owners_only");
    for (post, user, expected) in
        [("accounts", &mut gus, "needs_account"), ("members", &mut member, "needs_role")]
    {
        owner.ask(configure("post", post)).await;
        user.next("room_changed").await;
        assert_eq!(why(user, send.clone()).await, expected);
    }
    for (admitted, user, expected) in
        [("accounts", &mut gus, "needs_account"), ("members", &mut member, "needs_role")]
    {
        owner.ask(configure("join", admitted)).await;
        assert_eq!(user.next("left").await["reason"], "not_allowed");
        assert_eq!(why(user, join.clone()).await, expected);
    }
    owner.ask(configure("join", "everyone")).await;
    member.join("lobby").await;
    let ban = json!({"type": "moderate", "room": "lobby", "action": "ban", "user": bob.id, "for_s": 600});
    done(&mut owner, ban).await;
    let left = member.next("left").await;
    let refusal = refused(&mut member, join, "forbidden").await;
    assert_eq!((&left["reason"], &refusal["denied"]), (&json!("banned"), &json!("banned")));
    assert!(left["until"].is_string() && left["until"] == refusal["until"], "{left} {refusal}");
    let opened = member.ask(json!({"type": "direct", "username": "ana"})).await;
    let direct = opened["room"].as_str().unwrap();
    member.join(direct).await;
    let change = json!({"type": "configure_room", "room": direct, "title": "x"});
    assert_eq!(why(&mut member, change).await, "direct_room");
    server.stop().await.unwrap();
}
