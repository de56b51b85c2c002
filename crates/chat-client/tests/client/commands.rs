//! Commands and their answers, on one connection.

use chat_client::{
    CommandError, DeletedBy, Epoch, ErrorCode, Event, JoinOptions, KeepRoom, MembersQuery, NoticeLevel,
    Notify, Page, RoomKind, Since, StoredMessage, UserId,
};
use futures::FutureExt;
use futures::future::join_all;
use serde_json::json;

use crate::server::{SENT_AT, Server, deleted_message, lobby, within_timeout};

#[tokio::test]
async fn join_send_and_receive() {
    let server = Server::start().await;
    let (client, mut received, mut peer) = server.client(server.options()).await;
    let answering = async {
        let join = peer.receive("join").await;
        assert_eq!((&join["room"], &join["history"]), (&json!("lobby"), &json!(2)));
        peer.joined(&join, "e", 5, &[4, 5], false).await;
        let send = peer.receive("send").await;
        assert_eq!((&send["room"], &send["body"]), (&json!("lobby"), &json!("hello")));
        assert_eq!(send["id"].as_str().unwrap().len(), 32);
        peer.store(&send, 6).await;
    };
    let asking = async {
        let joined = client.join(&lobby(), JoinOptions::default().history(2)).await.unwrap();
        assert_eq!((joined.seq, joined.oldest, joined.first), (5, 1, 4));
        assert_eq!((joined.member_count, joined.recovered, &joined.since), (1, false, &None));
        assert_eq!(joined.messages.iter().map(StoredMessage::seq).collect::<Vec<_>>(), [4, 5]);
        client.send(&lobby(), "hello").await.unwrap()
    };
    let (ack, ()) = tokio::join!(asking, answering);
    assert_eq!((ack.seq, ack.stored), (6, true));
    assert_eq!(received.next_events(2).await, ["joined 5 4: text 4 5: text 5", "6: hello"]);
}

#[tokio::test]
async fn events_of_others_are_delivered() {
    let server = Server::start().await;
    let (_client, mut received, mut peer) = server.client_in_lobby(server.options()).await;
    peer.send(json!({"type": "presence", "room": "lobby", "joined": [], "left": ["bob"], "member_count": 1}))
        .await;
    peer.send(json!({"type": "typing", "room": "lobby", "username": "eve"})).await;
    peer.send(json!({"type": "notice", "level": "warning", "body": "back in five minutes"})).await;
    peer.send(json!({"type": "left", "room": "lobby", "reason": "kicked"})).await;
    assert!(matches!(received.event().await, Event::Presence(presence) if presence.left.len() == 1));
    assert!(matches!(received.event().await, Event::Typing(typing) if typing.username.as_str() == "eve"));
    assert!(matches!(received.event().await, Event::Notice(notice) if notice.room.is_none()));
    assert_eq!(received.next().await, "left Kicked");
}

#[tokio::test]
async fn announcements_are_reported_once() {
    let server = Server::start().await;
    let (client, mut received, mut peer) = server.client_in_lobby(server.options()).await;
    let made = json!({"id": "a1", "level": "warning", "body": "we *move*", "html": "<p>we</p>"});
    let withdrawal = |id: &str| json!({"type": "announcement", "id": id, "withdrawn": true});
    let mut frame = made.clone();
    frame["type"] = "announcement".into();
    // the same one twice, and the withdrawal of another one
    for frame in [&frame, &frame, &withdrawal("a0"), &withdrawal("a1"), &withdrawal("a1")] {
        peer.send(frame.clone()).await;
    }
    let Event::Announcement(Some(found)) = received.event().await else { panic!("no announcement") };
    assert_eq!(serde_json::to_value(&found).unwrap(), made);
    assert_eq!(received.event().await, Event::Announcement(None));
    peer.send(json!({"type": "announcement", "id": "a2", "level": "of_tomorrow", "body": "b"})).await;
    let Event::Announcement(Some(found)) = received.event().await else { panic!("no announcement") };
    assert_eq!((found.id.as_str(), found.level), ("a2", NoticeLevel::Unknown));
    assert_eq!(client.counters().unexpected_frames, 0);
}

