//! The usage of rooms, for accounting.

use std::collections::HashMap;

use chat_protocol::{Message, RoomName};
use parking_lot::Mutex;

/// The usage of a room since it was last taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoomUsage {
    /// The maximum number of members at the times when a member joined.
    pub peak_members: u64,
    /// The number of messages that were stored.
    pub messages: u64,
    /// The size of their text, in bytes.
    pub bytes: u64,
}

impl RoomUsage {
    /// Adds the usage of another period.
    pub fn add(&mut self, other: Self) {
        self.peak_members = self.peak_members.max(other.peak_members);
        self.messages += other.messages;
        self.bytes += other.bytes;
    }
}

/// Counts the usage of rooms. One lock protects all rooms: it is held for a few instructions, once
/// for each message and each join.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    rooms: Mutex<HashMap<RoomName, RoomUsage>>,
}

impl Usage {
    /// Counts a join, after which the room has `members` members.
    pub(crate) fn joined(&self, room: &RoomName, members: usize) {
        self.add(room, RoomUsage { peak_members: members as u64, ..RoomUsage::default() });
    }

    /// Counts a message that was stored.
    pub(crate) fn stored(&self, message: &Message) {
        let bytes = message.text().map_or(0, |text| text.body.len() as u64);
        self.add(&message.room, RoomUsage { peak_members: 0, messages: 1, bytes });
    }

    fn add(&self, room: &RoomName, usage: RoomUsage) {
        let mut rooms = self.rooms.lock();
        // most rooms are known, so that their name need not be cloned
        match rooms.get_mut(room) {
            Some(known) => known.add(usage),
            None => {
                rooms.insert(room.clone(), usage);
            }
        }
    }

    /// Returns the usage since the previous call.
    pub(crate) fn take(&self) -> HashMap<RoomName, RoomUsage> {
        std::mem::take(&mut self.rooms.lock())
    }
}
