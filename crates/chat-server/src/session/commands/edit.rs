//! `edit`: replaces the text of an own message.

use std::time::Duration;

use chat_protocol::Reference;
use chat_protocol::v2;
use chat_rooms::Edit;

use crate::session::{Session, Submission};

impl Session {
    pub(super) fn edit(
        &mut self,
        v2::Edit { room, target, body, id }: v2::Edit,
        reference: Option<Reference>,
    ) {
        if let Some(member) = self.member(&room, reference.as_ref()) {
            let seconds = self.context.config().limits.edit_window_s;
            let mut edit = Edit::new(target, body);
            (edit.id, edit.reference, edit.former_ids) = (id, reference, self.former_ids());
            edit.window = (seconds > 0).then(|| Duration::from_secs(seconds.into()));
            edit.denied = self.refuse_text(&member, &edit.body, true);
            let text = edit.body.clone();
            self.address(member, &text, move |mentions| {
                edit.mentions = mentions;
                Submission::Edit(Box::new(edit))
            });
        }
    }
}
