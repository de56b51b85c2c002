//! The messages of one room without an ack, and which of them may be sent.
//!
//! Messages are sent in the order in which they were accepted. If the store cannot take one, the
//! room sends nothing new. Once every message in flight is answered and a delay is over, the oldest
//! message is sent alone as a probe. The others follow when it succeeds.

use std::collections::BTreeMap;
use std::time::Duration;

use chat_protocol::MessageId;
use tokio::time::Instant;

use crate::command::Responder;
use crate::model::{Ack, Draft, after};

/// A message without an ack.
#[derive(Debug)]
struct Pending {
    message: Draft,
    id: MessageId,
    responder: Responder<Ack>,
    /// Whether the message is queued for writing or was written on this connection, and has no
    /// answer.
    in_flight: bool,
    /// Whether the server may have stored it although no ack says so: the connection ended before
    /// the answer, or the store did not answer.
    may_be_stored: bool,
}

/// What may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// Nothing: the room is not joined on this connection.
    Closed,
    /// Everything.
    Open,
    /// Nothing before this time: the store could not take a message.
    Paused(Instant),
    /// The delay is over. The probe is sent once nothing is in flight.
    ProbeDue,
    /// The probe under this key is in flight.
    Probing(u64),
}

/// The messages of one room without an ack, by the key under which they were accepted.
#[derive(Debug)]
pub(super) struct SendQueue {
    pending: BTreeMap<u64, Pending>,
    flow: Flow,
    /// The number of consecutive failures of the store.
    failures: u32,
}

impl SendQueue {
    pub(super) fn new() -> Self {
        Self { pending: BTreeMap::new(), flow: Flow::Closed, failures: 0 }
    }

    /// Adds a message. Returns whether it may be sent at once.
    pub(super) fn push(
        &mut self,
        key: u64,
        message: Draft,
        id: MessageId,
        responder: Responder<Ack>,
    ) -> bool {
        let in_flight = self.flow == Flow::Open;
        self.pending.insert(key, Pending { message, id, responder, in_flight, may_be_stored: false });
        in_flight
    }

    /// A message and its id.
    pub(super) fn get(&self, key: u64) -> Option<(&Draft, &MessageId)> {
        self.pending.get(&key).map(|pending| (&pending.message, &pending.id))
    }

    /// The message with this id that the server may have stored already.
    pub(super) fn find_sent(&self, id: &MessageId) -> Option<u64> {
        let mut pending = self.pending.iter();
        pending.find(|(_, pending)| pending.may_be_stored && pending.id == *id).map(|(key, _)| *key)
    }

    /// The room is joined. Returns the messages to send, in their order.
    pub(super) fn open(&mut self) -> Vec<u64> {
        self.flow = Flow::Open;
        let waiting = self.pending.iter_mut().filter(|(_, pending)| !pending.in_flight);
        waiting
            .map(|(key, pending)| {
                pending.in_flight = true;
                *key
            })
            .collect()
    }

    /// The connection ended. Nothing is sent, and every message without an ack will be sent again.
    pub(super) fn close(&mut self) {
        self.flow = Flow::Closed;
        self.failures = 0;
        for pending in self.pending.values_mut() {
            pending.may_be_stored |= pending.in_flight;
            pending.in_flight = false;
        }
    }

    /// A message got its final answer. Returns its responder, and the messages to send now.
    pub(super) fn settle(&mut self, key: u64) -> Option<(Responder<Ack>, Vec<u64>)> {
        let responder = self.pending.remove(&key)?.responder;
        self.failures = 0;
        let to_send = match self.flow {
            Flow::Probing(probe) if probe == key => self.open(),
            _ => self.probe().into_iter().collect(),
        };
        Some((responder, to_send))
    }

    /// The store could not take a message. Returns until when the room sends nothing, or `None` if
    /// an earlier failure has decided that.
    pub(super) fn postpone(
        &mut self,
        key: u64,
        now: Instant,
        delay: impl FnOnce(u32) -> Duration,
    ) -> Option<Instant> {
        let pending = self.pending.get_mut(&key)?;
        pending.in_flight = false;
        pending.may_be_stored = true;
        match self.flow {
            Flow::Open => {}
            Flow::Probing(probe) if probe == key => {}
            _ => return None,
        }
        let until = after(now, delay(self.failures));
        self.failures = self.failures.saturating_add(1);
        self.flow = Flow::Paused(until);
        Some(until)
    }

    /// Checks whether the delay is over. Returns the message to send now.
    pub(super) fn due(&mut self, now: Instant) -> Option<u64> {
        if let Flow::Paused(until) = self.flow
            && until <= now
        {
            self.flow = Flow::ProbeDue;
        }
        self.probe()
    }

