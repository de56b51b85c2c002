//! The reservations of a client that is about to join: its name in memory, and its row in the
//! presence store.

use std::sync::Arc;

use chat_protocol::{Identity, Member, MemberId, RoomName};

use crate::error::JoinError;
use crate::registry::Registry;
use crate::room::presence_cleanup::PresenceCleanup;
use crate::room::state::Reserved;
use crate::room::{ReserveError, Room};

/// A user's name that is reserved in a room's memory for one of its sessions. Dropping it releases
/// the name, unless another session of the user has it as well.
pub(crate) struct ReservedName {
    shared: Arc<Registry>,
    room: Arc<Room>,
    user: Identity,
    /// Whether the session has joined.
    used: bool,
}

impl ReservedName {
    /// Reserves the name of a user in a room, which is created if necessary. Also returns whether
    /// the user is in the room already. If another user has the name, its sinks are probed.
    ///
    /// # Errors
    /// [`JoinError::NameTaken`] or [`JoinError::RoomFull`].
    pub(crate) fn take(
        shared: &Arc<Registry>,
        name: &RoomName,
        user: &Identity,
    ) -> Result<(Self, Reserved), JoinError> {
        loop {
            let room = shared.open_room(name);
            match room.reserve(user.username(), user.id()) {
                Ok(reserved) => {
                    let name = Self { shared: Arc::clone(shared), room, user: user.clone(), used: false };
                    return Ok((name, reserved));
                }
                // it became empty in the meantime: the next one is new
                Err(ReserveError::Retired) => shared.forget(&room),
                Err(ReserveError::RoomFull) => {
                    // it may be new, with room for nobody
                    shared.remove_if_empty(&room);
                    return Err(JoinError::RoomFull);
                }
                Err(ReserveError::NameTaken(holder)) => {
                    holder.iter().for_each(|subscriber| subscriber.sink.probe());
                    return Err(JoinError::NameTaken);
                }
            }
        }
    }

    pub(crate) fn room(&self) -> &Arc<Room> {
        &self.room
    }

    pub(crate) fn shared(&self) -> &Arc<Registry> {
        &self.shared
    }

    pub(crate) fn user(&self) -> &Identity {
        &self.user
    }

    /// Passes the name on to the session that has joined.
    pub(crate) fn keep(mut self) -> (Arc<Registry>, Arc<Room>) {
        self.used = true;
        (Arc::clone(&self.shared), Arc::clone(&self.room))
    }
}

/// The presence row of a client that has not joined yet. Dropping it removes the row from the
/// store.
pub(crate) struct PresenceRow {
    presence_cleanup: Arc<PresenceCleanup>,
    member: Arc<Member>,
    /// Whether a member has joined, which then owns the row.
    used: bool,
}

impl PresenceRow {
    pub(crate) fn new(presence_cleanup: Arc<PresenceCleanup>, member: Member) -> Self {
        Self { presence_cleanup, member: Arc::new(member), used: false }
    }

    pub(crate) fn member(&self) -> &Arc<Member> {
        &self.member
    }

    /// Passes the row on to the member that has joined, whose record on this node is this one. Does
    /// nothing if it has another one: then this row is not needed.
    pub(crate) fn keep_for(mut self, record: Option<MemberId>) {
        self.used = Some(self.member.id) == record;
    }
}

impl Drop for PresenceRow {
    fn drop(&mut self) {
        if !self.used {
            self.presence_cleanup.add(self.member.id);
        }
    }
}

impl Drop for ReservedName {
    fn drop(&mut self) {
        if !self.used {
            self.room.release(self.user.username());
            self.shared.remove_if_empty(&self.room);
        }
    }
}
