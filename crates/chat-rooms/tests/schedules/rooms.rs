//! Members that join, send and leave concurrently.

use std::collections::BTreeSet;
use std::sync::Arc;

use chat_protocol::v2::LeftReason;
use chat_protocol::{Content, Event, Message, Text};
use chat_rooms::{Engine, Membership};
use shuttle::future::{block_on, spawn};
use shuttle::rand::{Rng, thread_rng};

use crate::client::{Log, acks, ends_with_left, is_answered, join, joined, messages, outgoing, room, view};
use crate::explore::explore;
use crate::store::{Presence, Store, engine};

/// How a visit ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Stays,
    Leaves,
    LeavesWithNotice,
}

struct Visit {
    log: Arc<Log>,
    end: End,
    sent: Vec<String>,
    is_last: bool,
    /// The membership, if the member stays.
    _member: Option<Membership>,
}

/// Joins, sends some messages, and leaves or stays.
async fn visit(engine: &Engine, name: &str, number: usize, end: End) -> Visit {
    let log = Log::new(usize::MAX);
    let member = join(engine, name, &log).await;
    let sent: Vec<_> = (0..thread_rng().gen_range(0..3)).map(|i| format!("{name}.{number}.{i}")).collect();
    for body in &sent {
        member.submit(outgoing(body)).await.unwrap();
    }
    let member = match end {
        End::Stays => Some(member),
        End::Leaves => {
            member.leave();
            None
        }
        End::LeavesWithNotice => {
            member.leave_with_reason(LeftReason::Asked, None);
            None
        }
    };
    Visit { log, end, sent, is_last: number == 1, _member: member }
}

/// Two visits of one user in succession: a name is free as soon as its holder has left.
async fn two_visits(engine: Engine, name: &'static str) -> Vec<Visit> {
    let first = if thread_rng().r#gen() { End::Leaves } else { End::LeavesWithNotice };
    let second = if thread_rng().gen_bool(0.7) { End::Stays } else { first };
    vec![visit(&engine, name, 0, first).await, visit(&engine, name, 1, second).await]
}

/// Checks that a visit received a contiguous part of the stored messages.
fn check(visit: &Visit, stored: &[Arc<Message>]) {
    let events = visit.log.events();
    if events.is_empty() && visit.end == End::Leaves {
        // left before it received `Joined`
        return;
    }
    let from = usize::try_from(joined(&events).seq).unwrap();
    let got = messages(&events);
    let expected: Vec<_> = stored[from..].iter().take(got.len()).map(numbered).collect();
    assert_eq!(got, expected, "{:?}", visit.end);
    // an ack precedes its message
    for ack in acks(&events) {
        let of_ack = events.iter().position(|event| {
            is_answered(std::slice::from_ref(event), ack.reference.as_ref().unwrap().as_str())
        });
        let of_message = events.iter().position(|event| {
            messages(std::slice::from_ref(event)).first().is_some_and(|(seq, _)| Some(*seq) == ack.seq)
        });
        assert!(of_message.is_none_or(|message| message > of_ack.unwrap()));
    }
    match visit.end {
        End::Stays => {
            assert_eq!(from + got.len(), stored.len(), "a member receives everything");
            check_answered(visit, &events);
        }
        End::LeavesWithNotice => {
            assert!(ends_with_left(&events), "nothing comes after `left`");
            // the second visit of a user ends the first one at once, even if it has messages in
            // flight
            if visit.is_last {
                check_answered(visit, &events);
            }
        }
        End::Leaves => {}
    }
}

fn check_answered(visit: &Visit, events: &[Arc<Event>]) {
    assert!(visit.sent.iter().all(|body| is_answered(events, body)), "{:?}", visit.sent);
}

fn numbered(message: &Arc<Message>) -> (u64, String) {
    match &message.content {
        Content::Text(Text { body, .. }) => (message.seq, body.to_string()),
        _ => (message.seq, String::new()),
    }
}

#[test]
fn members_receive_everything_and_nothing_after_leaving() {
    explore(|| {
        block_on(async {
            let (store, presence) = (Store::new(0.1), Presence::new());
            let engine = engine(&store, &presence).await;
            // a member that stays, so that the room exists throughout the test
            let log = Log::new(usize::MAX);
            let zoe = join(&engine, "zoe", &log).await;
            let tasks = ["ana", "bob", "cid"].map(|name| spawn(two_visits(engine.clone(), name)));
            let mut all = Vec::new();
            for task in tasks {
                all.extend(task.await.unwrap());
            }
            // `left` comes after all other events of the visit, which may still be in flight
            for visit in all.iter().filter(|visit| visit.end == End::LeavesWithNotice) {
                visit.log.until(ends_with_left).await;
            }
            zoe.idle().await;

            let stored = store.all(&room());
            all.iter().for_each(|visit| check(visit, &stored));
            assert_eq!(messages(&log.events()), stored.iter().map(numbered).collect::<Vec<_>>());
            let ended: Vec<_> =
                all.iter().filter(|visit| visit.end != End::Stays).map(|visit| visit.log.clone()).collect();
            let received: Vec<_> = ended.iter().map(|log| log.events().len()).collect();
            zoe.submit("after all that").await.unwrap();
            zoe.idle().await;
            assert_eq!(
                ended.iter().map(|log| log.events().len()).collect::<Vec<_>>(),
                received,
                "no events after leaving"
            );
            let present: BTreeSet<_> = names(&engine);
            log.until(|events| view(events) == present).await;
            for visit in all.iter().filter(|visit| visit.end == End::Stays) {
                visit.log.until(|events| view(events) == present).await;
            }
        });
    });
}

/// The members of the room.
fn names(engine: &Engine) -> BTreeSet<String> {
    let members = engine.members(&room()).unwrap();
    members.first().iter().map(|member| member.username.to_string()).collect()
}

/// A member whose sink is full is removed: the others are not affected, its name is free, and
/// nothing of it remains.
#[test]
fn a_member_whose_sink_is_full_is_removed_and_the_others_miss_nothing() {
    explore(|| {
        block_on(async {
            let (store, presence) = (Store::new(0.0), Presence::new());
            let engine = engine(&store, &presence).await;
            let log = Log::new(usize::MAX);
            let zoe = join(&engine, "zoe", &log).await;
            let stuck = Log::new(thread_rng().gen_range(0..3));
            let ana = join(&engine, "ana", &stuck).await;
            let tasks = ["bob", "cid"].map(|name| {
                let engine = engine.clone();
                spawn(async move { visit(&engine, name, 0, End::Stays).await })
            });
            // it may have been removed already
            let _ = ana.submit(outgoing("ana.0")).await;
            let mut all = Vec::new();
            for task in tasks {
                all.push(task.await.unwrap());
            }
            while ana.is_member() {
                zoe.submit("one more").await.unwrap();
                zoe.idle().await;
            }
            let successor = join(&engine, "ana", &log).await;
            drop(ana);
            assert!(successor.is_member(), "dropping the old membership does not affect the new one");
            successor.leave();
            zoe.idle().await;
            let stored = store.all(&room());
            all.iter().for_each(|visit| check(visit, &stored));
            drop((zoe, all));
            assert_eq!(engine.room_count(), 0);
        });
    });
}
