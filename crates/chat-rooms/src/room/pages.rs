//! Pages of a room's messages as retention leaves them, although the store removes expired messages
//! step by step.

use chat_history::{HistoryError, HistoryStore, Messages, Page};

use crate::room::Room;
use crate::room::retention::RetentionCutoff;

impl Room {
    /// What retention keeps now; `None` if it keeps everything.
    pub(crate) fn cutoff(&self) -> Option<RetentionCutoff> {
        self.context.retention.cutoff()
    }

    /// Removes expired messages from the tail. Returns the number of the newest message, expired or
    /// not.
    pub(crate) fn retain(&self, cutoff: Option<RetentionCutoff>) -> u64 {
        let mut core = self.core.lock();
        if let Some(cutoff) = cutoff {
            core.tail.retain(cutoff);
        }
        core.tail.newest()
    }

    /// Reads a page from the store, without expired messages.
    ///
    /// # Errors
    /// [`HistoryError`] if the store fails.
    pub(crate) async fn read(
        &self,
        history: &dyn HistoryStore,
        page: Page,
    ) -> Result<Messages, HistoryError> {
        let mut messages = history.page(self.name.clone(), page).await?;
        let Some(cutoff) = self.cutoff() else { return Ok(messages) };
        let newest = self.retain(Some(cutoff));
        let (Some(expired), Page::After { limit, .. }) = (cutoff.trim(page, &mut messages, newest), page)
        else {
            return Ok(messages);
        };
        let seq = self.last_expired(history, cutoff, expired, newest).await?;
        messages = history.page(self.name.clone(), Page::After { seq, limit }).await?;
        cutoff.trim(page, &mut messages, newest);
        Ok(messages)
    }

    /// Returns the number of the last expired message, of those from `expired`, which is one, to
    /// `newest`. The store may have many that it has not removed yet, so this is a binary search.
    async fn last_expired(
        &self,
        history: &dyn HistoryStore,
        cutoff: RetentionCutoff,
        mut expired: u64,
        newest: u64,
    ) -> Result<u64, HistoryError> {
        let mut end = newest;
        while expired < end {
            let seq = expired + (end - expired) / 2;
            let found = history.page(self.name.clone(), Page::After { seq, limit: 1 }).await?;
            match found.messages.first() {
                Some(message) if message.seq <= end && !cutoff.keeps_message(message, newest) => {
                    expired = message.seq;
                }
                _ => end = seq,
            }
        }
        Ok(expired)
    }
}
