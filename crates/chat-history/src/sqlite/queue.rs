//! What was appended and has not come to the writer.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::{NewMessage, Told};

/// How much one commit takes at most: a bound on how long the first message of it waits for the last.
const MOST_MESSAGES: usize = 1_024;
const MOST_BYTES: usize = 4 << 20;

/// Messages in the order in which they were taken in, in groups that are written at once. For each group that is begun, one
/// flush is handed to the writer, and takes the group that is then the oldest; so whatever was taken in has a flush that is
/// on its way, also when the database is about to close.
#[derive(Default)]
pub(super) struct Intake {
    groups: Mutex<VecDeque<Group>>,
}

/// What one flush writes.
#[derive(Default)]
pub(super) struct Group {
    pub(super) messages: Vec<NewMessage>,
    /// Who hears what became of each of them.
    pub(super) tolds: Vec<Told>,
    bytes: usize,
}

impl Group {
    fn is_full(&self) -> bool {
        self.messages.len() >= MOST_MESSAGES || self.bytes >= MOST_BYTES
    }
}

impl Intake {
    /// Takes a message in. True: it began a group, and a flush has to be handed to the writer.
    #[must_use]
    pub(super) fn push(&self, message: NewMessage, told: Told) -> bool {
        let mut groups = self.groups.lock();
        let begins = groups.back().is_none_or(Group::is_full);
        if begins {
            groups.push_back(Group::default());
        }
        if let Some(group) = groups.back_mut() {
            group.bytes += message.body.len();
            group.messages.push(message);
            group.tolds.push(told);
        }
        begins
    }

    /// The oldest group; nothing is added to it any more.
    pub(super) fn pop(&self) -> Option<Group> {
        self.groups.lock().pop_front()
    }
}

#[cfg(test)]
mod tests {
    use chat_protocol::{MessageId, RoomName, Username};

    use super::*;

    fn message(n: u128, body: &str) -> NewMessage {
        NewMessage {
            room: RoomName::parse("r").unwrap(),
            from: Username::parse("ana").unwrap(),
            body: body.into(),
            id: MessageId::from_random(n),
            once: false,
        }
    }

    #[test]
    fn there_is_a_flush_for_each_group() {
        let intake = Intake::default();
        let count = 2 * MOST_MESSAGES + 1;
        let flushes =
            (0..count).filter(|n| intake.push(message(*n as u128, "hello"), Box::new(|_| ()))).count();
        assert_eq!(flushes, 3);
        let groups: Vec<_> = std::iter::from_fn(|| intake.pop()).collect();
        assert_eq!(groups.len(), flushes);
        let ids: Vec<_> =
            groups.iter().flat_map(|group| &group.messages).map(|message| message.id.clone()).collect();
        assert_eq!(ids, (0..count).map(|n| MessageId::from_random(n as u128)).collect::<Vec<_>>());
        // what was popped is closed
        assert!(intake.push(message(0, "hello"), Box::new(|_| ())));
    }

    #[test]
    fn a_group_ends_where_its_bytes_do() {
        let intake = Intake::default();
        let long = "x".repeat(MOST_BYTES / 2);
        let begins = [0, 1, 2].map(|n| intake.push(message(n, &long), Box::new(|_| ())));
        assert_eq!(begins, [true, false, true]);
    }
}
