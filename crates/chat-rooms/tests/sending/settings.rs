//! Settings of a room: who may join and post, from the moment at which they are stored.

use std::path::Path;
use std::sync::Arc;

use chat_db::sqlite::Database;
use chat_history::SqliteHistory;
use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::{
    ErrorCode, Event, GuestToken, Identity, LeftReason, MayJoin, MayPost, PresenceChange, Role, RoomSettings,
};
use chat_rooms::{Engine, Events, JoinError, Membership, Outgoing, SendError, Sink, Subscribe};

use crate::support::room;

fn account(name: &str) -> Identity {
    Identity::account(format!("u_{name}").parse().unwrap(), name.parse().unwrap()).unwrap()
}

fn guest(name: &str) -> Identity {
    Identity::guest(&GuestToken::from_random([7; 32]), name.parse().unwrap())
}

async fn engine() -> Engine {
    Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await.unwrap()
}

/// An engine whose messages and settings are in this file.
async fn engine_on(file: &Path) -> (Engine, Database) {
    let database = Database::open(file).unwrap();
    let history = SqliteHistory::open(database.clone()).await.unwrap();
    let presence = MemoryPresence::new(NodeId::new("here"));
    (Engine::builder(presence).history(history).start().await.unwrap(), database)
}

async fn enter(engine: &Engine, user: &Identity) -> (Membership, Events) {
    let (sink, events) = Sink::channel(5_000);
    (engine.join(user, &room(), Subscribe::new(sink)).await.unwrap(), events)
}

/// The next event that is not about presence.
async fn next(events: &mut Events) -> Arc<Event> {
    loop {
        let event = events.next().await.unwrap();
        if !matches!(*event, Event::PresenceChanged(_) | Event::Joined(_)) {
            return event;
        }
    }
}

/// Waits for a change of presence.
async fn presence(events: &mut Events, is_meant: impl Fn(&PresenceChange) -> bool) {
    loop {
        let event = events.next().await.unwrap();
        if matches!(&*event, Event::PresenceChanged(change) if is_meant(change)) {
            return;
        }
    }
}

fn with_id(body: &str, id: &str) -> Outgoing {
    let mut outgoing = Outgoing::from(body);
    outgoing.id = Some(id.parse().unwrap());
    outgoing
}

fn post(post: MayPost) -> RoomSettings {
    RoomSettings::default().post(post)
}

#[tokio::test]
async fn those_whom_the_settings_do_not_allow_cannot_post() {
    let engine = engine().await;
    let (ana, mut events) = enter(&engine, &account("ana")).await;
    let (gus, mut gus_events) = enter(&engine, &guest("gus")).await;
    let (moderator, _moderator_events) = enter(&engine, &account("mod").with_role(Role::Moderator)).await;
    assert!(engine.configure(&room(), post(MayPost::Accounts)).await.unwrap());
    assert!(!engine.configure(&room(), post(MayPost::Accounts)).await.unwrap());
    let changed = next(&mut events).await;
    assert!(
        matches!(&*changed, Event::RoomChanged(change) if change.seq == 1 && change.settings.post == MayPost::Accounts)
    );

    let denied = gus.send("hello").await.unwrap_err();
    assert_eq!(denied.to_string(), "only users with an account may post in this room");
    next(&mut gus_events).await;
    let refused = next(&mut gus_events).await;
    assert!(matches!(&*refused, Event::Refused { code: ErrorCode::Forbidden, .. }), "{refused:?}");
    assert_eq!(ana.send("hello").await.unwrap().seq, 2);

    assert!(engine.configure(&room(), post(MayPost::Moderators)).await.unwrap());
    assert!(matches!(ana.send("hello").await, Err(SendError::Denied(_))));
    assert_eq!(moderator.send("an announcement").await.unwrap().seq, 4);
    // and the others hear it
    while !matches!(&*next(&mut gus_events).await, Event::Message { message, .. } if message.seq == 4) {}
    assert_eq!(engine.settings(&room()).await.unwrap().post, MayPost::Moderators);
}

#[tokio::test]
async fn a_repeated_message_is_acked_although_its_author_may_not_post_any_more() {
    let engine = engine().await;
    let (gus, _events) = enter(&engine, &guest("gus")).await;
    let message = || with_id("hello", "m-1");
    let first = gus.send(message()).await.unwrap();
    engine.configure(&room(), post(MayPost::Moderators)).await.unwrap();
    assert_eq!(gus.send(message()).await.unwrap(), first);
    assert!(matches!(gus.send(with_id("other", "m-2")).await, Err(SendError::Denied(_))));
}

