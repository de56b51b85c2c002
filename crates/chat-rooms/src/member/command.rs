//! The commands of a member that become events of the room.

use std::sync::Arc;

use chat_access::Denied;
use chat_history::{MessageContext, NewDeletion, NewEdit, NewEvent, NewMessage, NewReaction};
use chat_protocol::{DeletedBy, Member, MessageId, Reference, RoomName, UserId};

use crate::member::options::{Delete, Edit, Outgoing, React};
use crate::room::publish::{RequestKey, Sender};
use crate::room::state::policy::Sent;

/// A command that the store carries out.
pub(super) trait Command {
    /// What it is: slow mode delays messages only.
    const SENT: Sent;

    /// The size of its text in bytes.
    fn size(&self) -> usize;

    /// Why the program does not let the user do this.
    fn denied(&self) -> Option<Denied> {
        None
    }

    /// The event to store for a member, and what the reply carries.
    fn event(self, room: &RoomName, member: &Member, sender: &Sender) -> (NewEvent, RequestKey);
}

/// A message with its id.
pub(super) struct NewText {
    body: Arc<str>,
    pub(super) id: MessageId,
    /// Whether the sender has chosen the id.
    idempotent: bool,
    reference: Option<Reference>,
    context: Option<Box<MessageContext>>,
    denied: Option<Denied>,
}

impl From<Outgoing> for NewText {
    fn from(Outgoing { body, id, reference, context, denied }: Outgoing) -> Self {
        let idempotent = id.is_some();
        let id = id.unwrap_or_else(|| MessageId::from_random(rand::random()));
        Self { body, id, idempotent, reference, context, denied }
    }
}

impl Command for NewText {
    const SENT: Sent = Sent::Message;

    fn size(&self) -> usize {
        self.body.len()
    }

    fn denied(&self) -> Option<Denied> {
        self.denied
    }

    fn event(self, room: &RoomName, member: &Member, sender: &Sender) -> (NewEvent, RequestKey) {
        let Self { body, id, idempotent, reference, context, .. } = self;
        let (user, from) = (member.user.clone(), member.username.clone());
        let message = NewMessage::new(room.clone(), user, from, body, id.clone())
            .context(context)
            .idempotent(idempotent)
            .permission(sender.checked.permission());
        (message.into(), RequestKey { id: Some(id), reference })
    }
}

impl Command for Edit {
    const SENT: Sent = Sent::Change;

    fn size(&self) -> usize {
        self.body.len()
    }

    fn denied(&self) -> Option<Denied> {
        self.denied
    }

    fn event(self, room: &RoomName, member: &Member, sender: &Sender) -> (NewEvent, RequestKey) {
        let Self { target, body, mentions, id, reference, former_ids, window, .. } = self;
        let authors = authors(member, former_ids);
        let mut edit = NewEdit::new(room.clone(), target, authors, member.username.clone(), body);
        edit.mentions = mentions;
        edit.id.clone_from(&id);
        edit.permission = Some(sender.checked.permission());
        edit.window = window;
        (edit.into(), RequestKey { id, reference })
    }
}

impl Command for Delete {
    const SENT: Sent = Sent::Change;

    fn size(&self) -> usize {
        0
    }

    fn event(self, room: &RoomName, member: &Member, sender: &Sender) -> (NewEvent, RequestKey) {
        let Self { target, reference, former_ids, is_recorded } = self;
        // whoever became a moderator after the deletion was accepted has left no record of it
        let moderation = sender.checked.moderation(is_recorded);
        let authors = authors(member, former_ids);
        let mut deletion = NewDeletion::by_user(room.clone(), target, authors, moderation);
        if !is_recorded {
            // so it stays if the policy changes before it is stored
            deletion.by = DeletedBy::Author;
        }
        (deletion.into(), RequestKey { id: None, reference })
    }
}

impl Command for React {
    const SENT: Sent = Sent::Change;

    fn size(&self) -> usize {
        0
    }

    fn event(self, room: &RoomName, member: &Member, sender: &Sender) -> (NewEvent, RequestKey) {
        let Self { target, emoji, is_added, reference, former_ids } = self;
        let (authors, from) = (authors(member, former_ids), member.username.clone());
        let mut reaction = NewReaction::new(room.clone(), target, authors, from, emoji, is_added);
        reaction.permission = Some(sender.checked.permission());
        (reaction.into(), RequestKey { id: None, reference })
    }
}

/// The ids of a user, of which the first one is the id now.
fn authors(member: &Member, former_ids: Vec<UserId>) -> Arc<[UserId]> {
    [member.user.clone()].into_iter().chain(former_ids).collect()
}
