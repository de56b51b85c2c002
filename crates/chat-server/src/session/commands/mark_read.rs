//! `mark_read`: marks the messages of a room in the list as read.

use chat_protocol::v2::{ErrorCode, MarkRead, Read, ServerFrame};
use chat_protocol::{Identity, Reference, UserId};

use crate::context::Context;
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
    let before = list.read_up_to(&room);
    let marking = accounts.store().mark_read(user.id().clone(), room, current, up_to);
    let Some(entry) = marking.await? else {
        let message = "this room is not in your list: keep it first".to_owned();
        return Err(NotChanged::Refused(ErrorCode::NotFound, message));
    };
    let entry = list.put(entry, &accounts, &context.engine).await?;
    let read = Read {
        reference: None,
        room: entry.room,
        epoch: entry.epoch,
        up_to: entry.read_up_to,
        username: None,
        unread: Some(entry.unread),
        mentions: Some(entry.mentions),
    };
    if before.is_none_or(|before| before < read.up_to)
        && let Some(other) = list.other_user(&read.room)
    {
        show(&context, &user, &other, &read);
    }
    Ok(ServerFrame::Read(read))
}

/// Shows the other user of a direct room how far this one has read. Someone who has blocked this
/// user gets nothing of it.
fn show(context: &Context, user: &Identity, other: &UserId, read: &Read) {
    let has_blocked = context.inbox.handle(other).is_some_and(|list| list.has_blocked(user.id()));
    if !has_blocked {
        let username = Some(user.username().clone());
        let frame = ServerFrame::Read(Read { username, unread: None, mentions: None, ..read.clone() });
        context.sessions.send_to_user(other, &frame);
    }
}
