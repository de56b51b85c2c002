//! What happens in a room.

use std::ops::Deref;
use std::sync::Arc;

use crate::v2::{ErrorCode, NoticeLevel, ServerFrame};
use crate::{Member, MemberList, Message, Reference, RoomName};

/// Those an event is about: never nobody. A clone shares the list, and so does the rest of it from somebody on.
#[derive(Debug, Clone)]
pub struct Who {
    people: Arc<[Arc<Member>]>,
    /// The first that is meant.
    from: usize,
}

impl Who {
    /// None of nobody.
    pub fn new(people: Vec<Arc<Member>>) -> Option<Self> {
        (!people.is_empty()).then(|| Self { people: people.into(), from: 0 })
    }

    /// Those behind the first `count`; none where that is nobody.
    pub fn after(&self, count: usize) -> Option<Self> {
        let from = self.from + count;
        (from < self.people.len()).then(|| Self { people: Arc::clone(&self.people), from })
    }
}

impl From<Arc<Member>> for Who {
    fn from(member: Arc<Member>) -> Self {
        Self { people: Arc::new([member]), from: 0 }
    }
}

impl Deref for Who {
    type Target = [Arc<Member>];

    fn deref(&self) -> &Self::Target {
        &self.people[self.from..]
    }
}

/// Something that members of a room are told. How it looks on a wire is a dialect's business.
///
/// Members are told in one of two styles who is there: those who want to know at once get [`Entered`](Self::Entered) and
/// [`Left`](Self::Left) with the list of all; the others get [`Told`](Self::Told) with gathered changes.
#[derive(Debug, Clone)]
pub enum Event {
    /// People came. More than one where a big room gathers its comings, in order of arrival.
    Entered {
        /// Those who came.
        who: Who,
        /// The room after they came.
        members: Arc<MemberList>,
    },
    /// People went: more than one where a big room gathers its goings, in the order of going.
    Left {
        /// Those who went.
        who: Who,
        /// The room after they went.
        members: Arc<MemberList>,
    },
    /// Somebody said something.
    Message {
        /// What, and by whom.
        message: Arc<Message>,
        /// The stay of whoever said it; none where that is not known any more.
        from: Option<Arc<Member>>,
        /// The room at that moment.
        members: Arc<MemberList>,
    },
    /// The operator says something.
    Notice {
        /// Where; `None` where it is to everyone.
        room: Option<RoomName>,
        /// How much it matters.
        level: NoticeLevel,
        /// What.
        body: Arc<str>,
        /// The room at that moment.
        members: Arc<MemberList>,
    },
    /// What a member sent was not accepted. Only that member is told.
    Refused {
        /// Why, for a program.
        code: ErrorCode,
        /// Why, in a sentence for a person.
        reason: Arc<str>,
        /// What the member calls that which was not accepted.
        reference: Option<Reference>,
        /// The room at that moment.
        members: Arc<MemberList>,
    },
    /// Something that only `chat.v2` has a frame for: an answer to one member, gathered comings and goings, somebody typing.
    Told(Arc<ServerFrame>),
}

impl Event {
    /// The room's members when the event was made; none where the event does not go with a list.
    pub fn members(&self) -> Option<&Arc<MemberList>> {
        match self {
            Self::Entered { members, .. }
            | Self::Left { members, .. }
            | Self::Message { members, .. }
            | Self::Notice { members, .. }
            | Self::Refused { members, .. } => Some(members),
            Self::Told(_) => None,
        }
    }
}
