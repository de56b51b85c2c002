//! `send`: sends a message to a room.

use chat_protocol::Reference;
use chat_protocol::v2;
use chat_rooms::Outgoing;

use crate::session::{Busy, Session, Submission};

impl Session {
    pub(super) fn send(&mut self, v2::Send { room, body, id }: v2::Send, reference: Option<Reference>) {
        if let Some(member) = self.member(&room, reference.as_ref()) {
            self.busy = Some(Busy::Sending(member, Submission::Message(Outgoing { body, id, reference })));
        }
    }
}
