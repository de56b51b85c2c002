//! How much rooms are used, for whoever keeps accounts of it.

use std::collections::HashMap;

use chat_protocol::{Content, Message, RoomName};
use parking_lot::Mutex;

/// What happened in a room since it was last asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoomUsage {
    /// The most members that were in at once when somebody came in.
    pub peak_members: u64,
    /// Messages that were stored.
    pub messages: u64,
    /// The bytes of their text.
    pub bytes: u64,
}

impl RoomUsage {
    /// Adds what happened at another time.
    pub fn add(&mut self, other: Self) {
        self.peak_members = self.peak_members.max(other.peak_members);
        self.messages += other.messages;
        self.bytes += other.bytes;
    }
}

/// Counts. One lock for all rooms: it is taken for a few instructions, once for each message and each who comes.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    rooms: Mutex<HashMap<RoomName, RoomUsage>>,
}

impl Usage {
    /// Somebody has come in, and so many are in now.
    pub(crate) fn joined(&self, room: &RoomName, members: usize) {
        self.add(room, RoomUsage { peak_members: members as u64, ..RoomUsage::default() });
    }

    /// A message is stored.
    pub(crate) fn stored(&self, message: &Message) {
        let bytes = match &message.content {
            Content::Said { body, .. } => body.len() as u64,
            Content::Erased => 0,
        };
        self.add(&message.room, RoomUsage { peak_members: 0, messages: 1, bytes });
    }

    fn add(&self, room: &RoomName, usage: RoomUsage) {
        let mut rooms = self.rooms.lock();
        // most are known, and need no name of their own
        match rooms.get_mut(room) {
            Some(known) => known.add(usage),
            None => {
                rooms.insert(room.clone(), usage);
            }
        }
    }

    /// What happened since this was called last.
    pub(crate) fn take(&self) -> HashMap<RoomName, RoomUsage> {
        std::mem::take(&mut self.rooms.lock())
    }
}
