//! The effects of a command.

use std::fmt;
use std::sync::Arc;

use chat_protocol::{Event, Member, MemberId};

use crate::delivery::audience::Audience;

/// What the room has to do after a command.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Send this event, after everything before it.
    Send(Event, Audience),
    /// Call [`RoomState::close_window`](super::RoomState::close_window) when the window that
    /// coalesces joins and leaves is over.
    OpenWindow,
    /// Call [`RoomState::flush_presence`](super::RoomState::flush_presence) when the window that
    /// coalesces changes is over.
    OpenPresence,
    /// Call [`Room::close_reactions`](crate::room::Room::close_reactions) when the window that
    /// merges reactions is over.
    OpenReactions,
    /// A user has joined with its first session on this node, and has this record.
    MemberEntered(Arc<Member>),
    /// A user has left with its last session on this node: this record can be removed from the
    /// store.
    MemberLeft(MemberId),
    /// A user has another record now: this one can be removed from the store.
    RecordReplaced(MemberId),
    /// The policy has changed: check whether each member may stay.
    CheckMembers,
    /// Another node has changed the policy, which has this version now: read it.
    ReadPolicy(u64),
    /// Drop this when the room is not locked any more, because it may be large.
    Discard(Box<dyn fmt::Debug + Send>),
}

/// The effects of a command, in order.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    list: Vec<Effect>,
    /// How many of them are events. Counted as they are added: a command that removes many members
    /// asks after each of them.
    events: usize,
}

impl Effects {
    pub(crate) fn push(&mut self, effect: Effect) {
        self.events += usize::from(matches!(effect, Effect::Send(..)));
        self.list.push(effect);
    }

    /// The number of events to send.
    pub(crate) fn events(&self) -> usize {
        self.events
    }

    /// Drops the events: nobody is notified.
    pub(crate) fn suppress(&mut self) {
        let stays = |effect: &Effect| {
            !matches!(
                effect,
                Effect::Send(..) | Effect::OpenWindow | Effect::OpenPresence | Effect::OpenReactions
            )
        };
        self.list.retain(stays);
        self.events = 0;
    }
}

impl Extend<Effect> for Effects {
    fn extend<T: IntoIterator<Item = Effect>>(&mut self, effects: T) {
        effects.into_iter().for_each(|effect| self.push(effect));
    }
}

impl IntoIterator for Effects {
    type Item = Effect;
    type IntoIter = std::vec::IntoIter<Effect>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}
