//! Keeps an index in step with a history.

mod pending;
pub(crate) mod read;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chat_history::{Cursor, HistoryError, HistoryLog, HistoryStore, Retention, RoomExtent};
use chat_log::{Occasional, Passed};
use chat_protocol::{Epoch, RoomName};
use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use self::pending::{Pending, Work};
use self::read::{Next, Reader};
use crate::{Position, SearchError, SearchErrorKind, SearchIndex, Update};

/// How long the follower waits after it was notified, so that what happens meanwhile is indexed
/// together.
const COALESCE: Duration = Duration::from_millis(100);

/// How often all rooms are checked without a notification.
const WALK_INTERVAL: Duration = Duration::from_secs(300);

/// The maximum number of messages in a page of a room.
const PAGE: usize = 200;

/// How many rooms one transaction of the index updates, and how many bytes of text, at least one
/// room. Small transactions, because the processor may have a lot to do between two of them.
const MAX_ROOMS: usize = 64;
const MAX_BYTES: usize = 128 << 10;

/// How long the follower rests after an update, as a multiple of the time that the update took. So
/// it takes a tenth of one processor at most, and messages that come faster than that are indexed
/// later.
const REST: u32 = 9;
const MAX_REST: Duration = Duration::from_secs(1);

/// After how many transactions one step of purging follows, while there is other work.
const PURGE_INTERVAL: u32 = 16;

/// How long the follower waits after a failure: this long first, then twice as long each time.
const MIN_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// A task that keeps an index in step with a history. Clones share it. It ends when the last one is
/// dropped.
///
/// It reads what happens from the history itself, so a notification that is lost only delays it:
/// all rooms are checked at the start, and every five minutes. A history or an index that fails
/// delays it, too, and it goes on when they work again; an index that is damaged is built again.
/// Its own cursors are in the index, so it continues after a restart where it was.
///
/// What happens in a room is in the index about 100 ms after the notification. In a flood it takes
/// longer: the task takes a tenth of one processor at most, so that it does not slow down the
/// messages that it follows. It holds a few MiB of messages at most.
#[derive(Debug, Clone)]
pub struct Follower {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    pending: Arc<Pending>,
    /// Set to end the task.
    stop: watch::Sender<bool>,
    /// The last notification that was carried out, with all before it; `None` after the task has
    /// ended.
    done: watch::Receiver<Option<u64>>,
}

impl Follower {
    /// Starts the task on the current tokio runtime.
    ///
    /// `log` is that of `history`. Messages that `retention` does not keep are not indexed.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(
        history: Arc<dyn HistoryStore>,
        log: Arc<dyn HistoryLog>,
        index: Arc<dyn SearchIndex>,
        retention: Retention,
    ) -> Self {
        let pending = Arc::new(Pending::new(retention));
        let (stop, stopped) = watch::channel(false);
        let (done, receiver) = watch::channel(Some(0));
        let task = Task {
            reader: Reader { history, page: PAGE },
            log,
            index,
            pending: Arc::clone(&pending),
            epoch: None,
            queue: VecDeque::new(),
            queued: HashSet::new(),
            walk: None,
            failed: Vec::new(),
            pause: MIN_PAUSE,
            rested: Instant::now(),
            transactions: 0,
            metrics: Metrics::new(),
            failures: Occasional::new(),
        };
        tokio::spawn(task.run(stopped, done));
        Self { handle: Arc::new(Handle { pending, stop, done: receiver }) }
    }

    /// Something was stored in this room. It takes less than a microsecond, and may be called under
    /// a lock.
    pub fn notify(&self, room: &RoomName) {
        self.handle.pending.notify(room);
    }

    /// Something may have changed in any room: call it after messages were pruned. All rooms are
    /// checked.
    pub fn notify_all(&self) {
        self.handle.pending.notify_all();
    }

    /// Changes which messages are kept. Messages that were not kept before do not come back, as if
    /// they were pruned.
    pub fn set_retention(&self, retention: Retention) {
        self.handle.pending.set_retention(retention);
    }

    /// Waits until the index has everything of which the follower was notified before. Returns at
    /// once after the task has ended. Cancel-safe.
    pub async fn caught_up(&self) {
        let notified = self.handle.pending.notified();
        let mut done = self.handle.done.clone();
        // an error: the task has ended
        let _ = done.wait_for(|done| done.is_none_or(|done| done >= notified)).await;
    }

    /// Ends the task, and waits until it has ended. The transaction that is being written is
    /// completed. Cancel-safe.
    pub async fn shutdown(&self) {
        self.handle.stop.send_replace(true);
        let mut done = self.handle.done.clone();
        let _ = done.wait_for(Option::is_none).await;
    }
}

