//! The limits of an engine.

use std::time::Duration;

/// The limits and timeouts of an engine. The defaults suit a server with up to about ten thousand
/// members.
///
/// ```
/// use chat_rooms::EngineLimits;
///
/// let limits = EngineLimits { members_per_room: 50, ..EngineLimits::default() };
/// # let _ = limits;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineLimits {
    /// The maximum number of members of a room on this node (default: unlimited).
    pub members_per_room: usize,
    /// Senders wait while the events that a room has to deliver are larger than this, in bytes
    /// (default: 1 MiB).
    pub queued_bytes: usize,
    /// Senders wait while the messages in flight to the history store are larger than this in
    /// total, in bytes (default: 64 MiB).
    pub in_flight_bytes: u32,
    /// The maximum number of joins that wait for the presence store at the same time (default:
    /// 4,096). Further ones fail with [`JoinError::Busy`](crate::JoinError::Busy).
    pub pending_joins: usize,
    /// How long a join waits for the presence store (default: 5 s).
    pub store_timeout: Duration,
    /// How often a member can indicate that it is typing (default: every 3 s). Further indications
    /// are ignored.
    pub typing_interval: Duration,
    /// The maximum number of names in each list of one change of presence, in a room with more than
    /// [`LISTED_MEMBERS`](chat_protocol::LISTED_MEMBERS) members (default: 50).
    pub presence_names: usize,
    /// How many bytes of events are encoded together (default: 256 KiB).
    pub batch_bytes: usize,
    /// How many members one task serves before the room starts another one, up to one task per
    /// processor (default: 512).
    pub members_per_pump: usize,
}

impl Default for EngineLimits {
    fn default() -> Self {
        Self {
            members_per_room: usize::MAX,
            queued_bytes: 1 << 20,
            in_flight_bytes: 64 << 20,
            pending_joins: 4_096,
            store_timeout: Duration::from_secs(5),
            typing_interval: Duration::from_secs(3),
            presence_names: 50,
            batch_bytes: 256 << 10,
            // schedules use few members, and should exercise several pumps nevertheless
            members_per_pump: if cfg!(shuttle) { 2 } else { 512 },
        }
    }
}