#[tokio::test]
async fn guests_leave_a_room_that_admits_accounts_only() {
    let engine = engine().await;
    let (ana, mut ana_events) = enter(&engine, &account("ana")).await;
    let (gus, mut gus_events) = enter(&engine, &guest("gus")).await;
    presence(&mut ana_events, |change| change.joined.iter().any(|member| member.username.as_str() == "gus"))
        .await;
    engine.configure(&room(), RoomSettings::default().join(MayJoin::Accounts)).await.unwrap();
    let mut seen = Vec::new();
    while let Some(event) = gus_events.next().await {
        match &*event {
            Event::RoomChanged(_) => seen.push("changed"),
            Event::LeaveNotice { reason: LeftReason::NotAllowed, .. } => {
                seen.push("left");
                break;
            }
            _ => {}
        }
    }
    assert_eq!(seen, ["changed", "left"]);
    assert!(gus.was_removed() && !gus.is_member());
    presence(&mut ana_events, |change| change.left == ["gus".parse().unwrap()]).await;
    let (sink, _) = Sink::channel(10);
    let again = engine.join(&guest("gus"), &room(), Subscribe::new(sink.clone())).await;
    assert!(matches!(again, Err(JoinError::Denied(_))), "{again:?}");
    let with_lists = engine.join(&guest("gus"), &room(), Subscribe::new(sink).with_lists()).await;
    assert!(matches!(with_lists, Err(JoinError::Denied(_))), "{with_lists:?}");
    assert_eq!(ana.members().total(), 1);
    assert!(!engine.is_present(&room(), guest("gus").username()).await.unwrap(), "the name is free");
}

/// The settings are there when the room is opened again, and tell the newcomer.
#[tokio::test]
async fn settings_outlive_the_room_and_the_engine() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r.sqlite3");
    let (first, database) = engine_on(&file).await;
    let settings = RoomSettings::default().join(MayJoin::Accounts).post(MayPost::Moderators);
    assert!(first.configure(&room(), settings.clone()).await.unwrap());
    assert_eq!(first.room_count(), 0);
    database.close().await;
    let (second, _database) = engine_on(&file).await;
    assert!(matches!(second.admit(&guest("gus"), &room()).await, Err(JoinError::Denied(_))));
    let (ana, mut events) = enter(&second, &account("ana")).await;
    let joined = events.next().await.unwrap();
    assert!(
        matches!(&*joined, Event::Joined(snapshot) if *snapshot.settings == settings && snapshot.seq == 1)
    );
    assert!(matches!(ana.send("hello").await, Err(SendError::Denied(_))));
}

/// Messages that are on their way to the store while the settings change are checked again. Those
/// of one sender are stored, or refused, in the order in which it sent them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_in_flight_are_checked_again_in_their_order() {
    const SENT: usize = 400;
    let folder = tempfile::tempdir().unwrap();
    let (engine, _database) = engine_on(&folder.path().join("r.sqlite3")).await;
    let (gus, mut events) = enter(&engine, &guest("gus")).await;
    let (ana, _ana_events) = enter(&engine, &account("ana")).await;
    let changing = async {
        // open for everyone, for accounts, and so on, with messages before, between and after
        for round in 0..40 {
            let may_post = if round % 2 == 0 { MayPost::Accounts } else { MayPost::Everyone };
            assert!(engine.configure(&room(), post(may_post)).await.unwrap());
        }
    };
    let sending = async {
        for number in 0..SENT {
            gus.submit(with_id(&format!("{number}"), &format!("g{number}"))).await.unwrap();
            ana.submit(format!("{number}")).await.unwrap();
        }
        gus.idle().await;
    };
    futures::future::join(changing, sending).await;

    // in the order of the stream: what was stored, and whether it was allowed then
    let (mut allowed, mut outcomes, mut newest) = (true, Vec::new(), 0);
    let (mut own, mut by_ana) = (Vec::new(), 0);
    let last = engine.count_after(&room(), 0, Vec::new(), usize::MAX).await.unwrap().newest;
    while outcomes.len() < SENT || newest < last {
        match &*next(&mut events).await {
            Event::RoomChanged(change) => {
                assert_eq!(change.seq, newest + 1);
                (newest, allowed) = (change.seq, change.settings.post == MayPost::Everyone);
            }
            Event::Message { message, .. } => {
                assert_eq!(message.seq, newest + 1);
                newest = message.seq;
                let text = message.text().unwrap();
                let number: usize = text.body.parse().unwrap();
                if text.user.is_guest() {
                    assert!(allowed, "message {newest} was stored after the change that forbids it");
                    own.push(number);
                } else {
                    assert_eq!(number, by_ana, "ana's messages are all stored, in their order");
                    by_ana += 1;
                }
            }
            Event::Ack(ack) => {
                let id = ack.id.as_ref().unwrap().as_str();
                outcomes.push(id[1..].parse::<usize>().unwrap());
            }
            Event::Refused { code: ErrorCode::Forbidden, .. } => outcomes.push(usize::MAX),
            other => panic!("{other:?}"),
        }
    }
    let acked: Vec<_> = outcomes.iter().copied().filter(|number| *number != usize::MAX).collect();
    assert_eq!(acked, own, "acked and stored in the same order");
    assert!(acked.is_sorted());
    // each ack is the outcome of the message with its place
    assert!(outcomes.iter().enumerate().all(|(place, number)| *number == usize::MAX || *number == place));
    assert_eq!(by_ana, SENT);
}
