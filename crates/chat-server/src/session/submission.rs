//! What a session submits to a room.

use chat_protocol::Reference;
use chat_rooms::{Delete, Edit, Membership, Outgoing, React, SendError};

/// A command that becomes an event of the room. In a box: a connection that sends nothing does not
/// reserve space for it.
pub(super) enum Submission {
    Message(Box<Outgoing>),
    Edit(Box<Edit>),
    Delete(Box<Delete>),
    React(Box<React>),
}

impl Submission {
    /// Submits it, when the room accepts it. Cancel-safe.
    pub(super) async fn submit(&self, member: &Membership) -> Result<(), SendError> {
        match self {
            Self::Message(message) => member.submit(Outgoing::clone(message)).await,
            Self::Edit(edit) => Box::pin(member.submit_edit(Edit::clone(edit))).await,
            Self::Delete(delete) => Box::pin(member.submit_delete(Delete::clone(delete))).await,
            Self::React(react) => Box::pin(member.submit_react(React::clone(react))).await,
        }
    }

    /// The `ref` of the command.
    pub(super) fn reference(self) -> Option<Reference> {
        match self {
            Self::Message(message) => message.reference,
            Self::Edit(edit) => edit.reference,
            Self::Delete(delete) => delete.reference,
            Self::React(react) => react.reference,
        }
    }
}
