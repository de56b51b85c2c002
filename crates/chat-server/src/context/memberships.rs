//! The memberships of a session.

use std::sync::Arc;

use chat_protocol::RoomName;
use chat_rooms::Membership;

/// A session's memberships, sorted by room name. Most sessions have one and none has many, so a
/// list is smaller than a map and as fast.
#[derive(Debug, Default)]
pub(crate) struct Memberships(Vec<Arc<Membership>>);

impl Memberships {
    fn find(&self, room: &RoomName) -> Result<usize, usize> {
        self.0.binary_search_by(|membership| membership.member().room.cmp(room))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Membership>> {
        self.0.iter()
    }

    /// The membership in a room.
    pub(crate) fn get(&self, room: &RoomName) -> Option<&Arc<Membership>> {
        self.find(room).ok().map(|index| &self.0[index])
    }

    /// Adds a membership. An existing one in the same room is dropped, and thereby left.
    pub(crate) fn insert(&mut self, membership: Arc<Membership>) {
        match self.find(&membership.member().room) {
            Ok(index) => self.0[index] = membership,
            Err(index) => {
                self.0.reserve_exact(1);
                self.0.insert(index, membership);
            }
        }
    }

    pub(crate) fn remove(&mut self, room: &RoomName) -> Option<Arc<Membership>> {
        self.find(room).ok().map(|index| self.0.remove(index))
    }

    /// Drops the memberships in rooms that an admin has removed the session from.
    pub(crate) fn drop_removed(&mut self) {
        self.0.retain(|membership| !membership.was_removed());
    }

    /// Adds all memberships of another session.
    pub(crate) fn extend(&mut self, others: Self) {
        others.0.into_iter().for_each(|membership| self.insert(membership));
    }
}