#[tokio::test]
async fn queries_are_matched_with_their_answers() {
    let server = Server::start().await;
    let (client, mut received, mut peer) = server.client_in_lobby(server.options()).await;
    let answering = async {
        let history = peer.receive("history").await;
        assert_eq!((&history["after"], &history["limit"]), (&json!(3), &json!(10)));
        let members = peer.receive("members").await;
        assert_eq!(
            (&members["after"], &members["prefix"], &members["limit"]),
            (&json!("ana"), &json!("b"), &json!(7))
        );
        let ping = peer.receive("ping").await;
        peer.receive("typing").await;
        // not in the order of the commands
        peer.send(json!({"type": "pong", "ref": ping["ref"]})).await;
        peer.send(
            json!({"type": "members", "ref": members["ref"], "room": "lobby", "member_count": 9, "more": true,
                         "members": [{"username": "bob", "user": "g_bob", "joined_at": SENT_AT}]}),
        )
        .await;
        peer.send(
            json!({"type": "history", "ref": history["ref"], "room": "lobby", "epoch": "e", "more": false,
                         "first": 4, "last": 5, "messages": [deleted_message(4, 5)]}),
        )
        .await;
    };
    let room = lobby();
    let query = MembersQuery::default().after("ana".parse().unwrap()).prefix("b").limit(7);
    let (history, members, ping, typing, ()) = tokio::join!(
        biased;
        client.history(&room, Page::After { seq: 3, limit: 10 }),
        client.members(&room, query),
        client.ping(),
        client.typing(&room),
        answering,
    );
    assert!(matches!(history.unwrap().messages[..], [StoredMessage::Deleted { seq: 4, .. }]));
    let members = members.unwrap();
    assert_eq!((members.members[0].username.as_str(), members.member_count, members.more), ("bob", 9, true));
    assert!(ping.is_ok() && typing.is_ok());
    assert_eq!(received.next().await, "history 4..5");
}

#[tokio::test]
async fn refused_commands_return_the_code() {
    let server = Server::start().await;
    let (client, mut received, mut peer) = server.client(server.options()).await;
    let room = lobby();
    let refusing = async {
        let join = peer.receive("join").await;
        peer.refuse(&join, "username_taken").await;
        let history = peer.receive("history").await;
        peer.send(
            json!({"type": "error", "ref": history["ref"], "code": "rate_limited", "message": "slower",
                         "retry_after_ms": 1_500}),
        )
        .await;
        let join = peer.receive("join").await;
        peer.joined(&join, "e", 5, &[], false).await;
        let send = peer.receive("send").await;
        assert_eq!(send["id"], "mine");
        peer.refuse(&send, "id_reused").await;
    };
    let asking = async {
        let taken = client.join(&room, JoinOptions::default()).await.unwrap_err();
        assert_eq!(taken.code(), Some(ErrorCode::UsernameTaken));
        let outside = client.send(&room, "hello?").await.unwrap_err();
        assert_eq!(outside.code(), Some(ErrorCode::NotInRoom));
        let too_fast = client.history(&room, Page::Newest { limit: 1 }).await.unwrap_err();
        assert!(
            matches!(too_fast, CommandError::Refused { retry_after: Some(after), .. } if after.as_millis() == 1_500)
        );
        client.join(&room, JoinOptions::default()).await.unwrap();
        let twice = client.join(&room, JoinOptions::default()).await.unwrap_err();
        assert_eq!(twice.code(), Some(ErrorCode::AlreadyInRoom));
        let too_large = client.send(&room, "x".repeat(140_000)).await.unwrap_err();
        assert_eq!(too_large.code(), Some(ErrorCode::MessageTooLarge));
        let reused = client.send_with_id(&room, "another", "mine".parse().unwrap()).await.unwrap_err();
        assert_eq!((reused.code(), reused.to_string().as_str()), (Some(ErrorCode::IdReused), "no"));
    };
    tokio::join!(asking, refusing);
    assert_eq!(received.next().await, "joined 5");
}

/// A server of a later version has values that this client does not know.
#[tokio::test]
async fn unknown_codes_levels_and_reasons_are_delivered() {
    let server = Server::start().await;
    let (client, mut received, mut peer) = server.client_in_lobby(server.options()).await;
    let room = lobby();
    let refusing = async {
        let history = peer.receive("history").await;
        peer.refuse(&history, "of_tomorrow").await;
    };
    let (refused, ()) = tokio::join!(client.history(&room, Page::Newest { limit: 1 }), refusing);
    assert_eq!(refused.unwrap_err().code(), Some(ErrorCode::Unknown));
    peer.send(json!({"type": "notice", "room": "lobby", "level": "of_tomorrow", "body": "tea"})).await;
    let by_tomorrow =
        json!({"type": "deleted", "room": "lobby", "seq": 6, "targets": [3], "by": "of_tomorrow"});
    peer.send(by_tomorrow).await;
    peer.send(json!({"type": "left", "room": "lobby", "reason": "of_tomorrow"})).await;
    assert!(matches!(received.event().await, Event::Notice(notice) if notice.level == NoticeLevel::Unknown));
    assert!(matches!(received.event().await, Event::Deleted(deleted) if deleted.by == DeletedBy::Unknown));
    assert_eq!(received.next().await, "left Unknown");
}

