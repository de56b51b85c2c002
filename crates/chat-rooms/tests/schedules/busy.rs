//! Rooms that are closed while members join, and rooms in which senders wait for each other.

use std::sync::Arc;

use chat_rooms::{Engine, EngineLimits, Membership, SendError};
use futures::FutureExt;
use futures::future::{Either, select};
use shuttle::future::{block_on, spawn, yield_now};
use shuttle::rand::{Rng, thread_rng};

use crate::client::{Log, ends_with_left, join, joined, messages, outgoing, room};
use crate::explore::explore;
use crate::store::{Presence, Store, engine};

/// Joins and sends a message, if the session is still in the room.
async fn join_and_send(engine: Engine, name: &'static str) -> (Membership, Arc<Log>) {
    let log = Log::new(usize::MAX);
    let member = join(&engine, name, &log).await;
    let sent = member.submit(outgoing(name)).await;
    assert!(matches!(sent, Ok(()) | Err(SendError::NotAMember)), "{sent:?}");
    (member, log)
}

/// Whoever is in a room that is closed is removed, after its messages; whoever joins meanwhile is
/// removed or stays, and nothing in between; nothing is left of those that were removed.
#[test]
fn a_room_that_is_closed_removes_those_who_are_in_it_and_nobody_halfway() {
    explore(|| {
        block_on(async {
            let (store, presence) = (Store::new(0.1), Presence::new());
            let engine = engine(&store, &presence).await;
            let mut before = Vec::new();
            // more than are removed under one lock
            for name in ["ana", "bob", "cid", "dee"] {
                before.push(join_and_send(engine.clone(), name).await);
            }
            let meanwhile = ["eve", "fay"].map(|name| spawn(join_and_send(engine.clone(), name)));
            let closing = spawn({
                let engine = engine.clone();
                async move { engine.close_room(&room()) }
            });
            let removed = closing.await.unwrap();
            assert!(before.iter().all(|(member, _)| member.was_removed()));
            for (_, log) in &before {
                log.until(ends_with_left).await;
            }
            let mut stay = 0;
            let mut after = Vec::new();
            for task in meanwhile {
                let (member, log) = task.await.unwrap();
                stay += usize::from(!member.was_removed());
                after.push((member, log));
            }
            assert_eq!(removed + stay, 6);
            for (member, log) in &after {
                if member.was_removed() {
                    log.until(ends_with_left).await;
                } else {
                    assert!(member.is_member());
                    member.idle().await;
                    let events = log.events();
                    let seen = joined(&events).seq + messages(&events).len() as u64;
                    assert_eq!(seen, store.all(&room()).len() as u64, "a member receives everything");
                }
            }
            drop((before, after));
            while engine.room_count() > 0 {
                yield_now().await;
            }
        });
    });
}

/// Sends some messages to a room that accepts one at a time. Gives up on some of them.
async fn send_or_give_up(member: Membership, name: &'static str) -> Membership {
    for i in 0..3 {
        let body = format!("{name}.{i}");
        let sending = member.submit(outgoing(&body)).boxed();
        if thread_rng().gen_bool(0.3) {
            let patience = thread_rng().gen_range(0..6);
            let giving_up = async {
                for _ in 0..patience {
                    yield_now().await;
                }
            };
            if let Either::Left((sent, _)) = select(sending, giving_up.boxed()).await {
                sent.unwrap();
            }
        } else {
            sending.await.unwrap();
        }
    }
    member
}

/// Senders that wait for each other, some of which give up at any moment: all others get their
/// turn.
#[test]
fn a_sender_that_waits_gets_its_turn_whoever_gives_up() {
    explore(|| {
        block_on(async {
            let (store, presence) = (Store::new(0.1), Presence::new());
            let limits = EngineLimits { queued_bytes: 1, ..EngineLimits::default() };
            let builder = Engine::builder(presence.clone()).history(store.clone()).limits(limits);
            let engine = builder.start().await.unwrap();
            let log = Log::new(usize::MAX);
            let zoe = join(&engine, "zoe", &log).await;
            let mut tasks = Vec::new();
            for name in ["ana", "bob", "cid"] {
                let member = join(&engine, name, &Log::new(usize::MAX)).await;
                tasks.push(spawn(send_or_give_up(member, name)));
            }
            let mut members = Vec::new();
            for task in tasks {
                members.push(task.await.unwrap());
            }
            zoe.idle().await;
            assert_eq!(messages(&log.events()).len(), store.all(&room()).len());
        });
    });
}
