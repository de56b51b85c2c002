//! Where a session sits.

use std::sync::Arc;

use chat_protocol::RoomName;
use chat_rooms::Membership;

/// A session's seats, in the order of their rooms' names. Most sessions have one, and none has many: a list is smaller than a map,
/// and as fast.
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

    /// The seat in a room.
    pub(crate) fn get(&self, room: &RoomName) -> Option<&Arc<Membership>> {
        self.find(room).ok().map(|place| &self.0[place])
    }

    /// Adds a seat. One in the same room is left.
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

    /// Gives up the seats in rooms that the operator has put the session out of.
    pub(crate) fn drop_removed(&mut self) {
        self.0.retain(|seat| !seat.was_removed());
    }

    /// Adds all of another session's.
    pub(crate) fn extend(&mut self, others: Self) {
        others.0.into_iter().for_each(|seat| self.insert(seat));
    }
}
