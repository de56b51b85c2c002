//! `delete`: deletes an own message, or as a moderator any message.

use chat_protocol::Reference;
use chat_protocol::v2;
use chat_rooms::Delete;

use crate::session::{Busy, Session, Submission};

impl Session {
    pub(super) fn delete(&mut self, v2::Delete { room, target }: v2::Delete, reference: Option<Reference>) {
        if let Some(member) = self.member(&room, reference.as_ref()) {
            let mut delete = Delete::new(target);
            (delete.reference, delete.former_ids) = (reference, self.former_ids());
            self.busy = Some(Busy::Sending(member, Submission::Delete(Box::new(delete))));
        }
    }
}
