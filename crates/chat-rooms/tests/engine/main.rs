//! The engine through its public API, with typed events.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod presence;
mod sinks;
mod support;

use std::collections::BTreeSet;

use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::Event;
use chat_protocol::v2::{ErrorCode, NoticeLevel};
use chat_rooms::{Engine, JoinError, RoomUsage, Sink, Subscribe};
use futures::StreamExt;
use futures::future::join_all;

use support::{brief, engine, guest, join, names, next, room, until, user};

#[tokio::test]
async fn members_join_send_and_leave() {
    let engine = engine().await;
    let (ana, mut anas) = join(&engine, "ana").await;
    let (bob, mut bobs) = join(&engine, "bob").await;
    bob.submit("hi").await.unwrap();
    bob.refuse(ErrorCode::BadJson, "nonsense", None).unwrap();
    ana.submit("").await.unwrap();
    assert!(engine.notice(&room("r"), NoticeLevel::Info, "tea"));
    assert_eq!(names(engine.members(&room("r")).unwrap().first()), "ana bob");
    for expected in ["+bob", "bob:hi", "!nonsense", "ana:", "*tea"] {
        assert_eq!(next(&mut bobs).await, expected);
    }
    bob.leave();
    for expected in ["+ana", "+bob", "bob:hi", "ana:", "*tea", "-bob"] {
        assert_eq!(next(&mut anas).await, expected);
    }
    assert!(bobs.next().await.is_none());
    drop(ana);
    assert!(engine.members(&room("r")).is_none());
    assert!(!engine.notice(&room("r"), NoticeLevel::Info, "nobody is here"));
    assert_eq!(engine.room_count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_100_joins_with_one_name_exactly_one_succeeds() {
    let engine = engine().await;
    for _ in 0..20 {
        let joins = (0..100).map(|_| {
            let engine = engine.clone();
            tokio::spawn(async move {
                let (sink, events) = Sink::channel(100);
                engine
                    .join(&guest("ana"), &room("r"), Subscribe::new(sink).with_lists())
                    .await
                    .map(|member| (member, events))
            })
        });
        let results: Vec<_> = join_all(joins).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        let refused = |result: &Result<_, JoinError>| matches!(result, Err(JoinError::NameTaken));
        assert_eq!(results.iter().filter(|result| refused(result)).count(), 99);
        assert!(engine.is_present(&room("r"), &user("ana")).await.unwrap());
        drop(results);
        assert!(!engine.is_present(&room("r"), &user("ana")).await.unwrap(), "the name is free at once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_members_receive_all_messages_in_the_same_order() {
    const EACH: usize = 500;
    let engine = engine().await;
    let joined = join_all((0..8).map(|i| {
        let engine = engine.clone();
        async move { join(&engine, &format!("p{i}")).await }
    }))
    .await;
    let (members, streams): (Vec<_>, Vec<_>) = joined.into_iter().unzip();
    let sending = members.iter().map(|member| async {
        for i in 0..EACH {
            member.submit(format!("{i}")).await.unwrap();
        }
    });
    join_all(sending).await;
    let received = join_all(streams.into_iter().map(|events| async {
        let messages =
            events.filter_map(async |event| Some(brief(&event)).filter(|event| event.contains(':')));
        messages.take(8 * EACH).collect::<Vec<_>>().await
    }))
    .await;
    for messages in &received {
        assert!(messages == &received[0], "the same order for all");
    }
    for i in 0..8 {
        let of_one: Vec<_> =
            received[0].iter().filter_map(|message| message.strip_prefix(&format!("p{i}:"))).collect();
        assert!(of_one.into_iter().eq((0..EACH).map(|i| i.to_string())));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn coalesced_events_of_a_large_room_add_up() {
    let engine = engine().await;
    let mut crowd = Vec::new();
    for i in 0..110 {
        crowd.push(join(&engine, &format!("p{i:03}")).await);
    }
    crowd.truncate(105);
    let joined = join_all((200..230).map(|i| {
        let engine = engine.clone();
        async move { join(&engine, &format!("p{i}")).await }
    }))
    .await;
    crowd.extend(joined);
    let present: BTreeSet<String> = crowd.iter().map(|(m, _)| m.member().username.to_string()).collect();
    assert_eq!(engine.members(&room("r")).unwrap().total(), 135);

    for (member, events) in &mut crowd {
        let own = format!("+{}", member.member().username);
        let mut seen = BTreeSet::new();
        let mut own_joins = 0;
        let listed = |members: &chat_protocol::MemberList| {
            members.first().iter().map(|m| m.username.to_string()).collect::<BTreeSet<_>>()
        };
        while seen != present || own_joins == 0 {
            let event = events.next().await.unwrap();
            match &*event {
                Event::Entered { members, .. } if brief(&event) == own => {
                    own_joins += 1;
                    seen = listed(members);
                }
                Event::Entered { group, .. } => {
                    group.iter().for_each(|m| assert!(seen.insert(m.username.to_string())));
                }
                Event::Left { group, .. } => {
                    group.iter().for_each(|m| assert!(seen.remove(m.username.as_str())));
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(own_joins, 1);
    }
}

#[tokio::test]
async fn usage_covers_the_time_since_it_was_last_taken() {
    let builder = Engine::builder(MemoryPresence::new(NodeId::new("here")));
    let builder = builder.count_usage(true);
    let engine = builder.start().await.unwrap();
    let (ana, mut events) = join(&engine, "ana").await;
    let (bob, _bobs) = join(&engine, "bob").await;
    drop(bob);
    ana.submit("hello").await.unwrap();
    ana.submit("bé").await.unwrap();
    while next(&mut events).await != "ana:bé" {}
    let used = engine.take_usage();
    let expected = RoomUsage { peak_members: 2, messages: 2, bytes: 8 };
    assert_eq!(used.into_iter().collect::<Vec<_>>(), [(room("r"), expected)]);
    assert!(engine.take_usage().is_empty());
    drop(ana);
    // the room is gone, but its usage is not
    let (cleo, _cleos) = join(&engine, "cleo").await;
    drop(cleo);
    until("the room is gone", async || engine.room_count() == 0).await;
    assert_eq!(engine.take_usage()[&room("r")].peak_members, 1);
    let without_usage = support::engine().await;
    drop(join(&without_usage, "ana").await);
    assert!(without_usage.take_usage().is_empty());
}
