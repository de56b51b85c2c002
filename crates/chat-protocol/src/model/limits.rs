//! The numbers of the contract.

use std::time::Duration;

/// A list of members in one event names at most this many, and whoever the event is about.
pub const LISTED_MEMBERS: usize = 500;

/// A room with more members than this coalesces, for those who are told at once, comings and goings over [`COALESCE_WINDOW`].
pub const COALESCE_ABOVE: usize = 100;

/// How long a big room gathers comings and goings at most.
pub const COALESCE_WINDOW: Duration = Duration::from_millis(250);

/// What a connection may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest frame and the largest message, in bytes as they arrive.
    pub message_bytes: usize,
    /// Frames a second in the long run; what comes faster is read more slowly. 0: no pace.
    pub message_rate: u32,
    /// How many frames may come at once before the pace holds.
    pub message_burst: u32,
    /// How many rooms one session may be in.
    pub rooms: u32,
}

impl Default for Limits {
    /// 128 KiB, 100 a second, 5,000 at once, 100 rooms.
    fn default() -> Self {
        Self { message_bytes: 128 * 1024, message_rate: 100, message_burst: 5_000, rooms: 100 }
    }
}
