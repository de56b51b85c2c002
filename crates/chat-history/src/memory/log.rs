//! The log of the memory store.

use std::sync::Arc;

use chat_protocol::{Message, RoomName, Timestamp};
use futures::future::{BoxFuture, FutureExt};
use parking_lot::Mutex;

use super::{MemoryHistory, Rooms};
use crate::log::distinct;
use crate::{Cursor, Extent, HistoryError, HistoryLog, Retention, RoomExtent, Step};

/// How many rooms one step returns.
const MAX_ROOMS: usize = 256;

/// The log of a [`MemoryHistory`].
#[derive(Debug, Clone)]
pub struct MemoryHistoryLog {
    rooms: Arc<Mutex<Rooms>>,
}

impl MemoryHistory {
    /// Access to the log.
    pub fn log(&self) -> MemoryHistoryLog {
        MemoryHistoryLog { rooms: Arc::clone(&self.rooms) }
    }
}

impl Rooms {
    /// The next rooms in order of creation. The last step also has the rooms whose messages were
    /// forgotten.
    fn walk_extents(&self, after: Option<Cursor>) -> Step<Vec<RoomExtent>> {
        let after = after.map_or(0, Cursor::position);
        let mut logs: Vec<_> = self.logs.iter().filter(|(_, log)| log.position > after).collect();
        logs.sort_unstable_by_key(|(_, log)| log.position);
        let more = logs.len() > MAX_ROOMS;
        logs.truncate(MAX_ROOMS);
        let next = logs.last().filter(|_| more).and_then(|(_, log)| Cursor::new(log.position).ok());
        let extent = |oldest, newest| Extent::new(oldest, newest);
        let mut found: Vec<_> = logs
            .into_iter()
            .map(|(name, log)| RoomExtent::new(name.clone(), extent(log.oldest, log.newest)))
            .collect();
        if next.is_none() {
            let forgotten = self.numbers.iter();
            found.extend(forgotten.map(|(name, newest)| {
                RoomExtent::new(name.clone(), extent(newest.saturating_add(1), *newest))
            }));
        }
        Step::new(found, next)
    }

    fn messages(&self, room: &RoomName, numbers: Vec<u64>, retention: Retention) -> Vec<Arc<Message>> {
        let Some(log) = self.logs.get(room) else { return Vec::new() };
        let Extent { oldest, .. } = log.extent(retention, Timestamp::now());
        let kept = distinct(numbers).into_iter().filter(|number| *number >= oldest);
        kept.filter_map(|number| log.get(number).map(Arc::clone)).collect()
    }
}

impl HistoryLog for MemoryHistoryLog {
    fn rooms(&self, after: Option<Cursor>) -> BoxFuture<'_, Result<Step<Vec<RoomExtent>>, HistoryError>> {
        async move { Ok(self.rooms.lock().walk_extents(after)) }.boxed()
    }

    fn messages(
        &self,
        room: RoomName,
        numbers: Vec<u64>,
        retention: Retention,
    ) -> BoxFuture<'_, Result<Vec<Arc<Message>>, HistoryError>> {
        async move { Ok(self.rooms.lock().messages(&room, numbers, retention)) }.boxed()
    }
}
