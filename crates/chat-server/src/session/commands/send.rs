//! `send`: sends a message to a room.

use chat_history::MessageContext;
use chat_protocol::Reference;
use chat_protocol::v2;
use chat_rooms::Outgoing;

use crate::session::{Session, Submission};

impl Session {
    pub(super) fn send(
        &mut self,
        v2::Send { room, body, reply_to, id }: v2::Send,
        reference: Option<Reference>,
    ) {
        if let Some(member) = self.member(&room, reference.as_ref()) {
            let text = body.clone();
            self.address(member, &text, move |mentions| {
                let context = MessageContext::new(reply_to, mentions);
                Submission::Message(Outgoing { body, id, reference, context })
            });
        }
    }
}
