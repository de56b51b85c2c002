//! What happens in a room.

use std::sync::Arc;

use crate::{Member, MemberList};

/// Something that members of a room are told. How it looks on a wire is a dialect's business.
#[derive(Debug, Clone)]
pub enum Event {
    /// People came. More than one where a big room gathers its comings; `who` is never empty, and in order of arrival.
    Entered {
        /// Those who came.
        who: Vec<Arc<Member>>,
        /// The room after they came.
        members: Arc<MemberList>,
    },
    /// People went. More than one where a big room gathers its goings; `who` is never empty, and in the order of going.
    Left {
        /// Those who went.
        who: Vec<Arc<Member>>,
        /// The room after they went.
        members: Arc<MemberList>,
    },
    /// Somebody said something.
    Message {
        /// Who said it.
        from: Arc<Member>,
        /// What, as it was written.
        body: Arc<str>,
        /// The room at that moment.
        members: Arc<MemberList>,
    },
    /// The operator says something.
    Notice {
        /// What.
        body: Arc<str>,
        /// The room at that moment.
        members: Arc<MemberList>,
    },
    /// What a member sent was not accepted. Only that member is told.
    Refused {
        /// Why, in a sentence for a person.
        reason: String,
        /// The room at that moment.
        members: Arc<MemberList>,
    },
}

impl Event {
    /// The room's members when the event was made.
    pub fn members(&self) -> &Arc<MemberList> {
        match self {
            Self::Entered { members, .. }
            | Self::Left { members, .. }
            | Self::Message { members, .. }
            | Self::Notice { members, .. }
            | Self::Refused { members, .. } => members,
        }
    }
}
