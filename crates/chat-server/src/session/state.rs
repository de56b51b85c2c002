//! What a session knows once its user is known.

use std::sync::Arc;

use chat_access::Network;
use chat_protocol::{Identity, Timestamp, UserId};
use chat_rooms::{EncodingId, SendWindow};
use tokio::time::Instant;

use super::replaced::ReplacedRooms;
use crate::admission::rate_limit::{Rate, RateLimiter};
use crate::context::inbox::OpenList;
use crate::context::memberships::Memberships;
use crate::context::sessions::Registration;

/// What a session knows after `hello`.
pub(crate) struct SessionState {
    pub(crate) user: Arc<Identity>,
    /// The ids that the user had as a guest, before it had an account.
    pub(crate) former_ids: Box<[UserId]>,
    /// When the account was created. `None` for guests.
    pub(crate) since: Option<Timestamp>,
    /// Where a guest connects from.
    pub(crate) network: Option<Network>,
    /// Encoding of the events it receives.
    pub(crate) encoding: EncodingId,
    pub(crate) rooms: Memberships,
    /// The rooms of the session that this one replaces and that it has not joined yet.
    pub(crate) replaced: Option<ReplacedRooms>,
    /// The session's entry in the table, by which a later session finds it. Dropped after the
    /// memberships: once the session cannot be found, it is in no room.
    pub(crate) registration: Registration,
    /// The list of the user's rooms. `None` for guests.
    pub(crate) list: Option<OpenList>,
    /// Bounds the messages in flight in all its rooms.
    pub(crate) window: SendWindow,
    /// Rate limit for joins.
    pub(crate) joins: RateLimiter,
}

impl SessionState {
    /// Notes which rooms the session has joined: it needs no news of them.
    pub(crate) fn note_rooms(&self) {
        if self.list.is_some() {
            let rooms = self.rooms.iter().map(|member| member.member().room.clone()).collect();
            self.registration.set_rooms(rooms);
        }
    }

    /// Counts a join. Returns when it may take place, or `None` if that is now.
    pub(crate) fn next_join(&mut self, rate: Rate) -> Option<Instant> {
        let now = Instant::now();
        let not_before = self.joins.limited_until(now, rate);
        self.joins.record(1, not_before.unwrap_or(now), rate);
        not_before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_session_is_small() {
        // one byte more takes 192 of the allocator
        assert!(size_of::<SessionState>() <= 160, "{} bytes", size_of::<SessionState>());
    }
}
