//! Members whose connections are replaced while messages are sent.

use chat_protocol::v2::{LeftReason, Since};
use chat_rooms::{ReadError, SendWindow, Subscribe};
use shuttle::future::{block_on, spawn};
use shuttle::rand::{Rng, thread_rng};

use crate::client::{Log, ends_with_left, join, joined, messages, outgoing, reattach, room};
use crate::explore::explore;
use crate::store::{Presence, Store, engine};

/// Recovered messages and the live stream join without a gap or a repeat, whenever the member
/// reattaches.
#[test]
fn recovered_messages_and_the_live_stream_join_without_a_gap() {
    explore(|| {
        block_on(async {
            let (store, presence) = (Store::new(0.1), Presence::new());
            let engine = engine(&store, &presence).await;
            let mut log = Log::new(usize::MAX);
            let mut ana = join(&engine, "ana", &log).await;
            let tasks = ["bob", "cid"].map(|name| {
                let engine = engine.clone();
                spawn(async move {
                    let log = Log::new(usize::MAX);
                    let member = join(&engine, name, &log).await;
                    for i in 0..4 {
                        member.submit(outgoing(&format!("{name}.{i}"))).await.unwrap();
                    }
                    member.idle().await;
                })
            });
            let mut seen = Vec::new();
            for _ in 0..3 {
                // the connection breaks: events in flight are lost, received ones are kept
                ana.detach();
                seen.extend(numbers(&log));
                log = Log::new(usize::MAX);
                reattach(&engine, &mut ana, &log, seen.len() as u64).await;
                ana.idle().await;
                let events = log.events();
                let joined = joined(&events);
                assert!(joined.recovered);
                seen.extend(joined.messages.iter().map(|message| message.seq));
            }
            for task in tasks {
                task.await.unwrap();
            }
            ana.idle().await;
            seen.extend(numbers(&log));
            assert_eq!(seen, (1..=store.all(&room()).len() as u64).collect::<Vec<_>>());
        });
    });
}

/// A connection breaks while the membership moves to another one: if the reattach succeeds, the
/// member stays in the room and receives everything.
#[test]
fn a_reattached_member_is_not_removed_for_its_old_connection() {
    explore(|| {
        block_on(async {
            let (store, presence) = (Store::new(0.0), Presence::new());
            // so that the missed messages have to be read from the store
            store.fill(&room(), 2);
            let engine = engine(&store, &presence).await;
            let bobs = Log::new(usize::MAX);
            let bob = join(&engine, "bob", &bobs).await;
            let mut ana = join(&engine, "ana", &Log::new(thread_rng().gen_range(0..3))).await;
            // it may have been removed already; if not, it has a message in flight when its
            // connection breaks
            let _ = ana.submit(outgoing("ana.0")).await;
            let sending = spawn(async move {
                for i in 0..3 {
                    bob.submit(outgoing(&format!("bob.{i}"))).await.unwrap();
                }
                bob
            });
            let log = Log::new(usize::MAX);
            let subscribe = Subscribe::new(log.sink()).since(Since { epoch: engine.epoch(), seq: 0 });
            match ana.reattach(subscribe, &SendWindow::default()).await {
                Ok(_) => {
                    let bob = sending.await.unwrap();
                    bob.idle().await;
                    assert!(ana.is_member());
                    let events = log.events();
                    let recovered = joined(&events).messages.len();
                    assert_eq!(recovered + messages(&events).len(), store.all(&room()).len());
                }
                Err(error) => {
                    assert!(matches!(error, ReadError::NotAMember), "{error}");
                    sending.await.unwrap().idle().await;
                    assert!(!ana.is_member() && log.events().is_empty());
                }
            }
        });
    });
}

/// A session that leaves a room and rejoins at once: the events of the two memberships are not
/// mixed.
#[test]
fn events_of_two_memberships_on_one_sink_are_not_mixed() {
    explore(|| {
        block_on(async {
            let (store, presence) = (Store::new(0.0), Presence::new());
            let engine = engine(&store, &presence).await;
            let mut others = Vec::new();
            // enough members for two pumps
            for name in ["bob", "cid", "dee"] {
                let member = join(&engine, name, &Log::new(usize::MAX)).await;
                others.push(spawn(async move {
                    member.submit(outgoing(&format!("{name}.0"))).await.unwrap();
                    member
                }));
            }
            let log = Log::new(usize::MAX);
            let ana = join(&engine, "ana", &log).await;
            ana.leave_with_reason(LeftReason::Asked, None);
            let ana = join(&engine, "ana", &log).await;
            for other in &mut others {
                other.await.unwrap().idle().await;
            }
            ana.idle().await;

            let events = log.events();
            let left = events.iter().position(|event| ends_with_left(std::slice::from_ref(event))).unwrap();
            let (first, second) = events.split_at(left + 1);
            for events in [first, second] {
                let from = joined(events).seq;
                let got = messages(events);
                assert!(got.iter().zip(from + 1..).all(|((seq, _), expected)| *seq == expected), "{got:?}");
            }
            assert!(joined(second).seq >= joined(first).seq + messages(first).len() as u64);
            assert_eq!(joined(second).seq + messages(second).len() as u64, store.all(&room()).len() as u64);
        });
    });
}

fn numbers(log: &Log) -> Vec<u64> {
    messages(&log.events()).into_iter().map(|(seq, _)| seq).collect()
}
