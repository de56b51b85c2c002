//! `typing`: shows the other members that the user is typing.

use chat_protocol::{Reference, RoomName};

use crate::session::Session;

impl Session {
    pub(super) fn typing(&self, room: &RoomName, reference: Option<&Reference>) {
        if let Some(member) = self.member(room, reference) {
            member.typing();
        }
    }
}
