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
        self.0.binary_search_by(|seat| seat.member().room.cmp(room))
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
        self.find(room).ok().map(|place| &self.0[place])
    }

    /// Adds a membership. An existing one in the same room is dropped.
    pub(crate) fn insert(&mut self, seat: Arc<Membership>) {
        match self.find(&seat.member().room) {
            Ok(place) => self.0[place] = seat,
            Err(place) => {
                self.0.reserve_exact(1);
                self.0.insert(place, seat);
            }
        }
    }

    pub(crate) fn remove(&mut self, room: &RoomName) -> Option<Arc<Membership>> {
        self.find(room).ok().map(|place| self.0.remove(place))
    }

    /// Drops the memberships in rooms that an admin has removed the session from.
    pub(crate) fn drop_removed(&mut self) {
        self.0.retain(|seat| !seat.was_removed());
    }

    /// Adds all memberships of another session.
    pub(crate) fn extend(&mut self, others: Self) {
        others.0.into_iter().for_each(|seat| self.insert(seat));
    }
}
