//! Offers what happened to the members of a room, a share of them to a pump.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::delivery::batch::Batch;
use crate::delivery::encoding::Encodings;
use crate::delivery::frames::Frames;
use crate::delivery::sink::{Sink, SinkClosed};
use crate::delivery::subscriber::Subscriber;
use crate::sync::Instant;

/// A walk gives the worker back to the runtime after so many offers or so much time: an offer may be a system call, and
/// spends none of the runtime's own budget.
const OFFERS_A_TURN: usize = 64;
const TIME_A_TURN: Duration = Duration::from_micros(200);

/// How long a pump has held its worker.
pub(crate) struct Turn {
    since: Instant,
    offers: usize,
}

impl Turn {
    pub(crate) fn new() -> Self {
        Self { since: Instant::now(), offers: 0 }
    }

    /// Gives the worker back if it was held long enough. Looking at the clock costs a part of an offer.
    async fn pass_on(&mut self, look_at_clock: bool) {
        if self.offers >= OFFERS_A_TURN || (look_at_clock && self.since.elapsed() >= TIME_A_TURN) {
            tokio::task::yield_now().await;
            *self = Self::new();
        }
    }
}

/// Members that a walk let go of.
#[derive(Default)]
pub(crate) struct Walked {
    /// Those who take nothing more.
    pub(crate) refused: Vec<Arc<Subscriber>>,
    /// Those who have got their last event.
    pub(crate) ended: Vec<Arc<Subscriber>>,
}

/// Offers the batches to each member. Lets go of members that are out.
pub(crate) async fn walk(
    batches: &[Arc<Batch>],
    members: &mut Vec<Arc<Subscriber>>,
    encodings: &Encodings,
    turn: &mut Turn,
) -> Walked {
    let mut walked = Walked::default();
    let mut pieces = Vec::new();
    let mut next = 0;
    let end = batches.last().map_or(0, |batch| batch.end());
    while let Some(subscriber) = members.get(next) {
        if subscriber.is_gone() {
            members.swap_remove(next);
            continue;
        }
        if offer(subscriber, batches, encodings, &mut pieces).is_err() {
            walked.refused.push(members.swap_remove(next));
            continue;
        }
        if subscriber.end() <= end {
            walked.ended.push(members.swap_remove(next));
        } else {
            next += 1;
        }
        turn.offers += 1;
        turn.pass_on(turn.offers.is_multiple_of(8)).await;
    }
    turn.pass_on(true).await;
    walked
}

fn offer(
    subscriber: &Subscriber,
    batches: &[Arc<Batch>],
    encodings: &Encodings,
    pieces: &mut Vec<Frames>,
) -> Result<(), SinkClosed> {
    // a sink that panics is a sink that takes nothing more, an encoding that panics has nothing for it: the others' events go on
    match &subscriber.outlet {
        Sink::Events(sink) => {
            let mut events = batches.iter().flat_map(|batch| batch.events(subscriber));
            caught(|| events.try_for_each(|event| sink.offer(event)))
        }
        Sink::Frames { sink, .. } => {
            pieces.clear();
            let encoded = subscriber.encoding.and_then(|encoding| {
                let encode =
                    || batches.iter().for_each(|batch| batch.pieces(subscriber, encoding, encodings, pieces));
                catch_unwind(AssertUnwindSafe(encode)).ok()
            });
            if encoded.is_none() {
                return caught(|| {
                    sink.fail();
                    Err(SinkClosed)
                });
            }
            if pieces.is_empty() { Ok(()) } else { caught(|| sink.offer(pieces)) }
        }
    }
}

/// What a sink says to an offer; one that panics takes nothing more.
pub(crate) fn caught(offer: impl FnOnce() -> Result<(), SinkClosed>) -> Result<(), SinkClosed> {
    catch_unwind(AssertUnwindSafe(offer)).unwrap_or(Err(SinkClosed))
}
