//! The counters and timers of the engine, for the recorder of the [`metrics`] facade that is
//! installed before the engine is built. Without a recorder they cost next to nothing.

use std::fmt;

use chat_protocol::{Deletion, ErrorCode, Message};
use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};

/// The handles, looked up once.
pub(crate) struct Meters {
    /// Seconds from queueing an event until it was offered to every member of the room.
    pub(crate) fan_out: Histogram,
    /// Seconds from accepting a message until its outcome is queued, its commit included.
    pub(crate) ack: Histogram,
    pub(crate) messages: Counter,
    pub(crate) message_bytes: Counter,
    pub(crate) deliveries: Counter,
    pub(crate) edits: Counter,
    pub(crate) deletions: Counter,
    pub(crate) reactions: Counter,
    pub(crate) syncs: Counter,
    pub(crate) resyncs: Counter,
    pub(crate) acts: Counter,
    pub(crate) joins: Counter,
    pub(crate) leaves: Counter,
    pub(crate) members: Gauge,
    /// Errors that the engine sent to members, by code.
    errors: Vec<(ErrorCode, Counter)>,
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meters").finish_non_exhaustive()
    }
}

impl Meters {
    /// Creates the metrics with names that begin with `prefix`.
    pub(crate) fn new(prefix: &str) -> Self {
        let name = |name| format!("{prefix}_{name}");
        describe_histogram!(
            name("fan_out_seconds"),
            Unit::Seconds,
            "Time from queueing an event of a room until it was offered to every member"
        );
        describe_histogram!(
            name("ack_seconds"),
            Unit::Seconds,
            "Time from accepting a message until it is stored and its ack is queued"
        );
        describe_counter!(name("messages_total"), "Messages that were stored and delivered");
        describe_counter!(name("message_bytes_total"), Unit::Bytes, "Bytes of text in these messages");
        describe_counter!(
            name("deliveries_total"),
            "Message deliveries: each message counts once for each member that it was offered to"
        );
        describe_counter!(name("edits_total"), "Messages whose text was replaced");
        describe_counter!(name("deleted_messages_total"), "Messages that were deleted");
        describe_counter!(name("reactions_total"), "Emoji that users have put on messages, or removed");
        describe_counter!(
            name("syncs_total"),
            "Ranges of events that were sent as one, because they were missing between two results of the store"
        );
        describe_counter!(
            name("resyncs_total"),
            "Sessions that asked again for what they had missed of a room that they are in"
        );
        describe_counter!(
            name("acts_total"),
            "What moderators and owners have done: roles, bans, mutes, kicks, warnings, settings"
        );
        describe_counter!(name("joins_total"), "Members that joined a room");
        describe_counter!(name("leaves_total"), "Members that left a room");
        describe_gauge!(name("members"), "Members of all rooms; a user in two rooms counts twice");
        describe_counter!(name("errors_total"), "Errors sent to clients, by code");
        // registered now, so that an alert can query a code before it has occurred
        let error = |code: ErrorCode| (code, counter!(name("errors_total"), "code" => code.name()));
        Self {
            fan_out: histogram!(name("fan_out_seconds")),
            ack: histogram!(name("ack_seconds")),
            messages: counter!(name("messages_total")),
            message_bytes: counter!(name("message_bytes_total")),
            deliveries: counter!(name("deliveries_total")),
            edits: counter!(name("edits_total")),
            deletions: counter!(name("deleted_messages_total")),
            reactions: counter!(name("reactions_total")),
            syncs: counter!(name("syncs_total")),
            resyncs: counter!(name("resyncs_total")),
            acts: counter!(name("acts_total")),
            joins: counter!(name("joins_total")),
            leaves: counter!(name("leaves_total")),
            members: gauge!(name("members")),
            errors: ErrorCode::ALL.into_iter().map(error).collect(),
        }
    }

    /// Counts an error that was sent to a member.
    pub(crate) fn refused(&self, code: ErrorCode) {
        let counter = self.errors.iter().find(|(known, _)| *known == code);
        counter.into_iter().for_each(|(_, counter)| counter.increment(1));
    }

    /// Counts a member that joined.
    pub(crate) fn joined(&self) {
        self.joins.increment(1);
        self.members.increment(1);
    }

    /// Counts a message that was stored.
    pub(crate) fn stored(&self, message: &Message) {
        self.messages.increment(1);
        if let Some(text) = message.text() {
            self.message_bytes.increment(text.body.len() as u64);
        }
    }

    /// Counts an edit.
    pub(crate) fn edited(&self) {
        self.edits.increment(1);
    }

    /// Counts messages that were deleted.
    pub(crate) fn deleted(&self, deletion: &Deletion) {
        self.deletions.increment(deletion.messages.len() as u64);
    }

    /// Counts a member that left.
    pub(crate) fn left(&self) {
        self.leaves.increment(1);
        self.members.decrement(1);
    }
}
