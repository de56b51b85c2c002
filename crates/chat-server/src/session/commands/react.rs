//! `react`: puts an emoji on a message, or removes it.

use chat_protocol::Reference;
use chat_protocol::v2;
use chat_rooms::React;

use crate::session::{Busy, Session, Submission};

impl Session {
    pub(super) fn react(
        &mut self,
        v2::React { room, target, emoji, on }: v2::React,
        reference: Option<Reference>,
    ) {
        if let Some(member) = self.member(&room, reference.as_ref()) {
            let mut react = React::add(target, emoji);
            (react.is_added, react.reference, react.former_ids) = (on, reference, self.former_ids());
            self.busy = Some(Busy::Sending(member, Submission::React(Box::new(react))));
        }
    }
}
