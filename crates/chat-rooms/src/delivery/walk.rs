//! Offers batches of events to the members of one pump.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::delivery::audience::SubscriptionId;
use crate::delivery::batch::Batch;
use crate::delivery::encoding::Encodings;
use crate::delivery::frames::Frames;
use crate::delivery::members::PumpMembers;
use crate::delivery::sink::{Sink, SinkClosed};
use crate::delivery::subscriber::Subscriber;
use crate::sync::Instant;

/// A walk yields to the runtime after this many offers or this much time: an offer may be a system
/// call, and does not consume the runtime's own cooperative budget.
const MAX_OFFERS_PER_TURN: usize = 64;
const MAX_TURN_TIME: Duration = Duration::from_micros(200);

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
    pub(crate) async fn yield_if_due(&mut self, look_at_clock: bool) {
        if self.offers >= MAX_OFFERS_PER_TURN || (look_at_clock && self.since.elapsed() >= MAX_TURN_TIME) {
            tokio::task::yield_now().await;
            *self = Self::new();
        }
    }
}

/// Members that a walk dropped.
#[derive(Default)]
pub(crate) struct Walked {
    /// The members whose sinks are closed.
    pub(crate) closed: Vec<Arc<Subscriber>>,
    /// The members that have received their last event.
    pub(crate) ended: Vec<Arc<Subscriber>>,
}

/// Offers the batches to each member. Drops the members that are out of the room.
pub(crate) async fn walk(
    batches: &[Arc<Batch>],
    members: &mut PumpMembers,
    encodings: &Encodings,
    turn: &mut Turn,
) -> Walked {
    let mut walked = Walked::default();
    let mut pieces = Vec::new();
    let mut next = 0;
    let end = batches.last().map_or(0, |batch| batch.end());
    let recipients = recipients(batches);
    let (mut visits, mut is_recipient) = (0_usize, true);
    while let Some(subscriber) = members.get(next) {
        if subscriber.is_gone() {
            members.swap_remove(next);
            continue;
        }
        if let Some(recipients) = &recipients {
            is_recipient = recipients.binary_search(&subscriber.recipient.id).is_ok();
        }
        if is_recipient && offer(subscriber, batches, encodings, &mut pieces).is_err() {
            walked.closed.push(members.swap_remove(next));
            continue;
        }
        if subscriber.end() <= end {
            walked.ended.push(members.swap_remove(next));
        } else {
            next += 1;
        }
        turn.offers += usize::from(is_recipient);
        visits += 1;
        turn.yield_if_due(visits.is_multiple_of(8)).await;
    }
    turn.yield_if_due(true).await;
    walked
}

/// The sessions that receive these batches, in order, if each event is for one session: when a room
/// is closed, each member receives an event of its own. `None` if members share events.
fn recipients(batches: &[Arc<Batch>]) -> Option<Vec<SubscriptionId>> {
    let mut recipients = Vec::new();
    for batch in batches {
        recipients.extend(batch.recipients()?);
    }
    recipients.sort_unstable();
    Some(recipients)
}

fn offer(
    subscriber: &Subscriber,
    batches: &[Arc<Batch>],
    encodings: &Encodings,
    pieces: &mut Vec<Frames>,
) -> Result<(), SinkClosed> {
    // a panic in a sink closes that sink, and a panic in an encoding closes the sinks that use it:
    // the other members are not affected
    match &subscriber.sink {
        Sink::Events(sink) => {
            let mut events = batches.iter().flat_map(|batch| batch.events(subscriber));
            catch_panic(|| events.try_for_each(|event| sink.offer(event)))
        }
        Sink::Frames { sink, .. } => {
            pieces.clear();
            let encoded = subscriber.encoding.and_then(|encoding| {
                let encode =
                    || batches.iter().for_each(|batch| batch.pieces(subscriber, encoding, encodings, pieces));
                catch_unwind(AssertUnwindSafe(encode)).ok()
            });
            if encoded.is_none() {
                return catch_panic(|| {
                    sink.fail();
                    Err(SinkClosed)
                });
            }
            if pieces.is_empty() { Ok(()) } else { catch_panic(|| sink.offer(pieces)) }
        }
    }
}

/// Offers to a sink. A sink that panics counts as closed.
pub(crate) fn catch_panic(offer: impl FnOnce() -> Result<(), SinkClosed>) -> Result<(), SinkClosed> {
    catch_unwind(AssertUnwindSafe(offer)).unwrap_or(Err(SinkClosed))
}
