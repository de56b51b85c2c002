//! Members that come, speak and go, all at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use chat_protocol::v2::LeftReason;
use chat_protocol::{Content, Event, Message};
use chat_rooms::{Engine, Membership};
use shuttle::future::{block_on, spawn};
use shuttle::rand::{Rng, thread_rng};

use crate::explore::explore;
use crate::stay::{Log, acks, ends_with_left, is_answered, join, joined, messages, outgoing, room, view};
use crate::store::{Presence, Store, engine};

/// How a stay ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Stays,
    Leaves,
    Told,
}

struct Stay {
    log: Arc<Log>,
    end: End,
    said: Vec<String>,
    is_last: bool,
    /// Whoever stays is held here.
    _member: Option<Membership>,
}

/// Comes, says something, and goes or is_active.
async fn stay(engine: &Engine, name: &str, number: usize, end: End) -> Stay {
    let log = Log::new(usize::MAX);
    let member = join(engine, name, &log).await;
    let said: Vec<_> = (0..thread_rng().gen_range(0..3)).map(|i| format!("{name}.{number}.{i}")).collect();
    for body in &said {
        member.submit(outgoing(body)).await.unwrap();
    }
    let member = match end {
        End::Stays => Some(member),
        End::Leaves => {
            member.leave();
            None
        }
        End::Told => {
            member.leave_telling(LeftReason::Asked, None);
            None
        }
    };
    Stay { log, end, said, is_last: number == 1, _member: member }
}

/// Two stays of one user, one right behind the other: a name is free as soon as its holder has left.
async fn is_active(engine: Engine, name: &'static str) -> Vec<Stay> {
    let first = if thread_rng().r#gen() { End::Leaves } else { End::Told };
    let then = if thread_rng().gen_bool(0.7) { End::Stays } else { first };
    vec![stay(&engine, name, 0, first).await, stay(&engine, name, 1, then).await]
}

/// What every stay was told is one unbroken part of what is stored.
fn check(stay: &Stay, stored: &[Arc<Message>]) {
    let events = stay.log.events();
    if events.is_empty() && stay.end == End::Leaves {
        // gone before it was told that it is in
        return;
    }
    let from = usize::try_from(joined(&events).seq).unwrap();
    let got = messages(&events);
    let expected: Vec<_> = stored[from..].iter().take(got.len()).map(numbered).collect();
    assert_eq!(got, expected, "{:?}", stay.end);
    // an ack comes before what it is about
    for ack in acks(&events) {
        let of_ack = events.iter().position(|event| {
            is_answered(std::slice::from_ref(event), ack.reference.as_ref().unwrap().as_str())
        });
        let of_message = events.iter().position(|event| {
            messages(std::slice::from_ref(event)).first().is_some_and(|(seq, _)| *seq == ack.seq)
        });
        assert!(of_message.is_none_or(|message| message > of_ack.unwrap()));
    }
    match stay.end {
        End::Stays => {
            assert_eq!(from + got.len(), stored.len(), "who is in gets everything");
            check_answered(stay, &events);
        }
        End::Told => {
            assert!(ends_with_left(&events), "nothing comes behind `left`");
            // the second stay of a user ends the first at once, whatever that has on its way
            if stay.is_last {
                check_answered(stay, &events);
            }
        }
        End::Leaves => {}
    }
}

fn check_answered(stay: &Stay, events: &[Arc<Event>]) {
    assert!(stay.said.iter().all(|body| is_answered(events, body)), "{:?}", stay.said);
}

fn numbered(message: &Arc<Message>) -> (u64, String) {
    match &message.content {
        Content::Said { body, .. } => (message.seq, body.to_string()),
        Content::Erased => (message.seq, String::new()),
    }
}

#[test]
fn who_is_in_gets_everything_and_who_left_nothing_more() {
    explore(|| {
        block_on(async {
            let (store, presence) = (Store::new(0.1), Presence::new());
            let engine = engine(&store, &presence).await;
            // one who is_active: the room lives as long as everybody
            let log = Log::new(usize::MAX);
            let zoe = join(&engine, "zoe", &log).await;
            let coming = ["ana", "bob", "cid"].map(|name| spawn(stays(engine.clone(), name)));
            let mut all = Vec::new();
            for stays in coming {
                all.extend(is_active.await.unwrap());
            }
            // `left` comes behind everything of that stay, and that may still be on its way
            for stay in all.iter().filter(|stay| stay.end == End::Told) {
                stay.log.until(ends_with_left).await;
            }
            zoe.idle().await;

            let stored = store.all(&room());
            all.iter().for_each(|stay| check(stay, &stored));
            assert_eq!(messages(&log.events()), stored.iter().map(numbered).collect::<Vec<_>>());
            let gone: Vec<_> =
                all.iter().filter(|stay| stay.end != End::Stays).map(|stay| stay.log.clone()).collect();
            let told: Vec<_> = gone.iter().map(|log| log.events().len()).collect();
            zoe.submit("after all that").await.unwrap();
            zoe.idle().await;
            assert_eq!(
                gone.iter().map(|log| log.events().len()).collect::<Vec<_>>(),
                told,
                "who left gets nothing more"
            );
            let there: BTreeSet<_> = names(&engine);
            log.until(|events| view(events) == there).await;
            for stay in all.iter().filter(|stay| stay.end == End::Stays) {
                stay.log.until(|events| view(events) == there).await;
            }
        });
    });
}

/// Who is there.
fn names(engine: &Engine) -> BTreeSet<String> {
    let members = engine.members(&room()).unwrap();
    members.first().iter().map(|member| member.username.to_string()).collect()
}

/// One whose outlet takes nothing more is put out: the others go on, its name is free, and nothing of it is left.
#[test]
fn who_reads_no_more_is_put_out_and_the_others_miss_nothing() {
    explore(|| {
        block_on(async {
            let (store, presence) = (Store::new(0.0), Presence::new());
            let engine = engine(&store, &presence).await;
            let log = Log::new(usize::MAX);
            let zoe = join(&engine, "zoe", &log).await;
            let stuck = Log::new(thread_rng().gen_range(0..3));
            let ana = join(&engine, "ana", &stuck).await;
            let speaking = ["bob", "cid"].map(|name| {
                let engine = engine.clone();
                spawn(async move { stay(&engine, name, 0, End::Stays).await })
            });
            // it may be out already
            let _ = ana.submit(outgoing("ana.0")).await;
            let mut all = Vec::new();
            for stay in speaking {
                all.push(stay.await.unwrap());
            }
            while ana.is_in() {
                zoe.submit("one more").await.unwrap();
                zoe.idle().await;
            }
            let again = join(&engine, "ana", &log).await;
            drop(ana);
            assert!(again.is_in(), "the stay before is not this one");
            again.leave();
            zoe.idle().await;
            let stored = store.all(&room());
            all.iter().for_each(|stay| check(stay, &stored));
            drop((zoe, all));
            assert_eq!(engine.room_count(), 0);
        });
    });
}
