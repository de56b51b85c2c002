//! What should stay at 0, and how often the client came back.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the client began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Sessions that began; the first counts.
    pub sessions: u64,
    /// Messages that came again and were not told: a fault of the server.
    pub repeats: u64,
    /// Messages before which others were missing: a fault of the server. Each was told by an [`Event::Hole`](crate::Event::Hole).
    pub holes: u64,
    /// Frames that could not be read, or that came where they have no place: of a newer server, or a fault of it.
    pub strays: u64,
}

/// The same, as the client's task counts and its handles read.
#[derive(Debug, Default)]
pub(crate) struct Counting {
    sessions: AtomicU64,
    repeats: AtomicU64,
    holes: AtomicU64,
    strays: AtomicU64,
}

impl Counting {
    pub(crate) fn session(&self) {
        self.sessions.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn repeat(&self) {
        self.repeats.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn hole(&self) {
        self.holes.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stray(&self) {
        self.strays.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Counters {
        let read = |cell: &AtomicU64| cell.load(Ordering::Relaxed);
        Counters {
            sessions: read(&self.sessions),
            repeats: read(&self.repeats),
            holes: read(&self.holes),
            strays: read(&self.strays),
        }
    }
}
