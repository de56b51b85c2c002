//! `mark_read`: marks the messages of a room in the list as read.

use std::sync::Arc;

use chat_protocol::v2::{ErrorCode, MarkRead, Read, ServerFrame};
use chat_protocol::{Identity, Reference};
use futures::FutureExt;

use crate::accounts::Accounts;
use crate::context::Context;
use crate::context::inbox::{ListError, ListHandle};
use crate::session::{Busy, Done, Session, answer_with, error_frame};

impl Session {
    pub(super) fn mark_read(&mut self, mark: MarkRead, reference: Option<Reference>) {
        let Some((accounts, list, user)) = self.list(reference.as_ref()) else { return };
        let (context, session) = (Arc::clone(&self.context), self.number());
        let work = async move {
            let answer = match read(&context, &accounts, &list, &user, mark).await {
                Ok(Some(frame)) => {
                    context.sessions.send_to_others(user.id(), session, &frame);
                    answer_with(frame, reference)
                }
                Ok(None) => error_frame(
                    reference,
                    ErrorCode::NotFound,
                    "this room is not in your list: keep it first",
                ),
                Err(error) => {
                    context.log_accounts_failure(&error);
                    let message = "storage is unavailable; try again later";
                    error_frame(reference, ErrorCode::StoreUnavailable, message)
                }
            };
            Done::Answered(Box::new(answer))
        };
        self.busy = Some(Busy::Working(work.boxed()));
    }
}

/// Moves the mark. `None` if the room is not in the list.
async fn read(
    context: &Context,
    accounts: &Accounts,
    list: &ListHandle,
    user: &Identity,
    MarkRead { room, epoch, up_to }: MarkRead,
) -> Result<Option<ServerFrame>, ListError> {
    let current = context.engine.epoch();
    let newest = context.engine.count_after(&room, u64::MAX, Vec::new(), 0).await?.newest;
    // a number of another epoch says nothing about this one
    let up_to = if epoch == current { up_to.min(newest) } else { 0 };
    let marking = accounts.store().mark_read(user.id().clone(), room, current, up_to);
    let Some(entry) = marking.await? else { return Ok(None) };
    let entry = list.put(entry, &context.engine).await?;
    Ok(Some(ServerFrame::Read(Read {
        reference: None,
        room: entry.room,
        epoch: entry.epoch,
        up_to: entry.read_up_to,
        unread: entry.unread,
        mentions: entry.mentions,
    })))
}
