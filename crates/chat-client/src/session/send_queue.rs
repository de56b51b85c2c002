//! The messages of one room that wait for their ack, and which of them may go out.
//!
//! They go in the order in which they were accepted. What the store could not take is put off: the room then says nothing new; once
//! everything on its way is answered and the pause is over, the oldest goes alone, and the others follow when it got through.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chat_protocol::MessageId;
use chat_protocol::v2::Ack;
use tokio::time::Instant;

use crate::command::Reply;
use crate::model::after;

/// A message that has no ack.
#[derive(Debug)]
struct Pending {
    body: Arc<str>,
    id: MessageId,
    reply: Reply<Ack>,
    /// Whether it is to be written, or was written, on this connection and is not answered.
    on_its_way: bool,
}

/// What may go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// Nothing: the room is not joined on this connection.
    Shut,
    /// Everything.
    Open,
    /// Nothing before this: the store could not take one.
    Held(Instant),
    /// The pause is over; as soon as nothing is on its way one is tried.
    Due,
    /// This one is tried.
    Trying(u64),
}

/// The messages of one room that have no ack, by the key under which they were accepted.
#[derive(Debug)]
pub(super) struct Lane {
    pending: BTreeMap<u64, Pending>,
    flow: Flow,
    /// How often in a row the store could not take one.
    failures: u32,
}

impl Lane {
    pub(super) fn new() -> Self {
        Self { pending: BTreeMap::new(), flow: Flow::Shut, failures: 0 }
    }

    /// Takes a message; whether it may go out at once.
    pub(super) fn add(&mut self, key: u64, body: Arc<str>, id: MessageId, reply: Reply<Ack>) -> bool {
        let on_its_way = self.flow == Flow::Open;
        self.pending.insert(key, Pending { body, id, reply, on_its_way });
        on_its_way
    }

    /// What a message says, and what it is called.
    pub(super) fn get(&self, key: u64) -> Option<(&Arc<str>, &MessageId)> {
        self.pending.get(&key).map(|pending| (&pending.body, &pending.id))
    }

    /// The room is joined: these may go out, in this order.
    pub(super) fn open(&mut self) -> Vec<u64> {
        self.flow = Flow::Open;
        let waiting = self.pending.iter_mut().filter(|(_, pending)| !pending.on_its_way);
        waiting
            .map(|(key, pending)| {
                pending.on_its_way = true;
                *key
            })
            .collect()
    }

    /// The connection ended: nothing goes out, and whatever has no ack will go again.
    pub(super) fn shut(&mut self) {
        self.flow = Flow::Shut;
        self.failures = 0;
        for pending in self.pending.values_mut() {
            pending.on_its_way = false;
        }
    }

    /// A message got its final answer: who waits for it, and which messages may go out now.
    pub(super) fn settle(&mut self, key: u64) -> Option<(Reply<Ack>, Vec<u64>)> {
        let reply = self.pending.remove(&key)?.reply;
        self.failures = 0;
        let now_out = match self.flow {
            Flow::Trying(tried) if tried == key => self.open(),
            _ => self.try_one().into_iter().collect(),
        };
        Some((reply, now_out))
    }

    /// The store could not take a message: until when the room says nothing. None where that is known already.
    pub(super) fn put_off(
        &mut self,
        key: u64,
        now: Instant,
        pause: impl FnOnce(u32) -> Duration,
    ) -> Option<Instant> {
        self.pending.get_mut(&key)?.on_its_way = false;
        match self.flow {
            Flow::Open => {}
            Flow::Trying(tried) if tried == key => {}
            _ => return None,
        }
        let until = after(now, pause(self.failures));
        self.failures = self.failures.saturating_add(1);
        self.flow = Flow::Held(until);
        Some(until)
    }

    /// The time has come to look again: which message may go out now.
    pub(super) fn due(&mut self, now: Instant) -> Option<u64> {
        if let Flow::Held(until) = self.flow
            && until <= now
        {
            self.flow = Flow::Due;
        }
        self.try_one()
    }

