//! What the engine counts and times, for whoever has installed a recorder of the [`metrics`] facade before it was built. Without one it
//! costs next to nothing.

use std::fmt;

use chat_protocol::v2::ErrorCode;
use chat_protocol::{Content, Message};
use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};

const ERRORS: &str = "chatd_errors_total";

/// The handles, looked up once.
pub(crate) struct Meters {
    /// Seconds from telling something until every member of the room was offered it.
    pub(crate) fan_out: Histogram,
    /// Seconds from taking a message until what became of it is told, its commit included.
    pub(crate) ack: Histogram,
    pub(crate) messages: Counter,
    pub(crate) message_bytes: Counter,
    pub(crate) deliveries: Counter,
    pub(crate) joins: Counter,
    pub(crate) leaves: Counter,
    pub(crate) members: Gauge,
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meters").finish_non_exhaustive()
    }
}

impl Meters {
    pub(crate) fn new() -> Self {
        describe_histogram!(
            "chatd_fan_out_seconds",
            Unit::Seconds,
            "Time from queueing an event of a room until it was offered to every member"
        );
        describe_histogram!(
            "chatd_ack_seconds",
            Unit::Seconds,
            "Time from accepting a message until it is stored and its ack is queued"
        );
        describe_counter!("chatd_messages_total", "Messages that were stored and delivered");
        describe_counter!("chatd_message_bytes_total", Unit::Bytes, "Bytes of text in these messages");
        describe_counter!(
            "chatd_deliveries_total",
            "Message deliveries: each message counts once for each member that it was offered to"
        );
        describe_counter!("chatd_joins_total", "Members that joined a room");
        describe_counter!("chatd_leaves_total", "Members that left a room");
        describe_gauge!("chatd_members", "Members of all rooms; a user in two rooms counts twice");
        describe_counter!(ERRORS, "Errors sent to clients, by code");
        // an alert may ask for one before it has happened
        for code in ErrorCode::ALL {
            drop(counter!(ERRORS, "code" => code.name()));
        }
        Self {
            fan_out: histogram!("chatd_fan_out_seconds"),
            ack: histogram!("chatd_ack_seconds"),
            messages: counter!("chatd_messages_total"),
            message_bytes: counter!("chatd_message_bytes_total"),
            deliveries: counter!("chatd_deliveries_total"),
            joins: counter!("chatd_joins_total"),
            leaves: counter!("chatd_leaves_total"),
            members: gauge!("chatd_members"),
        }
    }

    /// Somebody has come in.
    pub(crate) fn joined(&self) {
        self.joins.increment(1);
        self.members.increment(1);
    }

    /// A message is stored.
    pub(crate) fn stored(&self, message: &Message) {
        self.messages.increment(1);
        if let Content::Said { body, .. } = &message.content {
            self.message_bytes.increment(body.len() as u64);
        }
    }

    /// Somebody has left.
    pub(crate) fn left(&self) {
        self.leaves.increment(1);
        self.members.decrement(1);
    }
}

/// Counts an error that a client is told, in `chatd_errors_total`. The engine counts its own; this is for what is refused before it comes
/// to the engine.
pub fn count_error(code: ErrorCode) {
    counter!(ERRORS, "code" => code.name()).increment(1);
}
