//! Reads from the store, as far as retention keeps it, although the store removes expired messages
//! step by step.

use std::time::Duration;

use chat_history::{HistoryError, Retention};

use crate::room::Room;
use crate::room::catch_up::{Found, Read};
use crate::room::core::Core;
use crate::room::retention::RetentionCutoff;
use crate::room::state::effects::Effects;
use crate::sync::Instant;

/// For how long the number of the oldest message is good enough: a client that keeps a message for
/// this long after it was removed does no harm.
const OLDEST_KNOWN_FOR: Duration = Duration::from_secs(1);

/// The number of the oldest message that retention keeps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Oldest {
    pub(crate) seq: u64,
    retention: Retention,
    read_at: Instant,
}

impl Oldest {
    /// A number that was read just now.
    pub(crate) fn now(seq: u64, retention: Retention) -> Self {
        Self { seq, retention, read_at: Instant::now() }
    }

    fn is_current(&self, retention: Retention) -> bool {
        self.retention == retention && self.read_at.elapsed() < OLDEST_KNOWN_FOR
    }
}

impl Room {
    /// What retention keeps now; `None` if it keeps everything.
    pub(crate) fn cutoff(&self) -> Option<RetentionCutoff> {
        self.context.retention.cutoff()
    }

    /// Runs a command on the core, whose tail has no expired messages.
    pub(crate) fn change_retained<T>(&self, command: impl FnOnce(&mut Core, &mut Effects) -> T) -> T {
        let cutoff = self.cutoff();
        self.change(|core, effects| {
            if let Some(cutoff) = cutoff {
                core.tail.retain(cutoff);
            }
            command(core, effects)
        })
    }

    /// Removes expired messages from the tail. Returns the number of the newest event.
    pub(crate) fn retain(&self, cutoff: Option<RetentionCutoff>) -> u64 {
        let mut core = self.lock();
        if let Some(cutoff) = cutoff {
            core.tail.retain(cutoff);
        }
        core.tail.newest()
    }

    /// Reads messages from the store, without expired ones. Cancel-safe.
    ///
    /// # Errors
    /// [`HistoryError`] if the store fails.
    pub(crate) async fn read(&self, read: Read) -> Result<Found, HistoryError> {
        let (room, history) = (self.name.clone(), &self.context.history);
        Ok(match read {
            Read::Page(page) => {
                Found::Page(history.page(room, page, self.context.retention.retention()).await?)
            }
            Read::Changed { after, limit } => Found::Changed(history.changed(room, after, limit).await?),
            Read::Own { targets, users } => Found::Own(history.own_reactions(room, targets, users).await?),
        })
    }

    /// Reads the number of the oldest message that is kept, unless it was read shortly before.
    /// Cancel-safe.
    ///
    /// # Errors
    /// [`HistoryError`] if the store fails.
    pub(crate) async fn refresh_oldest(&self) -> Result<(), HistoryError> {
        let retention = self.context.retention.retention();
        if self.lock().oldest.is_some_and(|oldest| oldest.is_current(retention)) {
            return Ok(());
        }
        let extent = self.context.history.extent(self.name.clone(), retention).await?;
        self.lock().oldest = Some(Oldest::now(extent.oldest, retention));
        Ok(())
    }
}
