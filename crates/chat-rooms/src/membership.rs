//! What a member holds: first the seat that is kept for it, then its place in the room.

use std::fmt;
use std::sync::Arc;

use chat_protocol::{Member, MemberId, MemberList};

use crate::Outlet;
use crate::reservation::ReservedName;
use crate::room::{Room, Said, Sent, Telling};
use crate::shared::Shared;

/// A name that is kept in a room until its reader is there. Nobody in the room knows of it yet, and the name is taken.
/// Dropped, it gives the name back and takes the row out of the store, and nobody ever knew.
#[must_use = "dropping a seat gives the name back"]
pub struct Seat {
    /// None once the member has entered.
    kept: Option<Kept>,
}

struct Kept {
    name: ReservedName,
    member: Arc<Member>,
}

impl Seat {
    pub(crate) fn new(name: ReservedName, id: MemberId, stay: chat_presence::NewStay) -> Self {
        Self { kept: Some(Kept { name, member: Arc::new(stay.with_id(id)) }) }
    }

    /// Takes the seat. The room is told, and everything from this on goes to `outlet`, one's own entering first.
    pub fn enter(mut self, outlet: Outlet) -> Membership {
        let Some(Kept { name, member }) = self.kept.take() else { unreachable!("a seat is taken once") };
        let (shared, room) = name.keep();
        room.enter(&member, outlet);
        Membership { shared, room, member }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(Kept { name, member }) = self.kept.take() {
            name.shared().departures.add(member.id);
        }
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Seat").field(&self.kept.as_ref().map(|kept| &kept.member)).finish()
    }
}

/// A member's place in a room. Dropped, the member leaves: the others are told, the name is free at once, and the row goes.
#[must_use = "dropping a membership leaves the room"]
pub struct Membership {
    shared: Arc<Shared>,
    room: Arc<Room>,
    member: Arc<Member>,
}

/// Why nothing was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The member is out: its outlet took nothing more.
    #[error("not in the room any more")]
    NotAMember,
}

impl Membership {
    /// Who this is.
    pub fn member(&self) -> &Arc<Member> {
        &self.member
    }

    /// The room's members as they stand.
    pub fn members(&self) -> Arc<MemberList> {
        self.room.list()
    }

    /// Whether the member is still in: it is put out when its outlet takes nothing more.
    pub fn is_in(&self) -> bool {
        self.room.seats(self.member.id)
    }

    /// Says something to everybody in the room, oneself included. Waits while the room has more to offer to its members than
    /// it may gather (1 MiB). Cancel-safe: dropped before it resolves, nothing was said.
    ///
    /// # Errors
    /// [`SendError::NotAMember`] once the member is out.
    pub async fn send(&self, body: impl Into<Arc<str>>) -> Result<Sent, SendError> {
        let body = body.into();
        self.once_there_is_room(|| self.room.say(self.member.id, &body)).await
    }

    /// Tells this member alone why something it sent was not accepted, in its place among the room's events. Waits and can
    /// be cancelled as [`send`](Self::send).
    ///
    /// # Errors
    /// [`SendError::NotAMember`] once the member is out.
    pub async fn refuse(&self, reason: impl Into<Arc<str>>) -> Result<Sent, SendError> {
        let reason = reason.into();
        self.once_there_is_room(|| self.room.refuse(self.member.id, &reason)).await
    }

    async fn once_there_is_room(&self, speak: impl Fn() -> Said) -> Result<Sent, SendError> {
        loop {
            // made before the room is asked, so that no relief is missed in between
            let relief = self.room.relief();
            match speak() {
                Said::Told(sent) => return Ok(sent),
                Said::NotAMember => return Err(SendError::NotAMember),
                Said::Congested => relief.await,
            }
        }
    }

    /// Resolves once this member's own outlet has been offered what was sent. Cancel-safe.
    pub async fn offered(&self, sent: Sent) {
        loop {
            let relief = self.room.relief();
            if self.room.has_offered(sent, self.member.id) {
                return;
            }
            relief.await;
        }
    }

    /// Resolves once everything that was told in the room has been offered to everyone in it. Cancel-safe.
    pub async fn settled(&self) {
        loop {
            let relief = self.room.relief();
            if self.room.is_settled() {
                return;
            }
            relief.await;
        }
    }

    /// Leaves now. The same as dropping it.
    pub fn leave(self) {}
}

impl Drop for Membership {
    fn drop(&mut self) {
        let telling = if self.shared.is_closing() { Telling::Nobody } else { Telling::Everybody };
        self.room.leave(self.member.id, telling);
        self.shared.departures.add(self.member.id);
        self.shared.forget_if_empty(&self.room);
    }
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Membership").field(&self.member).finish()
    }
}
