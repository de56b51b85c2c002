//! What is kept for somebody who is coming: the name in memory, and the row in the store.

use std::sync::Arc;

use chat_protocol::{Member, RoomName, Username};

use crate::error::JoinError;
use crate::registry::Registry;
use crate::registry::presence_cleanup::PresenceCleanup;
use crate::room::{NotKept, Room};

/// A name that is kept in a room's memory. Dropped, it is free again.
pub(crate) struct ReservedName {
    shared: Arc<Registry>,
    room: Arc<Room>,
    username: Username,
    /// Whether somebody has entered under it.
    used: bool,
}

impl ReservedName {
    /// Keeps a name in a room, which is made if need be. Where it is taken its holder is asked for a sign of life.
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
        // under the lock of the rooms: the room can't be forgotten before the name is kept in it
        let kept = room.reserve(username);
        drop(rooms);
        match kept {
            Ok(()) => Ok(Self { shared: Arc::clone(shared), room, username: username.clone(), used: false }),
            Err(NotKept::Full) => Err(JoinError::RoomFull),
            Err(NotKept::Taken(holder)) => {
                if let Some(subscriber) = holder {
                    subscriber.outlet.probe();
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

    /// Leaves the name to the member that enters under it.
    pub(crate) fn keep(mut self) -> (Arc<Registry>, Arc<Room>) {
        self.used = true;
        (Arc::clone(&self.shared), Arc::clone(&self.room))
    }
}

/// The row of somebody who is not in yet. Dropped, it goes out of the store.
pub(crate) struct PresenceRow {
    presence_cleanup: Arc<PresenceCleanup>,
    member: Arc<Member>,
    /// Whether the member is in, and takes care of it.
    used: bool,
}

impl PresenceRow {
    pub(crate) fn new(presence_cleanup: Arc<PresenceCleanup>, member: Member) -> Self {
        Self { presence_cleanup, member: Arc::new(member), used: false }
    }

    pub(crate) fn member(&self) -> &Arc<Member> {
        &self.member
    }

    /// Leaves the row to the member that enters.
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
            self.shared.forget_if_empty(&self.room);
        }
    }
}