    /// The end of the delay.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.flow {
            Flow::Paused(until) => Some(until),
            _ => None,
        }
    }

    /// Removes all messages.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (u64, Responder<Ack>)> + use<> {
        std::mem::take(&mut self.pending).into_iter().map(|(key, pending)| (key, pending.responder))
    }

    /// The probe, if it is due and nothing is in flight. Opens the queue if no message is left.
    fn probe(&mut self) -> Option<u64> {
        if self.flow != Flow::ProbeDue || self.pending.values().any(|pending| pending.in_flight) {
            return None;
        }
        let Some((key, oldest)) = self.pending.iter_mut().next() else {
            self.flow = Flow::Open;
            return None;
        };
        oldest.in_flight = true;
        self.flow = Flow::Probing(*key);
        Some(*key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Class, CommandQueue, Request};

    const DELAY: Duration = Duration::from_secs(1);

    fn queue_of(keys: &[u64]) -> SendQueue {
        let mut queue = SendQueue::new();
        for key in keys {
            push(&mut queue, *key);
        }
        queue
    }

    fn push(queue: &mut SendQueue, key: u64) -> bool {
        let (submitting, mut submitted) = CommandQueue::new(1, 1);
        let id = MessageId::from_random(key.into());
        let (room, message) = ("lobby".parse().unwrap(), "hi".into());
        drop(submitting.submit(Class::Message, |responder| Request::Send { room, message, id, responder }));
        let Ok(Request::Send { message, id, responder, .. }) = submitted.try_recv() else {
            panic!("nothing to send")
        };
        queue.push(key, message, id, responder)
    }

    fn settled(queue: &mut SendQueue, key: u64) -> Vec<u64> {
        queue.settle(key).unwrap().1
    }

    #[test]
    fn messages_from_before_the_join_are_sent_in_order() {
        let mut queue = queue_of(&[3, 5, 9]);
        assert_eq!(queue.open(), [3, 5, 9]);
        assert!(push(&mut queue, 10));
        assert!(settled(&mut queue, 5).is_empty());
        queue.close();
        assert!(!push(&mut queue, 11));
        assert_eq!(queue.open(), [3, 9, 10, 11]);
    }

    #[test]
    fn after_a_failure_the_oldest_message_is_sent_first_and_alone() {
        let now = Instant::now();
        let mut queue = queue_of(&[1, 2, 3]);
        queue.open();
        assert_eq!(queue.postpone(1, now, |_| DELAY), Some(now + DELAY));
        assert!(!push(&mut queue, 4), "nothing overtakes it");
        assert_eq!(queue.postpone(2, now, |_| DELAY), None, "one delay for all that were in flight");
        assert_eq!(queue.due(now), None);
        assert_eq!(queue.due(now + DELAY), None, "3 is still in flight");
        assert_eq!(settled(&mut queue, 3), [1]);
        assert_eq!(settled(&mut queue, 1), [2, 4]);
        assert!(push(&mut queue, 5));
    }

    #[test]
    fn delays_grow_until_a_message_is_stored() {
        let now = Instant::now();
        let mut queue = queue_of(&[1]);
        queue.open();
        let growing = |failures| DELAY * (failures + 1);
        assert_eq!(queue.postpone(1, now, growing), Some(now + DELAY));
        assert_eq!(queue.due(now + DELAY), Some(1));
        assert_eq!(queue.postpone(1, now, growing), Some(now + 2 * DELAY));
        assert_eq!(queue.due(now + 2 * DELAY), Some(1));
        settled(&mut queue, 1);
        assert!(push(&mut queue, 2));
        assert_eq!(queue.postpone(2, now, growing), Some(now + DELAY));
    }

    #[test]
    fn a_new_connection_ends_the_delay() {
        let now = Instant::now();
        let mut queue = queue_of(&[1, 2]);
        queue.open();
        queue.postpone(1, now, |_| DELAY);
        queue.close();
        assert_eq!(queue.deadline(), None);
        assert_eq!(queue.open(), [1, 2]);
    }

    #[test]
    fn only_a_message_that_was_sent_before_may_be_stored() {
        let now = Instant::now();
        let mut queue = queue_of(&[1]);
        let find = |queue: &SendQueue, key: u64| queue.find_sent(&MessageId::from_random(key.into()));
        queue.close();
        assert_eq!(find(&queue, 1), None, "it was never in flight");
        queue.open();
        assert_eq!(find(&queue, 1), None, "its answer is still to come on this connection");
        queue.close();
        assert_eq!((find(&queue, 1), find(&queue, 2)), (Some(1), None));
        queue.open();
        push(&mut queue, 2);
        queue.postpone(2, now, |_| DELAY);
        assert_eq!(find(&queue, 2), Some(2), "the store did not answer");
    }

    #[test]
    fn a_queue_that_became_empty_opens_again() {
        let now = Instant::now();
        let mut queue = queue_of(&[1, 2]);
        queue.open();
        queue.postpone(1, now, |_| DELAY);
        queue.settle(1);
        assert_eq!(queue.due(now + DELAY), None);
        assert!(settled(&mut queue, 2).is_empty());
        assert!(push(&mut queue, 3));
    }
}
