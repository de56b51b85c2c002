//! A member whose connection is exchanged again and again while the room goes on.

use chat_protocol::v2::{LeftReason, Since, StoredMessage};
use chat_rooms::{ReadError, SendWindow, Subscribe};
use shuttle::future::{block_on, spawn};
use shuttle::rand::{Rng, thread_rng};

use crate::explore::explore;
use crate::stay::{Log, ends_with_left, join, joined, messages, outgoing, reattach, room};
use crate::store::{Presence, Store, engine};

/// What was missed and what comes live meet without a hole or a repeat, whenever it is that one comes back; and nobody sees it leave.
#[test]
fn what_was_missed_and_what_comes_live_meet() {
    explore(|| {
        block_on(async {
            let (store, presence) = (Store::new(0.1), Presence::new());
            let engine = engine(&store, &presence).await;
            let mut log = Log::new(usize::MAX);
            let mut ana = join(&engine, "ana", &log).await;
            let speaking = ["bob", "cid"].map(|name| {
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
                // the line breaks: what is on its way to it is lost, and what came stays
                ana.detach();
                seen.extend(numbers(&log));
                log = Log::new(usize::MAX);
                rejoin(&engine, &mut ana, &log, seen.len() as u64).await;
                ana.idle().await;
                let events = log.events();
                let joined = joined(&events);
                assert!(joined.recovered);
                seen.extend(joined.messages.iter().map(StoredMessage::seq));
            }
            for speaker in speaking {
                speaker.await.unwrap();
            }
            ana.idle().await;
            seen.extend(numbers(&log));
            assert_eq!(seen, (1..=store.all(&room()).len() as u64).collect::<Vec<_>>());
        });
    });
}

/// A line breaks while its seat goes to another: whoever is told that it is in is in, and is told everything.
#[test]
fn a_seat_is_not_put_out_for_the_line_before() {
    explore(|| {
        block_on(async {
            let (store, presence) = (Store::new(0.0), Presence::new());
            // so that what was missed has to be read
            store.fill(&room(), 2);
            let engine = engine(&store, &presence).await;
            let bobs = Log::new(usize::MAX);
            let bob = join(&engine, "bob", &bobs).await;
            let mut ana = join(&engine, "ana", &Log::new(thread_rng().gen_range(0..3))).await;
            // it may be out already; if not, it has words on their way when its line breaks
            let _ = ana.submit(outgoing("ana.0")).await;
            let speaking = spawn(async move {
                for i in 0..3 {
                    bob.submit(outgoing(&format!("bob.{i}"))).await.unwrap();
                }
                bob
            });
            let log = Log::new(usize::MAX);
            let subscribe = Subscribe::new(log.outlet()).since(Since { epoch: engine.epoch(), seq: 0 });
            match ana.reattach(subscribe, &SendWindow::default()).await {
                Ok(_) => {
                    let bob = speaking.await.unwrap();
                    bob.idle().await;
                    assert!(ana.is_in());
                    let events = log.events();
                    let recovered = joined(&events).messages.len();
                    assert_eq!(recovered + messages(&events).len(), store.all(&room()).len());
                }
                Err(error) => {
                    assert_eq!(error, ReadError::NotAMember);
                    speaking.await.unwrap().idle().await;
                    assert!(!ana.is_in() && log.events().is_empty());
                }
            }
        });
    });
}

/// One session that leaves a room and joins it again at once: what it is told of its two stays is not mixed.
#[test]
fn two_stays_by_one_line_are_told_one_behind_the_other() {
    explore(|| {
        block_on(async {
            let (store, presence) = (Store::new(0.0), Presence::new());
            let engine = engine(&store, &presence).await;
            let mut others = Vec::new();
            // as many as need two pumps
            for name in ["bob", "cid", "dee"] {
                let member = join(&engine, name, &Log::new(usize::MAX)).await;
                others.push(spawn(async move {
                    member.submit(outgoing(&format!("{name}.0"))).await.unwrap();
                    member
                }));
            }
            let log = Log::new(usize::MAX);
            let ana = join(&engine, "ana", &log).await;
            ana.leave_telling(LeftReason::Asked, None);
            let ana = join(&engine, "ana", &log).await;
            for other in &mut others {
                other.await.unwrap().idle().await;
            }
            ana.idle().await;

            let events = log.events();
            let left = events.iter().position(|event| ends_with_left(std::slice::from_ref(event))).unwrap();
            let (first, second) = events.split_at(left + 1);
            for stay in [first, second] {
                let from = joined(stay).seq;
                let got = messages(stay);
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
