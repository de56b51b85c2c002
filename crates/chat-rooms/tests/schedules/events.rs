//! Deletions, resyncs, and commits that seem to fail.

use chat_protocol::{DeletedBy, Since};
use chat_rooms::Resync;
use shuttle::future::{block_on, spawn};
use shuttle::rand::{Rng, thread_rng};

use crate::client::{Log, Timeline, guest, is_answered, join, join_as, outgoing, room};
use crate::explore::explore;
use crate::store::{Presence, Store, engine};

/// Whatever fails, and whoever joins or resyncs in the middle: a member that follows the cursor
/// rule ends with the messages of the store, in their states.
#[test]
fn members_that_follow_the_cursor_rule_end_with_the_messages_of_the_store() {
    explore(|| {
        block_on(async {
            let (store, presence) = (Store::with_false_failures(0.3), Presence::new());
            store.fill(&room(), thread_rng().gen_range(0..3));
            let engine = engine(&store, &presence).await;
            let logs = [(); 3].map(|()| Log::new(usize::MAX));
            let zoe = join_as(&engine, &guest("zoe"), &logs[0], Some(0)).await;
            let sending = {
                let (engine, log) = (engine.clone(), logs[1].clone());
                spawn(async move {
                    let ana = join_as(&engine, &guest("ana"), &log, Some(0)).await;
                    for n in 0..3 {
                        ana.submit(outgoing(&format!("ana.{n}"))).await.unwrap();
                    }
                    ana
                })
            };
            let deleting = {
                let engine = engine.clone();
                spawn(async move {
                    for _ in 0..3 {
                        let target = thread_rng().gen_range(1..6);
                        // it may have failed although it is stored
                        let _ = engine.delete_messages(&room(), &[target], DeletedBy::Operator).await;
                    }
                })
            };
            let joining = {
                let (engine, log) = (engine.clone(), logs[2].clone());
                spawn(async move { join_as(&engine, &guest("bob"), &log, Some(0)).await })
            };
            zoe.submit(outgoing("zoe.0")).await.unwrap();
            let since = Since { epoch: engine.epoch(), seq: 0 };
            zoe.resync(Resync::new(since)).await.unwrap();
            let members = (sending.await.unwrap(), joining.await.unwrap());
            deleting.await.unwrap();
            // an event that nobody has heard of is delivered with the next one
            store.heal();
            zoe.submit(outgoing("last")).await.unwrap();
            for log in &logs[..1] {
                log.until(|events| is_answered(events, "last")).await;
            }
            zoe.idle().await;
            let expected = store.all(&room());
            for log in &logs {
                assert_eq!(Timeline::of(&log.events()), expected);
            }
            drop(members);
        });
    });
}

/// A deletion may be the first thing that happens in a room, while others join it and leave it.
#[test]
fn a_deletion_meets_members_that_come_and_go() {
    explore(|| {
        block_on(async {
            let (store, presence) = (Store::new(0.0), Presence::new());
            store.fill(&room(), 2);
            let engine = engine(&store, &presence).await;
            let tasks = ["ana", "bob"].map(|name| {
                let engine = engine.clone();
                spawn(async move {
                    let log = Log::new(usize::MAX);
                    let member = join_as(&engine, &guest(name), &log, Some(0)).await;
                    member.submit(outgoing(name)).await.unwrap();
                    member.leave();
                    let log = Log::new(usize::MAX);
                    (join(&engine, name, &log).await, log)
                })
            });
            let deleted = engine.delete_messages(&room(), &[1, 2], DeletedBy::Operator).await;
            assert_eq!(deleted.unwrap(), 2);
            for task in tasks {
                let (member, log) = task.await.unwrap();
                member.idle().await;
                // no gap
                Timeline::of(&log.events());
                drop(member);
            }
            assert_eq!(engine.room_count(), 0);
            assert!(store.all(&room())[..2].iter().all(|message| message.text().is_none()));
        });
    });
}