#[tokio::test]
async fn leaving_is_answered_and_reported() {
    let server = Server::start().await;
    let (client, mut received, mut peer) = server.client_in_lobby(server.options()).await;
    let (room, answering) = (lobby(), async {
        let leave = peer.receive("leave").await;
        peer.deliver(6).await;
        peer.send(json!({"type": "left", "ref": leave["ref"], "room": "lobby", "reason": "asked"})).await;
    });
    let (left, ()) = tokio::join!(client.leave(&room), answering);
    assert_eq!(left, Ok(()));
    assert_eq!(received.next_events(2).await, ["6: text 6", "left Asked"]);
    assert_eq!(client.leave(&room).await.unwrap_err().code(), Some(ErrorCode::NotInRoom));
}

#[tokio::test]
async fn messages_are_sent_in_order_and_acked_in_any() {
    const MANY: u64 = 200;
    let server = Server::start().await;
    let (client, _told, mut peer) = server.client_in_lobby(server.options()).await;
    let room = lobby();
    let sends = join_all((0..MANY).map(|number| client.send(&room, number.to_string())));
    let answering = async {
        // no message waits for the ack of an earlier one
        let mut sends = Vec::new();
        for number in 0..MANY {
            sends.push(peer.receive("send").await);
            assert_eq!(sends.last().unwrap()["body"], number.to_string());
        }
        let newest_first = std::iter::successors(Some(5 + MANY), |seq| seq.checked_sub(1));
        for (send, seq) in sends.iter().rev().zip(newest_first) {
            peer.ack(send, seq).await;
        }
    };
    let (acks, ()) = tokio::join!(sends, answering);
    let seqs: Vec<_> = acks.into_iter().map(|ack| ack.unwrap().seq).collect();
    assert_eq!(seqs, (6..6 + MANY).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_sender_waits_while_too_many_messages_are_in_flight() {
    let server = Server::start().await;
    let (client, _told, mut peer) = server.client_in_lobby(server.options().max_in_flight(2)).await;
    let room = lobby();
    let first = client.send(&room, "1");
    let second = client.send(&room, "2");
    let mut third = client.send(&room, "3");
    assert!(third.accepted().now_or_never().is_none());
    let send = peer.receive("send").await;
    peer.receive("send").await;
    assert!(third.accepted().now_or_never().is_none());
    peer.ack(&send, 6).await;
    assert_eq!(first.await.unwrap().seq, 6);
    within_timeout("room for the third", third.accepted()).await.unwrap();
    assert_eq!(peer.receive("send").await["body"], "3");
    drop(second);
}

#[tokio::test]
async fn a_message_that_the_store_refuses_is_sent_again_under_its_id() {
    let server = Server::start().await;
    let (client, _told, mut peer) = server.client_in_lobby(server.options()).await;
    let receipts = (client.send(&lobby(), "1"), client.send(&lobby(), "2"));
    let (first, second) = (peer.receive("send").await, peer.receive("send").await);
    peer.refuse(&first, "store_unavailable").await;
    peer.refuse(&second, "store_unavailable").await;
    let again = peer.receive("send").await;
    assert_eq!((&again["id"], &again["body"]), (&first["id"], &json!("1")));
    peer.ack(&again, 6).await;
    let again = peer.receive("send").await;
    assert_eq!(again["id"], second["id"]);
    peer.ack(&again, 7).await;
    assert_eq!((receipts.0.await.unwrap().seq, receipts.1.await.unwrap().seq), (6, 7));
}

#[tokio::test]
async fn the_list_of_rooms_is_kept_and_marked() {
    let server = Server::start().await;
    let (client, mut received, mut peer) = server.client(server.options()).await;
    let entry = |unread: u64| {
        json!({"room": "lobby", "kind": "of_tomorrow", "favourite": true, "notify": "all", "epoch": "e", "newest": 9,
               "read_up_to": 4, "unread": unread, "mentions": 0})
    };
    peer.send(json!({"type": "rooms", "entries": [entry(3)], "more": true})).await;
    peer.send(json!({"type": "rooms", "entries": [entry(2)], "more": false, "blocked": [{"user": "u_eve", "username": "eve"}]})).await;
    let Event::Rooms(list) = received.event().await else { panic!("no list") };
    assert_eq!(list.iter().map(|entry| entry.unread).collect::<Vec<_>>(), [3, 2]);
    assert_eq!(list[0].kind, RoomKind::Unknown);
    let mut blocked = async |ids: &[&str]| {
        let Event::Blocked(blocked) = received.event().await else { panic!("nobody is blocked") };
        assert_eq!(blocked.keys().map(UserId::as_str).collect::<Vec<_>>(), ids);
    };
    blocked(&["u_eve"]).await;
    let answering = async {
        let block = peer.receive("block").await;
        assert_eq!((&block["user"], &block["on"]), (&json!("g_gus"), &json!(true)));
        peer.send(json!({"type": "blocked", "user": "g_gus", "on": true})).await;
        peer.send(json!({"type": "blocked", "user": "u_eve", "on": false})).await;
        peer.send(json!({"type": "done", "ref": block["ref"]})).await;
        let keep = peer.receive("keep").await;
        assert_eq!(
            (&keep["room"], &keep["notify"], keep.get("favourite")),
            (&json!("lobby"), &json!("none"), None)
        );
        peer.send(json!({"type": "kept", "ref": keep["ref"], "entry": entry(1)})).await;
        let drop = peer.receive("keep").await;
        assert_eq!(drop["favourite"], false);
        peer.send(json!({"type": "dropped", "ref": drop["ref"], "room": "lobby"})).await;
        let mark = peer.receive("mark_read").await;
        assert_eq!((&mark["epoch"], &mark["up_to"]), (&json!("e"), &json!(7)));
        peer.refuse(&mark, "not_found").await;
        let mark = peer.receive("mark_read").await;
        peer.send(json!({"type": "read", "ref": mark["ref"], "room": "lobby", "epoch": "e", "up_to": 7, "unread": 0, "mentions": 0})).await;
    };
    let asking = async {
        client.block(&"g_gus".parse().unwrap(), true).await.unwrap();
        blocked(&["g_gus", "u_eve"]).await;
        blocked(&["g_gus"]).await;
        let kept = client.keep(&lobby(), KeepRoom::default().notify(Notify::None)).await.unwrap();
        assert_eq!(kept.unwrap().unread, 1);
        let dropped = client.keep(&lobby(), KeepRoom::default().favourite(false)).await.unwrap();
        assert_eq!(dropped, None);
        let up_to = Since { epoch: Epoch::new("e"), seq: 7 };
        let unknown = client.mark_read(&lobby(), up_to.clone()).await.unwrap_err();
        assert_eq!(unknown.code(), Some(ErrorCode::NotFound));
        assert_eq!(client.mark_read(&lobby(), up_to).await.unwrap().up_to, 7);
    };
    tokio::join!(asking, answering);
    // another session of the user
    peer.send(json!({"type": "read", "room": "lobby", "epoch": "e", "up_to": 8, "unread": 0, "mentions": 0}))
        .await;
    peer.send(
        json!({"type": "inbox", "room": "lobby", "up_to": 9, "unread": 1, "mentions": 0, "from": "bob"}),
    )
    .await;
    assert!(matches!(received.event().await, Event::Kept(entry) if entry.unread == 1));
    assert!(matches!(received.event().await, Event::Dropped(room) if room == lobby()));
    assert!(matches!(received.event().await, Event::Read(read) if read.up_to == 7));
    assert!(matches!(received.event().await, Event::Read(read) if read.up_to == 8));
    assert!(matches!(received.event().await, Event::Inbox(inbox) if inbox.unread == 1));
    // the other user of a direct room
    peer.send(json!({"type": "read", "room": "lobby", "epoch": "e", "up_to": 9, "username": "bob"})).await;
    let seen = received.event().await;
    assert!(
        matches!(&seen, Event::Seen { username, up_to, .. } if username.as_str() == "bob" && up_to.seq == 9),
        "{seen:?}"
    );
    assert_eq!(client.counters().unexpected_frames, 0);
}
