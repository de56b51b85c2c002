//! Who a session is, and where.

use chat_protocol::Username;
use chat_rooms::{EncodingId, SendWindow};
use tokio::time::Instant;

use super::inherited::InheritedMemberships;
use crate::admission::rate_limit::{Rate, RateLimiter};
use crate::context::memberships::Memberships;
use crate::context::sessions::Registration;

/// What a session is from its `hello` on.
pub(crate) struct Identity {
    pub(crate) username: Username,
    /// How it is told what happens in its rooms.
    pub(crate) encoding: EncodingId,
    pub(crate) rooms: Memberships,
    /// Memberships of the session that was taken over, which have not been joined again yet.
    pub(crate) inherited: Option<InheritedMemberships>,
    /// The session's entry among the others, by which a later connection finds it. Dropped behind the seats: who finds none
    /// any more finds the names free.
    pub(crate) registration: Registration,
    /// What it says in all its rooms counts towards this.
    pub(crate) window: SendWindow,
    /// How fast it joins.
    pub(crate) joins: RateLimiter,
}

impl Identity {
    /// Counts a join; when it may be, if that is not now.
    pub(crate) fn next_join(&mut self, rate: Rate) -> Option<Instant> {
        let now = Instant::now();
        let not_before = self.joins.held_until(now, rate);
        self.joins.note(1, not_before.unwrap_or(now), rate);
        not_before
    }
}
