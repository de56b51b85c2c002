//! `leave`: leaves a room.

use std::sync::Arc;

use chat_protocol::v2::ErrorCode;
use chat_protocol::{LeftReason, Reference, RoomName};

use crate::session::Session;

impl Session {
    pub(super) fn leave(&mut self, room: &RoomName, reference: Option<Reference>) {
        // this is the only reference: while a command is carried out no other one is read
        let member = self.state.as_mut().and_then(|state| {
            let member = state.rooms.remove(room);
            state.note_rooms();
            member
        });
        match member.and_then(Arc::into_inner).filter(|member| !member.was_removed()) {
            Some(member) => member.leave_with_reason(LeftReason::Asked, reference),
            None => {
                self.error(reference, ErrorCode::NotInRoom, format!("you are not in the room \"{room}\""));
            }
        }
    }
}
