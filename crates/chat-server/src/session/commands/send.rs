//! `send`: sends a message to a room.

use chat_access::{Action, Denied};
use chat_history::MessageContext;
use chat_protocol::Reference;
use chat_protocol::v2;
use chat_rooms::{Membership, Outgoing};

use crate::abuse::Writer;
use crate::session::{Session, Submission};

impl Session {
    /// Why the user may not write this text; `None` if it may. Moderators of the room may write
    /// what they like.
    pub(super) fn refuse_text(&self, member: &Membership, body: &str, is_edit: bool) -> Option<Denied> {
        let config = self.context.config();
        let state = self.state.as_ref()?;
        if config.abuse.is_off() {
            return None;
        }
        if matches!(member.check(Action::SkipSlowMode), Some(Ok(()))) {
            return None;
        }
        let writer = Writer { id: state.user.id(), kind: state.user.kind(), since: state.since };
        self.context.abuse.check(&config.abuse, writer, body, is_edit)
    }

    pub(super) fn send(
        &mut self,
        v2::Send { room, body, reply_to, id }: v2::Send,
        reference: Option<Reference>,
    ) {
        if let Some(member) = self.member(&room, reference.as_ref()) {
            let text = body.clone();
            let denied = self.refuse_text(&member, &text, false);
            self.address(member, &text, move |mentions| {
                let context = MessageContext::new(reply_to, mentions);
                Submission::Message(Box::new(Outgoing { body, id, reference, context, denied }))
            });
        }
    }
}