/// Why a piece of work was not done.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    History(#[from] HistoryError),
    #[error(transparent)]
    Index(#[from] SearchError),
}

struct Task {
    reader: Reader,
    log: Arc<dyn HistoryLog>,
    index: Arc<dyn SearchIndex>,
    pending: Arc<Pending>,
    /// The epoch to which the index was limited.
    epoch: Option<Epoch>,
    /// The rooms to follow, each once. One that is not finished goes to the end.
    queue: VecDeque<RoomName>,
    queued: HashSet<RoomName>,
    /// Where a walk over all rooms continues; `None` if there is no walk.
    walk: Option<Option<Cursor>>,
    /// Rooms that could not be read. They are tried again after a pause.
    failed: Vec<RoomName>,
    /// How long the next pause is.
    pause: Duration,
    /// When it has rested after the last update.
    rested: Instant,
    transactions: u32,
    metrics: Metrics,
    failures: Occasional,
}

impl Task {
    async fn run(mut self, mut stopped: watch::Receiver<bool>, done: watch::Sender<Option<u64>>) {
        let stop = async move {
            // an error: all handles were dropped
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        tokio::select! {
            () = stop => {}
            () = self.follow(&done) => {}
        }
        done.send_replace(None);
    }

    async fn follow(&mut self, done: &watch::Sender<Option<u64>>) {
        let mut last_walk = Instant::now();
        self.walk = Some(None);
        loop {
            let Work { rooms, all, notified } = self.pending.take();
            if all {
                self.walk = Some(None);
            }
            rooms.into_iter().for_each(|room| self.enqueue(room));
            self.metrics.waiting.set((self.queue.len() + self.failed.len()) as f64);
            match self.step().await {
                Ok(true) => {}
                Ok(false) if self.failed.is_empty() => {
                    self.pause = MIN_PAUSE;
                    done.send_replace(Some(notified));
                    tokio::select! {
                        () = self.pending.wait() => sleep(COALESCE).await,
                        () = sleep_until(last_walk + WALK_INTERVAL) => {
                            last_walk = Instant::now();
                            self.walk = Some(None);
                        }
                    }
                }
                // only rooms are left that could not be read
                Ok(false) => {
                    self.wait().await;
                    std::mem::take(&mut self.failed).into_iter().for_each(|room| self.enqueue(room));
                }
                Err(failure) => {
                    self.report(&failure);
                    self.mend(&failure).await;
                    self.wait().await;
                }
            }
        }
    }

    fn enqueue(&mut self, room: RoomName) {
        if self.queued.insert(room.clone()) {
            self.queue.push_back(room);
        }
    }

    async fn wait(&mut self) {
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(MAX_PAUSE);
    }

    fn report(&self, failure: &Failure) {
        self.metrics.failures.increment(1);
        if let Some(Passed { suppressed }) = self.failures.pass() {
            tracing::warn!(error = %failure, suppressed, "the search index could not follow; it will be retried");
        }
    }

    /// A damaged index is built again.
    async fn mend(&mut self, failure: &Failure) {
        let Failure::Index(error) = failure else { return };
        if error.kind() != SearchErrorKind::Damaged {
            return;
        }
        match self.index.clear().await {
            Ok(()) => {
                self.epoch = None;
                self.walk = Some(None);
            }
            Err(error) => self.report(&error.into()),
        }
    }

    /// Does a piece of the work. Returns whether there is more.
    async fn step(&mut self) -> Result<bool, Failure> {
        let epoch = self.reader.history.epoch();
        if self.epoch.as_ref() != Some(&epoch) {
            self.index.keep_epoch(epoch.clone()).await?;
            self.epoch = Some(epoch);
            self.walk = Some(None);
        }
        if self.queue.is_empty() {
            if let Some(after) = self.walk {
                self.walk(after).await?;
                return Ok(true);
            }
            return Ok(self.index.purge().await?);
        }
        self.transactions = self.transactions.wrapping_add(1);
        if self.transactions.is_multiple_of(PURGE_INTERVAL) {
            self.index.purge().await?;
        }
        sleep_until(self.rested).await;
        let started = Instant::now();
        let updated = self.update().await;
        self.rested = Instant::now() + (started.elapsed() * REST).min(MAX_REST);
        updated.map(|()| true)
    }

    /// Finds rooms of which the index does not have everything.
    async fn walk(&mut self, after: Option<Cursor>) -> Result<(), Failure> {
        let step = self.log.rooms(after).await?;
        let rooms = step.found.iter().map(|found| found.room.clone()).collect();
        let positions = self.index.positions(rooms).await?;
        for (RoomExtent { room, extent, .. }, position) in step.found.into_iter().zip(positions) {
            let is_current = |position: &Position| {
                position.seq == extent.newest
                    && position.changed_seq == extent.newest
                    && position.oldest >= extent.oldest
            };
            if !position.as_ref().is_some_and(is_current) {
                self.enqueue(room);
            }
        }
        self.walk = step.next.map(Some);
        Ok(())
    }

    /// Reads and applies the next updates of the first rooms of the queue.
    async fn update(&mut self) -> Result<(), Failure> {
        let rooms: Vec<_> = self.queue.iter().take(MAX_ROOMS).cloned().collect();
        let positions = self.index.positions(rooms.clone()).await?;
        let retention = self.pending.retention();
        let Some(epoch) = self.epoch.clone() else { return Ok(()) };
        let (mut updates, mut more_rooms, mut bytes, mut taken) = (Vec::new(), Vec::new(), 0, 0);
        for (room, position) in rooms.into_iter().zip(positions) {
            if bytes >= MAX_BYTES {
                break;
            }
            taken += 1;
            match self.reader.next(&room, position, &epoch, retention).await {
                Ok(Next { update, more }) => {
                    bytes += update.as_ref().map_or(0, size);
                    updates.extend(update);
                    if more {
                        more_rooms.push(room);
                    }
                }
                Err(error) => {
                    self.report(&error.into());
                    self.failed.push(room);
                }
            }
        }
        if self.reader.history.epoch() != epoch {
            // what was read may be of either epoch
            return Ok(());
        }
        if !updates.is_empty() {
            let indexed: usize = updates.iter().map(|update| update.documents.len()).sum();
            let removed: usize = updates.iter().map(|update| update.removed.len()).sum();
            self.index.apply(updates).await?;
            self.metrics.indexed.increment(indexed as u64);
            self.metrics.removed.increment(removed as u64);
        }
        for room in self.queue.drain(..taken) {
            self.queued.remove(&room);
        }
        more_rooms.into_iter().for_each(|room| self.enqueue(room));
        if self.failed.is_empty() {
            self.pause = MIN_PAUSE;
        }
        Ok(())
    }
}

/// The size of the text of an update, in bytes.
pub(crate) fn size(update: &Update) -> usize {
    update.documents.iter().map(|document| document.body.len()).sum()
}

struct Metrics {
    indexed: Counter,
    removed: Counter,
    failures: Counter,
    waiting: Gauge,
}

impl Metrics {
    fn new() -> Self {
        describe_counter!(
            "chatd_search_indexed_total",
            "Messages added to the search index, or changed in it"
        );
        describe_counter!("chatd_search_removed_total", "Messages removed from the search index");
        describe_counter!(
            "chatd_search_failures_total",
            "Times that the search index could not follow the history"
        );
        describe_gauge!("chatd_search_rooms_waiting", Unit::Count, "Rooms that wait to be indexed");
        Self {
            indexed: counter!("chatd_search_indexed_total"),
            removed: counter!("chatd_search_removed_total"),
            failures: counter!("chatd_search_failures_total"),
            waiting: gauge!("chatd_search_rooms_waiting"),
        }
    }
}
