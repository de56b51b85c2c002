//! A walk through all rooms, and messages by number.

use std::fmt;
use std::sync::Arc;

use chat_protocol::{Message, RoomName};
use futures::future::BoxFuture;

use crate::{Cursor, Extent, HistoryError, Retention, Step};

/// The maximum number of messages that one call of [`HistoryLog::messages`] reads.
pub const MAX_NUMBERS: usize = 200;

/// A room of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomExtent {
    /// The room.
    pub room: RoomName,
    /// Its numbers. What retention does not keep, but was not pruned yet, is included.
    pub extent: Extent,
}

impl RoomExtent {
    /// A room with these numbers.
    pub fn new(room: RoomName, extent: Extent) -> Self {
        Self { room, extent }
    }
}

/// The log of all rooms: for a reader that keeps something in step with it, such as a search index,
/// and that looks up messages by number.
pub trait HistoryLog: fmt::Debug + Send + Sync + 'static {
    /// The next rooms in which anything was ever stored. The first step has no cursor, each further
    /// step the cursor that the previous one returned. A step takes a few milliseconds at most.
    /// Rooms that are created during a walk may be missed by it. Cancel-safe.
    ///
    /// # Errors
    /// [`HistoryError`] if the store fails.
    fn rooms(&self, after: Option<Cursor>) -> BoxFuture<'_, Result<Step<Vec<RoomExtent>>, HistoryError>>;

    /// The messages of a room with these numbers, as they are now: each once, oldest first. Numbers
    /// that belong to no message are left out, and so are messages that were pruned or that
    /// `retention` does not keep. A deleted message is included. Only the first [`MAX_NUMBERS`]
    /// numbers are read. Cancel-safe.
    ///
    /// # Errors
    /// [`HistoryError`] if the store fails.
    fn messages(
        &self,
        room: RoomName,
        numbers: Vec<u64>,
        retention: Retention,
    ) -> BoxFuture<'_, Result<Vec<Arc<Message>>, HistoryError>>;
}

/// The numbers to read: each once, in order.
pub(crate) fn distinct(mut numbers: Vec<u64>) -> Vec<u64> {
    numbers.truncate(MAX_NUMBERS);
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}
