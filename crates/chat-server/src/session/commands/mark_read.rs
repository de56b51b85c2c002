//! `mark_read`: marks the messages of a room in the list as read.

use chat_protocol::Reference;
use chat_protocol::v2::{ErrorCode, MarkRead, Read, ServerFrame};

use crate::context::inbox::newest;
use crate::session::Session;
use crate::session::list::{Lists, NotChanged, readable};

impl Session {
    pub(super) fn mark_read(&mut self, mark: MarkRead, reference: Option<Reference>) {
        self.change_list(reference, |lists| read(lists, mark));
    }
}

/// Moves the mark.
async fn read(
    Lists { context, accounts, list, user }: Lists,
    MarkRead { room, epoch, up_to }: MarkRead,
) -> Result<ServerFrame, NotChanged> {
    readable(&list, &context, &room).await?;
    let current = context.engine.epoch();
    let newest = newest(&context.engine, &room).await?;
    // a number of another epoch says nothing about this one
    let up_to = if epoch == current { up_to.min(newest) } else { 0 };
    let marking = accounts.store().mark_read(user.id().clone(), room, current, up_to);
    let Some(entry) = marking.await? else {
        let message = "this room is not in your list: keep it first".to_owned();
        return Err(NotChanged::Refused(ErrorCode::NotFound, message));
    };
    let entry = list.put(entry, &context.engine).await?;
    Ok(ServerFrame::Read(Read {
        reference: None,
        room: entry.room,
        epoch: entry.epoch,
        up_to: entry.read_up_to,
        unread: entry.unread,
        mentions: entry.mentions,
    }))
}
