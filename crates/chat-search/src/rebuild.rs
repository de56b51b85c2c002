//! Builds an index from the start.

use std::sync::Arc;

use chat_history::{HistoryError, HistoryLog, HistoryStore, Retention};

use crate::follower::read::{Next, Reader};
use crate::follower::size;
use crate::{Position, SearchError, SearchIndex, Update};

/// The maximum number of messages in a page of a room.
const PAGE: usize = 5_000;

/// How many messages, and how many bytes of text, one transaction of the index has.
const MAX_MESSAGES: usize = 20_000;
const MAX_BYTES: usize = 8 << 20;

/// How often a room is read again because something happens in it.
const MAX_ROUNDS: usize = 10_000;

/// How far a rebuild has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// How many rooms were read.
    pub rooms: u64,
    /// How many messages were indexed.
    pub messages: u64,
}

/// Why an index was not built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RebuildError {
    /// The history can't be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The index can't be written.
    #[error(transparent)]
    Index(#[from] SearchError),
}

/// Empties the index and builds it from the start, in large transactions, then optimizes it. No
/// [`Follower`](crate::Follower) may be at work on the index. `progress` is called after each
/// transaction.
///
/// If it fails, or its future is dropped, the index has a part of the messages, and a follower adds
/// the others.
///
/// # Errors
/// [`RebuildError`] if the history or the index fails.
pub async fn rebuild(
    log: &dyn HistoryLog,
    history: Arc<dyn HistoryStore>,
    index: &dyn SearchIndex,
    retention: Retention,
    mut progress: impl FnMut(Progress),
) -> Result<Progress, RebuildError> {
    index.clear().await?;
    let epoch = history.epoch();
    let reader = Reader { history, page: PAGE };
    let mut batch = Batch::default();
    let mut done = Progress::default();
    let mut after = None;
    loop {
        let step = log.rooms(after).await?;
        for found in step.found {
            let mut position: Option<Position> = None;
            for _ in 0..MAX_ROUNDS {
                let Next { update, more } = reader.next(&found.room, position, &epoch, retention).await?;
                position = update.as_ref().map(|update| update.position.clone());
                if let Some(update) = update {
                    batch.push(update);
                    if batch.is_full() {
                        done.messages += batch.apply(index).await?;
                        progress(done);
                    }
                }
                if !more || position.is_none() {
                    break;
                }
            }
            done.rooms += 1;
        }
        match step.next {
            Some(_) => after = step.next,
            None => break,
        }
    }
    done.messages += batch.apply(index).await?;
    index.optimize().await?;
    progress(done);
    Ok(done)
}

/// What one transaction writes.
#[derive(Debug, Default)]
struct Batch {
    updates: Vec<Update>,
    messages: usize,
    bytes: usize,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.messages >= MAX_MESSAGES || self.bytes >= MAX_BYTES
    }

    fn push(&mut self, update: Update) {
        self.messages += update.documents.len();
        self.bytes += size(&update);
        self.updates.push(update);
    }

    async fn apply(&mut self, index: &dyn SearchIndex) -> Result<u64, SearchError> {
        let Self { updates, messages, .. } = std::mem::take(self);
        if !updates.is_empty() {
            index.apply(updates).await?;
        }
        Ok(messages as u64)
    }
}
