//! The events of one room as the store should have stored them.

use chat_history::{AppendError, Appended, NewDeletion, NewEvent, NewMessage, StoredEvent};
use tokio::time::Instant;

/// A stored message.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) message: NewMessage,
    /// The number of its append.
    pub(super) append: u64,
    /// Whether the store reported an error although it had stored the message.
    pub(super) has_failed: bool,
    /// The number of the event that has deleted it.
    pub(super) deleted_at: Option<u64>,
}

#[derive(Debug)]
enum Logged {
    Message(Stored),
    Deletion { targets: Vec<u64>, has_failed: bool },
}

/// The events of a room, by number, beginning at 1.
#[derive(Debug, Default)]
pub(super) struct RoomLog {
    events: Vec<Logged>,
    /// The room has certainly delivered the events up to this number.
    pub(super) delivered: u64,
    /// When the room knows the events of all appends that failed.
    pub(super) doubtful_until: Option<Instant>,
}

fn index(seq: u64) -> Option<usize> {
    usize::try_from(seq.checked_sub(1)?).ok()
}

impl RoomLog {
    pub(super) fn newest(&self) -> u64 {
        self.events.len() as u64
    }

    pub(super) fn message(&self, seq: u64) -> Option<&Stored> {
        match self.events.get(index(seq)?)? {
            Logged::Message(stored) => Some(stored),
            Logged::Deletion { .. } => None,
        }
    }

    fn message_mut(&mut self, seq: u64) -> Option<&mut Stored> {
        match self.events.get_mut(index(seq)?)? {
            Logged::Message(stored) => Some(stored),
            Logged::Deletion { .. } => None,
        }
    }

    pub(super) fn targets(&self, seq: u64) -> Option<&[u64]> {
        match self.events.get(index(seq)?)? {
            Logged::Message(_) => None,
            Logged::Deletion { targets, .. } => Some(targets),
        }
    }

    /// How many messages the deletions that did not fail have deleted.
    pub(super) fn deleted(&self) -> usize {
        let deleted = |event: &Logged| match event {
            Logged::Deletion { targets, has_failed: false } => targets.len(),
            _ => 0,
        };
        self.events.iter().map(deleted).sum()
    }

    /// Records what was stored. Returns `Some` if the result is wrong.
    pub(super) fn record(
        &mut self,
        new: &NewEvent,
        append: u64,
        has_failed: bool,
        outcome: &Result<Appended, AppendError>,
    ) -> Option<()> {
        let is_right = match new {
            NewEvent::Message(message) => self.record_message(message, append, has_failed, outcome),
            NewEvent::Deletion(deletion) => self.record_deletion(deletion, has_failed, outcome),
            // no program edits or changes settings
            NewEvent::Edit(_) | NewEvent::Reaction(_) | NewEvent::RoomChange(_) => false,
        };
        (!is_right).then_some(())
    }

    fn record_message(
        &mut self,
        new: &NewMessage,
        append: u64,
        has_failed: bool,
        outcome: &Result<Appended, AppendError>,
    ) -> bool {
        let is_same = |seq: &u64| {
            self.message(*seq).is_some_and(|first| {
                let first = &first.message;
                new.idempotent && first.idempotent && first.id == new.id && first.user == new.user
            })
        };
        let first = (1..=self.newest()).find(is_same).and_then(|seq| Some((seq, self.message(seq)?)));
        match (outcome, first) {
            (Ok(Appended::Duplicate(message)), Some((seq, first))) => {
                message.seq == seq
                    && message.changed_seq == first.deleted_at
                    && first.message.body == new.body
            }
            (Ok(Appended::Stored(StoredEvent::Message(message))), None) => {
                let stored = Stored { message: new.clone(), append, has_failed, deleted_at: None };
                self.events.push(Logged::Message(stored));
                message.seq == self.newest()
            }
            (Err(AppendError::IdReused), Some((_, first))) => first.message.body != new.body,
            _ => false,
        }
    }

    fn record_deletion(
        &mut self,
        new: &NewDeletion,
        has_failed: bool,
        outcome: &Result<Appended, AppendError>,
    ) -> bool {
        let is_text = |seq: &u64| self.message(*seq).is_some_and(|stored| stored.deleted_at.is_none());
        let targets: Vec<_> = new.targets.iter().copied().filter(is_text).collect();
        match outcome {
            Err(AppendError::NotFound) => new.targets.iter().all(|target| self.message(*target).is_none()),
            Ok(Appended::Unchanged) => targets.is_empty(),
            Ok(Appended::Stored(StoredEvent::Deletion(deletion))) => {
                let seq = self.newest() + 1;
                let is_right = deletion.seq == seq
                    && !targets.is_empty()
                    && deletion.messages.iter().map(|message| message.seq).eq(targets.iter().copied());
                for target in &targets {
                    self.message_mut(*target).into_iter().for_each(|stored| stored.deleted_at = Some(seq));
                }
                self.events.push(Logged::Deletion { targets, has_failed });
                is_right
            }
            _ => false,
        }
    }
}
