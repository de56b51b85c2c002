//! Users with several sessions, and sessions that are replaced while messages are sent.

use chat_protocol::v2::LeftReason;
use chat_rooms::{Engine, Membership};
use futures::future::join_all;
use shuttle::future::{block_on, spawn, yield_now};
use shuttle::rand::{Rng, thread_rng};

use chat_presence::PresenceStore;
use chat_protocol::{Event, Identity};

use crate::client::{Log, ends_with_left, guest, join, join_as, joined, messages, outgoing, room, view};
use crate::explore::explore;
use crate::store::{Presence, Store, engine};

/// Recovered messages and the live stream join without a gap or a repeat, whenever a session
/// replaces another, and the others do not notice.
#[test]
fn a_replaced_session_leaves_no_gap_and_makes_no_presence_event() {
    explore(|| {
        block_on(async {
            let (store, presence) = (Store::new(0.1), Presence::new());
            let engine = engine(&store, &presence).await;
            let witness = Log::new(usize::MAX);
            let zoe = join(&engine, "zoe", &witness).await;
            let user = guest("ana");
            let mut log = Log::new(usize::MAX);
            let mut ana = join_as(&engine, &user, &log, Some(0)).await;
            let tasks = ["bob", "cid"].map(|name| {
                let engine = engine.clone();
                spawn(async move {
                    let member = join(&engine, name, &Log::new(usize::MAX)).await;
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
                let successor = join_as(&engine, &user, &log, Some(seen.len() as u64)).await;
                drop(std::mem::replace(&mut ana, successor));
                ana.idle().await;
                let events = log.events();
                let joined = joined(&events);
                assert!(joined.changed.is_some());
                seen.extend(joined.messages.iter().map(|message| message.seq));
            }
            for task in tasks {
                task.await.unwrap();
            }
            ana.idle().await;
            zoe.idle().await;
            seen.extend(numbers(&log));
            assert_eq!(seen, (1..=store.all(&room()).len() as u64).collect::<Vec<_>>());
            let about_ana = |event: &&std::sync::Arc<Event>| match &***event {
                Event::PresenceChanged(change) => {
                    let joined = change.joined.iter().any(|member| member.user == *user.id());
                    joined || change.left.iter().any(|name| name == user.username())
                }
                _ => false,
            };
            assert!(witness.events().iter().filter(about_ana).count() <= 1, "only her first entry");
        });
    });
}

/// Opens sessions of a user and closes them again, in any order.
async fn come_and_go(engine: Engine, user: Identity, name: &'static str) {
    let mut open: Vec<Membership> = Vec::new();
    for i in 0..4 {
        if open.is_empty() || thread_rng().r#gen() {
            // a reader that stops after some events is removed
            let log = Log::new(if thread_rng().gen_bool(0.2) { 3 } else { usize::MAX });
            open.push(join_as(&engine, &user, &log, None).await);
        } else {
            let index = thread_rng().gen_range(0..open.len());
            let session = open.swap_remove(index);
            // it may have been removed
            let _ = session.submit(outgoing(&format!("{name}.{i}"))).await;
            match thread_rng().gen_range(0..3) {
                0 => session.detach(),
                1 => session.leave(),
                _ => session.leave_with_reason(LeftReason::Asked, None),
            }
        }
    }
}

/// Sessions of one user come and go in several tasks at once: it is one member as long as it has a
/// session, and in the end no name, record or entry in a list is left.
#[test]
fn a_user_is_one_member_while_it_has_a_session() {
    explore(|| {
        block_on(async {
            let (store, presence) = (Store::new(0.1), Presence::new());
            let engine = engine(&store, &presence).await;
            let log = Log::new(usize::MAX);
            let zoe = join(&engine, "zoe", &log).await;
            let user = guest("ana");
            let tasks = ["a", "b", "c"].map(|name| spawn(come_and_go(engine.clone(), user.clone(), name)));
            for outcome in join_all(tasks).await {
                outcome.unwrap();
            }
            zoe.idle().await;
            log.until(|events| view(events).len() == 1).await;
            assert_eq!(engine.members(&room()).unwrap().total(), 1);
            while presence.members(room()).await.unwrap().len() > 1 {
                yield_now().await;
            }
            drop(zoe);
            // nobody has the name any more: another user may take it
            drop(join(&engine, "ana", &Log::new(usize::MAX)).await);
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
