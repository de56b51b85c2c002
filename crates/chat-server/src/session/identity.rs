//! The user of a session, and the rooms it is in.

use chat_protocol::Username;
use chat_rooms::{EncodingId, SendWindow};
use tokio::time::Instant;

use super::inherited::InheritedMemberships;
use crate::admission::rate_limit::{Rate, RateLimiter};
use crate::context::memberships::Memberships;
use crate::context::sessions::Registration;

/// What a session knows after `hello`.
pub(crate) struct Identity {
    pub(crate) username: Username,
    /// Encoding of the events it receives.
    pub(crate) encoding: EncodingId,
    pub(crate) rooms: Memberships,
    /// Memberships of the session that was taken over that have not been joined again yet.
    pub(crate) inherited: Option<InheritedMemberships>,
    /// The session's entry in the table, by which a later connection finds it. Dropped after the
    /// memberships: once the session cannot be found, its names are free.
    pub(crate) registration: Registration,
    /// Bounds the messages in flight in all its rooms.
    pub(crate) window: SendWindow,
    /// Rate limit for joins.
    pub(crate) joins: RateLimiter,
}

impl Identity {
    /// Counts a join. Returns when it may take place, or `None` if that is now.
    pub(crate) fn next_join(&mut self, rate: Rate) -> Option<Instant> {
        let now = Instant::now();
        let not_before = self.joins.limited_until(now, rate);
        self.joins.record(1, not_before.unwrap_or(now), rate);
        not_before
    }
}