    /// When to look again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.flow {
            Flow::Held(until) => Some(until),
            _ => None,
        }
    }

    /// Gives up on everything: who waits for it.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (u64, Reply<Ack>)> + use<> {
        std::mem::take(&mut self.pending).into_iter().map(|(key, pending)| (key, pending.reply))
    }

    fn try_one(&mut self) -> Option<u64> {
        if self.flow != Flow::Due || self.pending.values().any(|pending| pending.on_its_way) {
            return None;
        }
        let Some((key, oldest)) = self.pending.iter_mut().next() else {
            self.flow = Flow::Open;
            return None;
        };
        oldest.on_its_way = true;
        self.flow = Flow::Trying(*key);
        Some(*key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Gate, Kind, Request};

    const PAUSE: Duration = Duration::from_secs(1);

    fn lane(keys: &[u64]) -> Lane {
        let mut lane = Lane::new();
        for key in keys {
            add(&mut lane, *key);
        }
        lane
    }

    fn add(lane: &mut Lane, key: u64) -> bool {
        let (gate, mut asked) = Gate::new(1, 1);
        let id = MessageId::from_random(key.into());
        let (room, body) = ("lobby".parse().unwrap(), "hi".into());
        drop(gate.ask(Kind::Message, |reply| Request::Send { room, body, id, reply }));
        let Ok(Request::Send { body, id, reply, .. }) = asked.try_recv() else { panic!("nothing to send") };
        lane.add(key, body, id, reply)
    }

    fn settled(lane: &mut Lane, key: u64) -> Vec<u64> {
        lane.settle(key).unwrap().1
    }

    #[test]
    fn what_was_said_before_the_room_opens_goes_in_order() {
        let mut lane = lane(&[3, 5, 9]);
        assert_eq!(lane.open(), [3, 5, 9]);
        assert!(add(&mut lane, 10));
        assert!(settled(&mut lane, 5).is_empty());
        lane.shut();
        assert!(!add(&mut lane, 11));
        assert_eq!(lane.open(), [3, 9, 10, 11]);
    }

    #[test]
    fn after_a_failure_the_oldest_goes_first_and_alone() {
        let now = Instant::now();
        let mut lane = lane(&[1, 2, 3]);
        lane.open();
        assert_eq!(lane.put_off(1, now, |_| PAUSE), Some(now + PAUSE));
        assert!(!add(&mut lane, 4), "nothing overtakes it");
        assert_eq!(lane.put_off(2, now, |_| PAUSE), None, "one pause for all that were on their way");
        assert_eq!(lane.due(now), None);
        assert_eq!(lane.due(now + PAUSE), None, "3 is still on its way");
        assert_eq!(settled(&mut lane, 3), [1]);
        assert_eq!(settled(&mut lane, 1), [2, 4]);
        assert!(add(&mut lane, 5));
    }

    #[test]
    fn pauses_grow_until_one_gets_through() {
        let now = Instant::now();
        let mut lane = lane(&[1]);
        lane.open();
        let grown = |failures| PAUSE * (failures + 1);
        assert_eq!(lane.put_off(1, now, grown), Some(now + PAUSE));
        assert_eq!(lane.due(now + PAUSE), Some(1));
        assert_eq!(lane.put_off(1, now, grown), Some(now + 2 * PAUSE));
        assert_eq!(lane.due(now + 2 * PAUSE), Some(1));
        settled(&mut lane, 1);
        assert!(add(&mut lane, 2));
        assert_eq!(lane.put_off(2, now, grown), Some(now + PAUSE));
    }

    #[test]
    fn a_new_connection_forgets_the_pause() {
        let now = Instant::now();
        let mut lane = lane(&[1, 2]);
        lane.open();
        lane.put_off(1, now, |_| PAUSE);
        lane.shut();
        assert_eq!(lane.deadline(), None);
        assert_eq!(lane.open(), [1, 2]);
    }

    #[test]
    fn a_lane_whose_messages_are_gone_opens_again() {
        let now = Instant::now();
        let mut lane = lane(&[1, 2]);
        lane.open();
        lane.put_off(1, now, |_| PAUSE);
        lane.settle(1);
        assert_eq!(lane.due(now + PAUSE), None);
        assert!(settled(&mut lane, 2).is_empty());
        assert!(add(&mut lane, 3));
    }
}
