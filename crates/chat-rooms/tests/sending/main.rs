//! Messages on their way through a history store that is slow or fails.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod changes;
mod deletions;
mod gaps;
mod reactions;
mod rules;
mod sessions;
mod settings;
mod support;
mod turns;

use std::time::Duration;

use chat_history::{HistoryStore, NewMessage, Page, Retention};
use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::v2::{ErrorCode, LeftReason, Since};
use chat_protocol::{Event, Timestamp};
use chat_rooms::{Engine, SendWindow, Sink, Subscribe};
use futures::FutureExt;

use support::{Gate, brief, engine, guest, join, next, next_word, outgoing, room, user};

#[tokio::test(flavor = "multi_thread")]
async fn no_message_is_acked_or_delivered_before_it_is_stored() {
    let gate = Gate::default();
    let engine = engine(&gate).await;
    let (ana, mut anas) = join(&engine, "ana").await;
    let (_bob, mut bobs) = join(&engine, "bob").await;
    gate.shut();
    ana.submit(outgoing("one")).await.unwrap();
    ana.submit(outgoing("two")).await.unwrap();
    assert_eq!(gate.backlog(), 2);
    assert_eq!(next(&mut anas).await, "joined@0");
    assert_eq!(next(&mut anas).await, "+bob", "the room still works, and no other event was sent");
    assert!(anas.next().now_or_never().is_none());
    gate.open();
    for expected in ["ack one#1", "ana:one#1", "ack two#2", "ana:two#2"] {
        assert_eq!(next_word(&mut anas).await, expected);
    }
    for expected in ["joined@0", "ana:one#1", "ana:two#2"] {
        assert_eq!(next_word(&mut bobs).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_not_stored_is_reported_to_its_sender_only() {
    let gate = Gate::default();
    let engine = engine(&gate).await;
    let (ana, mut anas) = join(&engine, "ana").await;
    let (_bob, mut bobs) = join(&engine, "bob").await;
    gate.shut();
    ana.submit(outgoing("lost")).await.unwrap();
    gate.fail();
    gate.open();
    ana.submit(outgoing("kept")).await.unwrap();
    for expected in ["joined@0", "!StoreUnavailable lost", "ack kept#1", "ana:kept#1"] {
        assert_eq!(next_word(&mut anas).await, expected);
    }
    for expected in ["joined@0", "ana:kept#1"] {
        assert_eq!(next_word(&mut bobs).await, expected);
    }
    ana.idle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leave_event_follows_messages_in_flight_and_the_name_is_free_at_once() {
    let gate = Gate::default();
    let engine = engine(&gate).await;
    let (sink, mut bobs) = Sink::channel(1_000);
    let _bob = engine.join(&guest("bob"), &room(), Subscribe::new(sink).with_lists()).await.unwrap();
    assert_eq!(next(&mut bobs).await, "+bob");
    for (seq, with_notice) in [(1, true), (2, false)] {
        let (ana, mut anas) = join(&engine, "ana").await;
        gate.shut();
        ana.submit(outgoing("last words")).await.unwrap();
        if with_notice {
            ana.leave_with_reason(LeftReason::Asked, None);
        } else {
            drop(ana);
        }
        assert!(!engine.is_present(&room(), &user("ana")).await.unwrap(), "the name is free");
        assert_eq!(engine.members(&room()).unwrap().total(), 2, "but the leave is not announced yet");
        gate.open();
        for expected in ["+ana", &format!("ana:last words#{seq}"), "-ana"] {
            assert_eq!(next(&mut bobs).await, expected);
        }
        if with_notice {
            assert_eq!(next_word(&mut anas).await, "joined@0");
            for expected in ["ack last words#1", "ana:last words#1", "left"] {
                assert_eq!(next_word(&mut anas).await, expected);
            }
        }
        while anas.next().await.is_some() {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_can_be_taken_while_messages_of_its_last_holder_are_in_flight() {
    let gate = Gate::default();
    let engine = engine(&gate).await;
    let (sink, mut watching) = Sink::channel(1_000);
    let _watching =
        engine.join(&guest("watching"), &room(), Subscribe::new(sink).with_lists()).await.unwrap();
    let (ana, mut first) = join(&engine, "ana").await;
    gate.shut();
    ana.submit(outgoing("late")).await.unwrap();
    ana.leave_with_reason(LeftReason::Asked, None);
    let (successor, mut second) = join(&engine, "ana").await;
    gate.open();
    successor.submit(outgoing("here")).await.unwrap();
    for expected in ["joined@0", "left"] {
        assert_eq!(next_word(&mut first).await, expected);
    }
    for expected in ["joined@0", "ana:late#1", "ack here#2", "ana:here#2"] {
        assert_eq!(next_word(&mut second).await, expected);
    }
    let mut order = Vec::new();
    while order.len() < 6 {
        order.push(next(&mut watching).await);
    }
    assert_eq!(order, ["+watching", "+ana", "-ana", "+ana", "ana:late#1", "ana:here#2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_room_is_kept_until_its_messages_in_flight_are_stored() {
    let gate = Gate::default();
    let engine = engine(&gate).await;
    let (ana, _events) = join(&engine, "ana").await;
    gate.shut();
    ana.submit(outgoing("one")).await.unwrap();
    drop(ana);
    assert_eq!(engine.room_count(), 1);
    gate.open();
    let forgotten = async {
        while engine.room_count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), forgotten).await.expect("the room is gone");
    let (_bob, mut bobs) = join(&engine, "bob").await;
    assert_eq!(next(&mut bobs).await, "joined@1", "numbering continues");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_send_window_limits_messages_in_flight() {
    let gate = Gate::default();
    let engine = engine(&gate).await;
    let window = SendWindow::new(3, 1 << 20);
    let (sink, _events) = Sink::channel(1_000);
    let admission = engine.admit(&guest("ana"), &room()).await.unwrap().with_window(&window);
    let (ana, _) = admission.join(Subscribe::new(sink)).await.unwrap();
    let (bob, _bobs) = join(&engine, "bob").await;
    gate.shut();
    for _ in 0..3 {
        ana.submit("x").now_or_never().expect("the window is open").unwrap();
    }
    assert!(ana.submit("x").now_or_never().is_none(), "the send waits");
    assert_eq!(gate.backlog(), 3, "a cancelled send stores nothing");
    bob.submit("x").now_or_never().expect("the window limits only ana").unwrap();
    gate.open();
    ana.submit("x").await.unwrap();
    ana.idle().await;
    // a message leaves the window shortly after its result is known
    let open = async {
        while !window.is_open() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), open).await.expect("the window is open");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_replaces_another_continues_where_that_left_off() {
    let gate = Gate::default();
    let engine = engine(&gate).await;
    let user = guest("ana");
    let (sink, mut first) = Sink::channel(1_000);
    let broken = engine.join(&user, &room(), Subscribe::new(sink)).await.unwrap();
    let (bob, mut bobs) = join(&engine, "bob").await;
    bob.submit(outgoing("one")).await.unwrap();
    assert_eq!(next_word(&mut first).await, "joined@0");
    assert_eq!(next_word(&mut first).await, "bob:one#1");
    gate.shut();
    broken.submit(outgoing("mine")).await.unwrap();
    broken.detach();
    gate.open();
    bob.submit(outgoing("two")).await.unwrap();
    let since = Some(Since { epoch: engine.epoch(), seq: 1 });
    let (sink, mut second) = Sink::channel(1_000);
    let ana = engine.join(&user, &room(), Subscribe::new(sink).since(since)).await.unwrap();
    drop(broken);
    let Event::Joined(joined) = &*second.next().await.unwrap() else { unreachable!() };
    assert!(joined.changed.is_some());
    let missed: Vec<u64> = joined.messages.iter().map(|message| message.seq).collect();
    assert!(missed.iter().copied().eq(2..=joined.seq));
    ana.submit(outgoing("three")).await.unwrap();
    let mut last = joined.seq;
    loop {
        let word = next_word(&mut second).await;
        assert!(!word.starts_with("ack mine"), "a reply for the old sink is not sent to the new one");
        if word.starts_with("ack ") {
            assert_eq!(word, "ack three#4");
            continue;
        }
        last += 1;
        assert!(word.ends_with(&format!("#{last}")), "{word}");
        if last == 4 {
            break;
        }
    }
    while first.next().await.is_some() {}
    let seen: Vec<_> =
        std::iter::from_fn(|| bobs.next().now_or_never().flatten()).map(|e| brief(&e)).collect();
    assert!(seen.iter().all(|event| !event.contains("-ana") && !event.contains("+ana")), "{seen:?}");
    assert!(ana.refuse(ErrorCode::Forbidden, "no", Some("x".parse().unwrap())).is_ok());
    assert_eq!(next_word(&mut second).await, "!Forbidden x");
}

/// Messages from before retention was configured have valid timestamps.
#[tokio::test(flavor = "multi_thread")]
async fn old_messages_are_pruned_if_retention_is_configured() {
    let gate = Gate::default();
    let builder = Engine::builder(MemoryPresence::new(NodeId::new("here")));
    let builder = builder.history(gate.clone());
    let builder = builder.retention(Retention::new(None, Some(2)));
    let message = |body: &str| {
        let (user, from) = (guest("ana").id().clone(), user("ana"));
        NewMessage::new(room(), user, from, body, body.parse().unwrap()).idempotent(true)
    };
    for body in ["1", "2", "3", "4"] {
        gate.append(
            message(body).into(),
            Box::new(|done| assert!(done.unwrap().message().unwrap().sent_at > Timestamp::from_millis(0))),
        );
    }
    let _engine = builder.start().await.unwrap();
    let page = Page::After { seq: 0, limit: 10 };
    let kept = async || gate.page(room(), page, Retention::default()).await.unwrap().messages.len();
    let pruned = async {
        while kept().await != 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), pruned).await.expect("the pruner runs");
}
