//! The commands of owners and moderators, and what those concerned are told.

use std::time::Duration;

use chat_client::{
    Act, CommandError, ErrorCode, Event, MayJoin, MayPost, MentionRoom, Moderation, RoomRole, SettingsChange,
    Standing,
};
use serde_json::json;

use crate::server::{Server, lobby};

#[tokio::test]
async fn commands_of_owners_and_moderators_are_answered() {
    let server = Server::start().await;
    let (client, _received, mut peer) = server.client_in_lobby(server.options()).await;
    let answering = async {
        let create = peer.receive("create_room").await;
        let fields = ["join", "post", "slow_mode_s", "mention_room"].map(|name| create.get(name));
        assert_eq!(fields, [Some(&json!("members")), None, Some(&json!(10)), None]);
        peer.send(json!({"type": "ack", "ref": create["ref"], "room": "lobby", "seq": 6})).await;
        let configure = peer.receive("configure_room").await;
        let fields = ["join", "post", "slow_mode_s", "mention_room"].map(|name| configure.get(name));
        assert_eq!(fields, [None, Some(&json!("moderators")), None, Some(&json!("everyone"))]);
        peer.send(json!({"type": "ack", "ref": configure["ref"], "room": "lobby"})).await;
        for role in [Some(json!("moderator")), None] {
            let set = peer.receive("set_role").await;
            assert_eq!((&set["user"], set.get("role")), (&json!("u_bob"), role.as_ref()));
            peer.send(json!({"type": "done", "ref": set["ref"]})).await;
        }
        let roles = peer.receive("roles").await;
        assert_eq!(roles["after"], "u_ana");
        let entry = json!({"username": "bob", "user": "u_bob", "role": "owner"});
        peer.send(
            json!({"type": "roles", "ref": roles["ref"], "room": "lobby", "roles": [entry], "more": false}),
        )
        .await;
        let ban = peer.receive("moderate").await;
        assert_eq!(
            (&ban["action"], &ban["user"], &ban["for_s"]),
            (&json!("ban"), &json!("u_bob"), &json!(60))
        );
        assert_eq!((&ban["reason"], ban.get("target")), (&json!("spam"), None));
        peer.refuse(&ban, "forbidden").await;
        let warn = peer.receive("moderate").await;
        assert_eq!((&warn["target"], warn.get("user"), warn.get("for_s")), (&json!(41), None, None));
        peer.send(json!({"type": "done", "ref": warn["ref"]})).await;
    };
    let asking = async {
        let room = lobby();
        let settings = SettingsChange::default().join(MayJoin::Members).slow_mode_s(10);
        assert_eq!(client.create_room(&room, settings).await, Ok(Some(6)));
        let settings =
            SettingsChange::default().post(MayPost::Moderators).mention_room(MentionRoom::Everyone);
        assert_eq!(client.configure_room(&room, settings).await, Ok(None));
        let bob = "u_bob".parse().unwrap();
        for role in [Some(RoomRole::Moderator), None] {
            client.set_role(&room, &bob, role).await.unwrap();
        }
        let page = client.roles(&room, Some("u_ana".parse().unwrap())).await.unwrap();
        assert_eq!((page.roles[0].role, page.more), (RoomRole::Owner, false));
        let ban =
            Act::on(bob, Moderation::Ban).lasting(Duration::from_secs(60)).reason("spam".parse().unwrap());
        let refused = client.moderate(&room, ban).await.unwrap_err();
        assert_eq!(refused.code(), Some(ErrorCode::Forbidden));
        client.moderate(&room, Act::on_author(41, Moderation::Warn)).await.unwrap();
    };
    tokio::join!(asking, answering);
    assert_eq!(client.counters().unexpected_frames, 0);
}

#[tokio::test]
async fn a_user_is_told_its_role_its_mute_and_warnings() {
    let server = Server::start().await;
    let (client, mut received, mut peer) = server.client_in_lobby(server.options()).await;
    let until = "2026-11-24T09:00:00.000Z";
    peer.send(json!({"type": "you", "room": "lobby", "role": "member", "muted": true, "muted_until": until}))
        .await;
    let Event::StandingChanged { room, standing } = received.event().await else { panic!("no standing") };
    assert_eq!((room, standing.role, standing.muted), (lobby(), Some(RoomRole::Member), true));
    assert_eq!(standing.muted_until.unwrap().to_string(), until);
    let sending = client.send(&lobby(), "hello");
    let send = peer.receive("send").await;
    peer.send(json!({"type": "error", "ref": send["ref"], "code": "muted", "message": "you are muted", "until": until}))
        .await;
    let refused = sending.await.unwrap_err();
    assert!(
        matches!(&refused, CommandError::Refused { code: ErrorCode::Muted, until: Some(end), .. } if end.to_string() == until),
        "{refused:?}"
    );
    peer.send(json!({"type": "you", "room": "lobby"})).await;
    let Event::StandingChanged { standing, .. } = received.event().await else { panic!("no standing") };
    assert_eq!(standing, Standing::default());
    // also of a room that the client is not in
    peer.send(json!({"type": "warned", "room": "tea", "by": "bob", "reason": "be nice", "at": until})).await;
    let Event::Warned(warned) = received.event().await else { panic!("no warning") };
    assert_eq!(warned.reason.unwrap().as_str(), "be nice");
    assert_eq!(client.counters().unexpected_frames, 0);
}
