//! What a session submits to a room.

use chat_protocol::Reference;
use chat_rooms::{Delete, Edit, Membership, Outgoing, React, SendError};

/// A command that becomes an event of the room. Changes are rare, and in a box: a connection does
/// not reserve space for them.
#[derive(Clone)]
pub(super) enum Submission {
    Message(Outgoing),
    Edit(Box<Edit>),
    Delete(Box<Delete>),
    React(Box<React>),
}

impl Submission {
    /// Submits it, when the room accepts it. Cancel-safe.
    pub(super) async fn submit(self, member: &Membership) -> Result<(), SendError> {
        match self {
            Self::Message(message) => member.submit(message).await,
            Self::Edit(edit) => Box::pin(member.submit_edit(*edit)).await,
            Self::Delete(delete) => Box::pin(member.submit_delete(*delete)).await,
            Self::React(react) => Box::pin(member.submit_react(*react)).await,
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
