//! The limits that the protocol defines.

use std::time::Duration;

/// The maximum number of members in an event's list, not counting the members that the event is
/// about.
pub const LISTED_MEMBERS: usize = 500;

/// In a room with more members than this, joins and leaves are coalesced over [`COALESCE_WINDOW`]
/// for members that otherwise receive them immediately.
pub const COALESCE_ABOVE: usize = 100;

/// The maximum time for which a large room coalesces joins and leaves.
pub const COALESCE_WINDOW: Duration = Duration::from_millis(250);

/// The limits for what a connection may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The maximum size of a frame and of a message, in bytes as received.
    pub message_bytes: usize,
    /// Rate limit, in frames per second on average; a faster connection is throttled. 0: no limit.
    pub message_rate: u32,
    /// How many frames may arrive at once before the rate limit applies.
    pub message_burst: u32,
    /// How many rooms a session may join.
    pub rooms: u32,
    /// How many sessions a user may have on a node.
    pub sessions: u32,
    /// For how many seconds after it was sent a message may be edited. 0: always.
    pub edit_window_s: u32,
}

impl Default for Limits {
    /// 128 KiB, 100 frames per second, bursts of 5,000, 100 rooms, 20 sessions, and edits at any
    /// time.
    fn default() -> Self {
        Self {
            message_bytes: 128 * 1024,
            message_rate: 100,
            message_burst: 5_000,
            rooms: 100,
            sessions: 20,
            edit_window_s: 0,
        }
    }
}
