//! Senders that wait for a room: each is woken when it is its turn. And senders that wait for the
//! outcome, whatever becomes of the runtime.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use chat_presence::{MemoryPresence, NodeId};
use chat_rooms::{Engine, EngineLimits, Events, Membership, SendError};
use futures::future::{BoxFuture, FutureExt, join_all};
use futures::stream::{FuturesUnordered, StreamExt};

use crate::support::{Gate, engine, join, next_word, outgoing, room};

const SENDERS: usize = 50;

/// A send that counts how often it is woken.
struct Counted<'a> {
    sending: BoxFuture<'a, Result<(), SendError>>,
    polls: &'a AtomicUsize,
}

impl Future for Counted<'_> {
    type Output = Result<(), SendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        self.sending.poll_unpin(cx)
    }
}

/// A room that accepts one message at a time, and its members.
async fn narrow_room(gate: &Gate) -> (Engine, Vec<Membership>, Vec<Events>) {
    let builder = Engine::builder(MemoryPresence::new(NodeId::new("here")));
    let limits = EngineLimits { queued_bytes: 1, ..EngineLimits::default() };
    let engine = builder.history(gate.clone()).limits(limits).start().await.unwrap();
    let (zoe, zoes) = join(&engine, "zoe").await;
    let (mut members, mut events) = (Vec::new(), vec![zoes]);
    for i in 0..SENDERS {
        let (member, stream) = join(&engine, &format!("p{i}")).await;
        members.push(member);
        events.push(stream);
    }
    zoe.idle().await;
    gate.shut();
    zoe.submit(outgoing("the first")).await.unwrap();
    members.push(zoe);
    (engine, members, events)
}

/// Starts to send a message from each member; none is accepted yet.
fn send_all<'a>(members: &'a [Membership], polls: &'a AtomicUsize) -> Vec<Counted<'a>> {
    let sending = members.iter().enumerate();
    let sending = sending
        .map(|(i, member)| Counted { sending: member.submit(outgoing(&i.to_string())).boxed(), polls });
    let mut sending: Vec<_> = sending.collect();
    assert!(sending.iter_mut().all(|sending| sending.now_or_never().is_none()), "the room is full");
    sending
}

async fn finish(sending: Vec<Counted<'_>>) {
    let mut sending: FuturesUnordered<_> = sending.into_iter().collect();
    let finishing = async {
        while let Some(sent) = sending.next().await {
            sent.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(20), finishing).await.expect("no wake-up is lost");
}

/// The texts of the next messages.
async fn texts(events: &mut Events, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < count {
        let word = next_word(events).await;
        if let Some((_, text)) = word.split_once(':').filter(|_| word.contains('#')) {
            texts.push(text.split_once('#').unwrap().0.to_owned());
        }
    }
    texts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_sender_is_woken_when_it_is_its_turn() {
    let gate = Gate::default();
    let (_engine, members, mut events) = narrow_room(&gate).await;
    let polls = AtomicUsize::new(0);
    let sending = send_all(&members[..SENDERS], &polls);
    gate.open();
    finish(sending).await;
    // once to begin, once for the turn, once for the capacity, and once when all are taken over
    let polls = polls.into_inner();
    assert!(polls <= 4 * SENDERS, "{polls} wake-ups of {SENDERS} senders");
    let mut expected = vec!["the first".to_owned()];
    expected.extend((0..SENDERS).map(|i| i.to_string()));
    assert_eq!(texts(&mut events[0], 1 + SENDERS).await, expected, "the order in which they came");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_gives_up_passes_its_turn_on() {
    let gate = Gate::default();
    let (_engine, members, mut events) = narrow_room(&gate).await;
    let polls = AtomicUsize::new(0);
    let mut sending = send_all(&members[..SENDERS], &polls);
    // the one whose turn it is, some that wait for theirs, and the last one
    let (mut i, gives_up) = (0, |i: usize| i < 3 || i.is_multiple_of(5) || i == SENDERS - 1);
    sending.retain(|_| {
        i += 1;
        !gives_up(i - 1)
    });
    gate.open();
    finish(sending).await;
    let mut expected = vec!["the first".to_owned()];
    expected.extend((0..SENDERS).filter(|i| !gives_up(*i)).map(|i| i.to_string()));
    assert_eq!(texts(&mut events[0], expected.len()).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_senders_give_up_when_their_room_is_closed() {
    let gate = Gate::default();
    let (engine, members, _events) = narrow_room(&gate).await;
    let polls = AtomicUsize::new(0);
    let sending = send_all(&members[..SENDERS], &polls);
    assert_eq!(engine.close_room(&room()), 1 + SENDERS);
    gate.open();
    for outcome in tokio::time::timeout(Duration::from_secs(20), join_all(sending)).await.expect("outcomes") {
        assert!(matches!(outcome, Err(SendError::NotAMember)), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_stored_message_is_settled_although_the_runtime_of_the_engine_is_gone() {
    let gate = Gate::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let member = runtime.spawn({
        let gate = gate.clone();
        async move { join(&engine(&gate).await, "ana").await }
    });
    let (member, _events) = member.await.unwrap();
    gate.shut();
    let mut sending = member.send("hello").boxed();
    assert!((&mut sending).now_or_never().is_none());
    runtime.shutdown_background();
    gate.open();
    let stored = tokio::time::timeout(Duration::from_secs(20), sending).await.expect("an outcome");
    assert_eq!(stored.unwrap().seq, 1);
}
