//! Events that were appended and have not reached the writer.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::{NewEvent, OnAppended};

/// The maximum size of one commit. It bounds how long its first event waits for the last.
const MAX_EVENTS: usize = 1_024;
const MAX_BYTES: usize = 4 << 20;

/// Events in the order in which they were appended, in groups that are written together. For each
/// new group, one flush is submitted to the writer, and takes the group that is then the oldest. So
/// each queued event has a flush in flight, also when the database is about to close.
#[derive(Default)]
pub(crate) struct AppendQueue {
    groups: Mutex<VecDeque<Group>>,
}

/// An event in the queue.
pub(crate) struct Queued {
    pub(crate) event: NewEvent,
    /// The digest of an idempotent message, as the database stores it. It is computed by the caller
    /// of `append`, because all events wait for the writer.
    pub(crate) digest: Option<i64>,
}

/// The events of one flush.
#[derive(Default)]
pub(crate) struct Group {
    pub(crate) events: Vec<Queued>,
    /// The callback of each event.
    pub(crate) callbacks: Vec<OnAppended>,
    bytes: usize,
}

impl Queued {
    pub(crate) fn new(event: NewEvent) -> Self {
        let digest = match &event {
            NewEvent::Message(message) if message.idempotent => Some(message.digest().cast_signed()),
            NewEvent::Edit(edit) if edit.id.is_some() => Some(edit.digest().cast_signed()),
            _ => None,
        };
        Self { event, digest }
    }

    /// The size that counts towards the limit of a group: that of the text.
    fn bytes(&self) -> usize {
        match &self.event {
            NewEvent::Message(message) => message.body.len(),
            NewEvent::Edit(edit) => edit.body.len(),
            NewEvent::Deletion(deletion) => size_of_val(&*deletion.targets),
            NewEvent::Reaction(reaction) => size_of_val(reaction),
            NewEvent::RoomChange(change) => size_of_val(change),
            NewEvent::NewRules(room) => size_of_val(room),
        }
    }
}

impl Group {
    fn is_full(&self) -> bool {
        self.events.len() >= MAX_EVENTS || self.bytes >= MAX_BYTES
    }
}

impl AppendQueue {
    /// Adds an event. Returns `true` if it began a new group; then the caller has to submit a
    /// flush.
    #[must_use]
    pub(crate) fn push(&self, event: NewEvent, on_appended: OnAppended) -> bool {
        let queued = Queued::new(event);
        let mut groups = self.groups.lock();
        let begins = groups.back().is_none_or(Group::is_full);
        if begins {
            groups.push_back(Group::default());
        }
        if let Some(group) = groups.back_mut() {
            group.bytes += queued.bytes();
            group.events.push(queued);
            group.callbacks.push(on_appended);
        }
        begins
    }

    /// Removes the oldest group, to which nothing is added any more.
    pub(crate) fn pop(&self) -> Option<Group> {
        self.groups.lock().pop_front()
    }
}

#[cfg(test)]
mod tests {
    use chat_protocol::{MessageId, RoomName, UserId, Username};

    use super::*;
    use crate::NewMessage;

    fn message(n: u128, body: &str) -> NewEvent {
        let (room, from) = (RoomName::parse("r").unwrap(), Username::parse("ana").unwrap());
        NewMessage::new(room, UserId::unknown(), from, body, MessageId::from_random(n)).into()
    }

    #[test]
    fn each_group_has_a_flush() {
        let queue = AppendQueue::default();
        let count = 2 * MAX_EVENTS + 1;
        let flushes =
            (0..count).filter(|n| queue.push(message(*n as u128, "hello"), Box::new(|_| ()))).count();
        assert_eq!(flushes, 3);
        let groups: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(groups.len(), flushes);
        let events = groups.into_iter().flat_map(|group| group.events).map(|queued| queued.event);
        assert!(events.eq((0..count).map(|n| message(n as u128, "hello"))));
        // a removed group is closed
        assert!(queue.push(message(0, "hello"), Box::new(|_| ())));
    }

    #[test]
    fn the_bytes_of_a_group_are_limited() {
        let queue = AppendQueue::default();
        let long = "x".repeat(MAX_BYTES / 2);
        let begins = [0, 1, 2].map(|n| queue.push(message(n, &long), Box::new(|_| ())));
        assert_eq!(begins, [true, false, true]);
    }
}
