//! Messages that were appended and have not reached the writer.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::{NewMessage, OnAppended};

/// The maximum size of one commit. It bounds how long its first message waits for the last.
const MAX_MESSAGES: usize = 1_024;
const MAX_BYTES: usize = 4 << 20;

/// Messages in the order in which they were appended, in groups that are written together. For each
/// new group, one flush is submitted to the writer, and takes the group that is then the oldest. So
/// each queued message has a flush in flight, also when the database is about to close.
#[derive(Default)]
pub(super) struct AppendQueue {
    groups: Mutex<VecDeque<Group>>,
}

/// A message in the queue.
pub(super) struct Queued {
    pub(super) message: NewMessage,
    /// The digest of an idempotent message, as the database stores it. It is computed by the caller
    /// of `append`, because all messages wait for the writer.
    pub(super) digest: Option<i64>,
}

/// The messages of one flush.
#[derive(Default)]
pub(super) struct Group {
    pub(super) messages: Vec<Queued>,
    /// The callback of each message.
    pub(super) callbacks: Vec<OnAppended>,
    bytes: usize,
}

impl Queued {
    pub(super) fn new(message: NewMessage) -> Self {
        let digest = message.idempotent.then(|| message.digest().cast_signed());
        Self { message, digest }
    }
}

impl Group {
    fn is_full(&self) -> bool {
        self.messages.len() >= MAX_MESSAGES || self.bytes >= MAX_BYTES
    }
}

impl AppendQueue {
    /// Adds a message. Returns `true` if it began a new group; then the caller has to submit a
    /// flush.
    #[must_use]
    pub(super) fn push(&self, message: NewMessage, on_appended: OnAppended) -> bool {
        let queued = Queued::new(message);
        let mut groups = self.groups.lock();
        let begins = groups.back().is_none_or(Group::is_full);
        if begins {
            groups.push_back(Group::default());
        }
        if let Some(group) = groups.back_mut() {
            group.bytes += queued.message.body.len();
            group.messages.push(queued);
            group.callbacks.push(on_appended);
        }
        begins
    }

    /// Removes the oldest group, to which nothing is added any more.
    pub(super) fn pop(&self) -> Option<Group> {
        self.groups.lock().pop_front()
    }
}

#[cfg(test)]
mod tests {
    use chat_protocol::{MessageId, RoomName, UserId, Username};

    use super::*;

    fn message(n: u128, body: &str) -> NewMessage {
        let (room, from) = (RoomName::parse("r").unwrap(), Username::parse("ana").unwrap());
        NewMessage::new(room, UserId::unknown(), from, body, MessageId::from_random(n))
    }

    #[test]
    fn each_group_has_a_flush() {
        let queue = AppendQueue::default();
        let count = 2 * MAX_MESSAGES + 1;
        let flushes =
            (0..count).filter(|n| queue.push(message(*n as u128, "hello"), Box::new(|_| ()))).count();
        assert_eq!(flushes, 3);
        let groups: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(groups.len(), flushes);
        let ids: Vec<_> =
            groups.iter().flat_map(|group| &group.messages).map(|queued| queued.message.id.clone()).collect();
        assert_eq!(ids, (0..count).map(|n| MessageId::from_random(n as u128)).collect::<Vec<_>>());
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
