//! What the store on PostgreSQL promises beyond the suites.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chat_history::{
    AppendError, Appended, HistoryStore, NewEvent, NewMessage, NewReaction, PostgresHistory, Retention,
};
use chat_protocol::{Emoji, MessageId, RoomName, UserId, Username};
use futures::future::join_all;
use tokio::sync::oneshot;

use crate::support::Postgres;

fn room(name: &str) -> RoomName {
    RoomName::parse(name).unwrap()
}

fn message(in_room: &str, id: &str) -> NewMessage {
    let (user, from) = ("u_ana".parse().unwrap(), Username::parse("ana").unwrap());
    let id: MessageId = id.parse().unwrap();
    let body = id.as_str().to_owned();
    NewMessage::new(room(in_room), user, from, body, id).idempotent(true)
}

fn reaction(in_room: &str, user: &str, is_added: bool) -> NewReaction {
    let authors: Arc<[UserId]> = [format!("u_{user}").parse().unwrap()].into();
    NewReaction::new(
        room(in_room),
        1,
        authors,
        Username::parse(user).unwrap(),
        Emoji::parse("👍").unwrap(),
        is_added,
    )
}

async fn append(store: &PostgresHistory, event: impl Into<NewEvent>) -> Result<Appended, AppendError> {
    let (sender, result) = oneshot::channel();
    store.append(event.into(), Box::new(move |appended| drop(sender.send(appended))));
    chat_testkit::soon("the event is stored or refused", result).await.unwrap()
}

/// Events of many kinds in many rooms at once are numbered without gaps, and retention meanwhile
/// neither fails nor makes them fail.
#[tokio::test(flavor = "multi_thread")]
async fn rooms_are_numbered_without_gaps_while_old_messages_are_removed_in_postgres() {
    let Some(database) = Postgres::new() else { return };
    let (_, store) = database.open().await;
    let store = Arc::new(store);
    let is_done = Arc::new(AtomicBool::new(false));
    let pruning = tokio::spawn({
        let (store, is_done) = (Arc::clone(&store), Arc::clone(&is_done));
        async move {
            let retention = Retention::new(None, Some(3));
            while !is_done.load(Ordering::Relaxed) {
                store.prune(retention).await.unwrap();
            }
        }
    });
    let rooms = (0..12).map(|n| format!("room{n}"));
    let writing = rooms.clone().map(|name| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut numbers = Vec::new();
            for n in 0..60 {
                let events = [
                    append(&store, message(&name, &format!("{n}"))).await,
                    // the same again
                    append(&store, message(&name, &format!("{n}"))).await,
                    append(&store, reaction(&name, "bob", n % 2 == 0)).await,
                ];
                for event in events {
                    match event {
                        Ok(Appended::Stored(event)) => numbers.push(event.seq()),
                        // a target that is not found was removed
                        Ok(Appended::Duplicate(_) | Appended::Unchanged) | Err(AppendError::NotFound) => {}
                        other => panic!("{other:?}"),
                    }
                }
            }
            numbers
        })
    });
    for numbers in join_all(writing.collect::<Vec<_>>()).await {
        let numbers = numbers.unwrap();
        assert!(numbers.iter().copied().eq(1..=numbers.len() as u64), "{numbers:?}");
    }
    is_done.store(true, Ordering::Relaxed);
    pruning.await.unwrap();
    let server = database.server();
    let counts = "SELECT count(*) FROM rooms r WHERE r.message_count <> \
        (SELECT count(*) FROM messages m WHERE m.place >> 40 = r.id)";
    assert_eq!(server.psql(counts).trim(), "0", "the counts are right");
    let ids = "SELECT count(*) - count(DISTINCT (place >> 40, id)) FROM messages";
    assert_eq!(server.psql(ids).trim(), "0", "no message is stored twice");
}

/// A deadlock that another program provokes ends with the events stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_with_another_program_is_survived_in_postgres() {
    let Some(database) = Postgres::new() else { return };
    let (_, store) = database.open().await;
    append(&store, message("a", "1")).await.unwrap();
    append(&store, message("a", "2")).await.unwrap();
    let server = database.server();
    // Holds the message, and then wants the room. The store has the room, and wants the message.
    // With a shorter deadlock_timeout the server would end this transaction instead of the other.
    let holding = server.url().to_owned();
    let other = tokio::task::spawn_blocking(move || {
        chat_testkit::postgres::psql(
            &holding,
            "BEGIN; SET LOCAL deadlock_timeout = '20s'; \
             SELECT FROM messages WHERE id = '1' FOR UPDATE; SELECT pg_sleep(0.5); \
             UPDATE rooms SET first_seq = first_seq WHERE name = 'a'; COMMIT",
        )
    });
    chat_testkit::until("the other program has the message", async || {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' \
            AND state = 'active' AND pid <> pg_backend_pid()";
        server.psql(waiting).trim() != "0"
    })
    .await;
    match append(&store, reaction("a", "bob", true)).await {
        Ok(Appended::Stored(event)) => assert_eq!(event.seq(), 3),
        other => panic!("{other:?}"),
    }
    other.await.unwrap().unwrap();
}

/// Ids that have expired are removed, and can be used again.
#[tokio::test(flavor = "multi_thread")]
async fn expired_ids_are_removed_in_postgres() {
    let Some(database) = Postgres::new() else { return };
    let (_, store) = database.open().await;
    for n in 0..10 {
        append(&store, message("a", &format!("{n}"))).await.unwrap();
    }
    let server = database.server();
    server.psql("UPDATE message_ids SET sent_at = sent_at - 86400001 WHERE message_id::INTEGER < 5");
    let Ok(Appended::Stored(event)) = append(&store, message("a", "0")).await else { panic!("it is stored") };
    assert_eq!(event.seq(), 11);
    assert!(matches!(append(&store, message("a", "7")).await, Ok(Appended::Duplicate(_))));
    store.prune(Retention::new(None, Some(1_000))).await.unwrap();
    assert_eq!(server.psql("SELECT count(*) FROM message_ids").trim(), "6");
}
