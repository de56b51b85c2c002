//! `delete`: deletes an own message, or as a moderator any message.

use chat_access::Action;
use chat_protocol::Reference;
use chat_protocol::v2;
use chat_protocol::v2::ErrorCode;
use chat_rooms::Delete;
use futures::FutureExt;

use crate::session::{Busy, Done, STORAGE_UNAVAILABLE, Session, Submission, error_frame};

impl Session {
    pub(super) fn delete(&mut self, v2::Delete { room, target }: v2::Delete, reference: Option<Reference>) {
        if let Some(member) = self.member(&room, reference.as_ref()) {
            let mut delete = Delete::new(target);
            (delete.reference, delete.former_ids) = (reference, self.former_ids());
            if !matches!(member.check(Action::DeleteOthers), Some(Ok(()))) {
                self.busy = Some(Busy::Sending(member, Submission::Delete(Box::new(delete))));
                return;
            }
            let work = async move {
                match member.record_deletion(&mut delete).await {
                    Ok(()) => Done::Recorded(member, Submission::Delete(Box::new(delete))),
                    Err(error) => {
                        tracing::debug!(%error, "a deletion could not be recorded");
                        let code = ErrorCode::StoreUnavailable;
                        Done::Answered(Box::new(error_frame(delete.reference, code, STORAGE_UNAVAILABLE)))
                    }
                }
            };
            self.busy = Some(Busy::Working(work.boxed()));
        }
    }
}
