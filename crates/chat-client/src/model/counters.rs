//! Counters of a client.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the client was created.
///
/// ```no_run
/// # fn run(client: chat_client::Client) {
/// let counters = client.counters();
/// assert_eq!((counters.duplicates, counters.sequence_gaps), (0, 0), "the server is at fault");
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Sessions that began, the first one included.
    pub sessions: u64,
    /// Messages and deletions that arrived more than once and were dropped: a fault of the server.
    pub duplicates: u64,
    /// Gaps in the numbers of a room's events: a fault of the server. The client resyncs after
    /// each, so that nothing is lost.
    pub sequence_gaps: u64,
    /// Resyncs: how often the client asked for the events of a room that it had missed while it was
    /// connected. The reason is a sequence gap, a range of events that the server could not send,
    /// or a changed epoch.
    pub resyncs: u64,
    /// Frames that could not be read, or that were not expected: they come from a newer server, or
    /// are a fault of the server.
    pub unexpected_frames: u64,
}

/// The same counts, which the client's task updates and its handles read.
#[derive(Debug, Default)]
pub(crate) struct CounterCells {
    sessions: AtomicU64,
    duplicates: AtomicU64,
    sequence_gaps: AtomicU64,
    resyncs: AtomicU64,
    unexpected_frames: AtomicU64,
}

impl CounterCells {
    pub(crate) fn session(&self) {
        self.sessions.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn duplicate(&self) {
        self.duplicates.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn sequence_gap(&self) {
        self.sequence_gaps.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn resync(&self) {
        self.resyncs.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn unexpected_frame(&self) {
        self.unexpected_frames.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Counters {
        let read = |cell: &AtomicU64| cell.load(Ordering::Relaxed);
        Counters {
            sessions: read(&self.sessions),
            duplicates: read(&self.duplicates),
            sequence_gaps: read(&self.sequence_gaps),
            resyncs: read(&self.resyncs),
            unexpected_frames: read(&self.unexpected_frames),
        }
    }
}
