//! The reservations of a client that is about to join: its name in memory, and its row in the
//! presence store.

use std::sync::Arc;

use chat_protocol::{Member, RoomName, Username};

use crate::error::JoinError;
use crate::registry::Registry;
use crate::registry::presence_cleanup::PresenceCleanup;
use crate::room::{ReserveError, Room};

/// A name that is reserved in a room's memory. Dropping it releases the name.
pub(crate) struct ReservedName {
    shared: Arc<Registry>,
    room: Arc<Room>,
    username: Username,
    /// Whether a member has joined under the name.
    used: bool,
}

impl ReservedName {
    /// Reserves a name in a room, which is created if necessary. If the name is taken, the sink of
    /// the member that has it is probed.
    ///
    /// # Errors
    /// [`JoinError::NameTaken`] or [`JoinError::RoomFull`].
    pub(crate) fn take(
        shared: &Arc<Registry>,
        name: &RoomName,
        username: &Username,
    ) -> Result<Self, JoinError> {
        let mut rooms = shared.rooms.lock();
        let room =
            rooms.entry(name.clone()).or_insert_with(|| Room::new(name.clone(), Arc::clone(&shared.context)));
        let room = Arc::clone(room);
        // under the lock of all rooms: the room can't be removed before the name is reserved in it
        let reserved = room.reserve(username);
        drop(rooms);
        match reserved {
            Ok(()) => Ok(Self { shared: Arc::clone(shared), room, username: username.clone(), used: false }),
            Err(ReserveError::RoomFull) => Err(JoinError::RoomFull),
            Err(ReserveError::NameTaken(holder)) => {
                if let Some(subscriber) = holder {
                    subscriber.sink.probe();
                }
                Err(JoinError::NameTaken)
            }
        }
    }

    pub(crate) fn room(&self) -> &Arc<Room> {
        &self.room
    }

    pub(crate) fn shared(&self) -> &Arc<Registry> {
        &self.shared
    }

    /// Passes the name on to the member that joins under it.
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

    /// Passes the row on to the member that joins.
    pub(crate) fn keep(mut self) -> Arc<Member> {
        self.used = true;
        Arc::clone(&self.member)
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
            self.room.release(&self.username);
            self.shared.remove_if_empty(&self.room);
        }
    }
}
