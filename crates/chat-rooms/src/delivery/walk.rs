//! Offers batches of events to the members of one pump.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::delivery::batch::Batch;
use crate::delivery::encoding::Encodings;
use crate::delivery::frames::Frames;
use crate::delivery::sink::{Sink, SinkClosed};
use crate::delivery::subscriber::Subscriber;
use crate::sync::Instant;

/// A walk yields to the runtime after this many offers or this much time: an offer may be a system
/// call, and does not consume the runtime's own cooperative budget.
const OFFERS_A_TURN: usize = 64;
const TIME_A_TURN: Duration = Duration::from_micros(200);

/// How long a pump has run without yielding.
pub(crate) struct Turn {
    since: Instant,
    offers: usize,
}

impl Turn {
    pub(crate) fn new() -> Self {
        Self { since: Instant::now(), offers: 0 }
    }

    /// Yields if the pump has run long enough. Reading the clock costs a fraction of an offer, so
    /// it is not done every time.
    async fn pass_on(&mut self, look_at_clock: bool) {
        if self.offers >= OFFERS_A_TURN || (look_at_clock && self.since.elapsed() >= TIME_A_TURN) {
            tokio::task::yield_now().await;
            *self = Self::new();
        }
    }
}

/// Members that a walk dropped.
#[derive(Default)]
pub(crate) struct Walked {
    /// The members whose sinks are closed.
    pub(crate) refused: Vec<Arc<Subscriber>>,
    /// The members that have received their last event.
    pub(crate) ended: Vec<Arc<Subscriber>>,
}

/// Offers the batches to each member. Drops the members that are out of the room.
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
    // a panic in a sink closes that sink, and a panic in an encoding closes the sinks that use it:
    // the other members are not affected
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

/// Offers to a sink. A sink that panics counts as closed.
pub(crate) fn caught(offer: impl FnOnce() -> Result<(), SinkClosed>) -> Result<(), SinkClosed> {
    catch_unwind(AssertUnwindSafe(offer)).unwrap_or(Err(SinkClosed))
}
