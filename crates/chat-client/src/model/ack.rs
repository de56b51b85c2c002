//! The ack of a message.

use chat_protocol::v2;
use chat_protocol::{MessageId, RoomName, Timestamp};

/// A message of this client is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ack {
    /// The room.
    pub room: RoomName,
    /// The number of the message in the room.
    pub seq: u64,
    /// The client's id for the message.
    pub id: MessageId,
    /// The time at which the message was stored.
    pub sent_at: Timestamp,
    /// False if the server stores nothing: a crash can lose the message.
    pub stored: bool,
}

impl Ack {
    pub(crate) fn new(room: RoomName, seq: u64, id: MessageId, sent_at: Timestamp, stored: bool) -> Self {
        Self { room, seq, id, sent_at, stored }
    }

    /// The ack in a frame; `None` if it is not that of a message.
    pub(crate) fn of_message(frame: v2::Ack) -> Option<Self> {
        let v2::Ack { room, seq, id, sent_at, stored, .. } = frame;
        Some(Self { room, seq: seq?, id: id?, sent_at: sent_at?, stored })
    }
}
