//! The task that subscribes on the connection, and knows when subscriptions are active.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, Subscriber};
use bytes::Bytes;
use futures::StreamExt;
use futures::future::AbortHandle;
use futures::stream::{Abortable, SelectAll, Stream};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::round_trip::{Ended, RoundTrips};
use super::shared::{Link, Shared};
use super::subject::Subjects;
use crate::Topic;

/// How long a round trip may take before the next one is made.
const ROUND_TRIP: Duration = Duration::from_secs(2);

/// The time between two looks at whether an event of the library was lost.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Subscribes to topics, confirms them, and announces the connection, until the client ends.
pub(super) async fn drive(
    shared: &Shared,
    client: &Client,
    subjects: &Subjects,
    mut round_trips: RoundTrips,
    streams: mpsc::Sender<Messages>,
) -> Result<(), Ended> {
    let mut link = shared.link.subscribe();
    let mut unconfirmed = Vec::new();
    let mut lost_events = LostEvents::default();
    let mut checks = interval(CHECK_INTERVAL);
    checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let now = *link.borrow_and_update();
        if now.is_up {
            let unsent = shared.topics.lock().take_unsent();
            for (topic, id) in unsent {
                // waits while the connection is busy, or lost
                let subscriber = client.subscribe(subjects.of(&topic)).await.map_err(|_| Ended)?;
                let (handle, registration) = AbortHandle::new_pair();
                if shared.topics.lock().sent(&topic, id, handle) {
                    unconfirmed.push((topic.clone(), id));
                    let messages = Abortable::new(Subscription { topic, id, subscriber }, registration);
                    streams.send(messages).await.map_err(|_| Ended)?;
                }
            }
            if !unconfirmed.is_empty() || !now.is_announced {
                let is_confirmed = tokio::select! {
                    made = timeout(ROUND_TRIP, round_trips.make()) => match made {
                        Ok(made) => made.map(|()| true)?,
                        Err(_) => {
                            shared.unconfirmed(subjects.prefix());
                            false
                        }
                    },
                    // a trip on a connection that was lost has no end
                    _ = link.wait_for(|link| !link.is_up || link.number != now.number) => false,
                };
                if is_confirmed {
                    let is_announced = shared.announce(now.number);
                    confirm(shared, &mut unconfirmed, is_announced);
                    // more may have come meanwhile
                    continue;
                }
            }
        }
        tokio::select! {
            changed = link.changed() => changed.map_err(|_| Ended)?,
            () = shared.changed.notified() => {}
            _ = checks.tick() => lost_events.check(shared, client),
        }
    }
}

/// Notifies the callers of active subscriptions, or the receiver where a caller has given up, which
/// is needless if it was just notified of the connection.
fn confirm(shared: &Shared, unconfirmed: &mut Vec<(Topic, u64)>, is_announced: bool) {
    for (topic, id) in unconfirmed.drain(..) {
        let has_caller = shared.topics.lock().confirm(&topic, id);
        if !has_caller && !is_announced {
            shared.incoming.missed(Some(topic));
        }
    }
}

/// Notices a change of the connection whose event the library has dropped, because it had too many.
#[derive(Debug, Default)]
struct LostEvents {
    /// What did not agree at the last check.
    found: Option<(u64, bool)>,
}

impl LostEvents {
    fn check(&mut self, shared: &Shared, client: &Client) {
        let connects = client.statistics().connects.load(Ordering::Relaxed);
        let is_up = client.connection_state() == State::Connected;
        let link = *shared.link.borrow();
        let found = (connects, is_up) != (link.number, link.is_up);
        let found = found.then_some((connects, is_up));
        // an event that is on its way is there at the next check
        if found.is_some() && found == self.found {
            if is_up {
                shared.link_up(Some(connects));
            } else {
                shared.link_down();
            }
            shared.link.send_if_modified(|link| {
                *link = Link { number: connects, ..*link };
                false
            });
        }
        self.found = found;
    }
}

/// The messages of a topic, until it is unsubscribed from.
pub(super) type Messages = Abortable<Subscription>;

/// A subscription on the connection. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Subscription {
    topic: Topic,
    id: u64,
    subscriber: Subscriber,
}

impl Stream for Subscription {
    type Item = (Topic, u64, Bytes);

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let message = std::task::ready!(self.subscriber.poll_next_unpin(context));
        Poll::Ready(message.map(|message| (self.topic.clone(), self.id, message.payload)))
    }
}

/// Moves the messages of all topics into the queue of the receiver, in one task. It never waits for
/// the receiver, so the library's queues stay short.
pub(super) async fn pump(shared: &Shared, mut new: mpsc::Receiver<Messages>) {
    let mut all = SelectAll::new();
    loop {
        tokio::select! {
            messages = new.recv() => match messages {
                Some(messages) => all.push(messages),
                None => return,
            },
            Some((topic, id, message)) = all.next(), if !all.is_empty() => {
                shared.deliver(topic, id, message);
            }
        }
    }
}
