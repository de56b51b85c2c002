//! A store that survives the server. Commits take time, fail before or after they are on disk, and
//! are interrupted when the server is killed.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chat_history::{
    AppendError, Appended, Durability, HistoryError, HistoryStore, Messages, NewMessage, OnAppended, Page,
    Retention,
};
use chat_protocol::{Content, Epoch, Message, RoomName, Text, Timestamp};
use futures::future::{BoxFuture, FutureExt, ready};
use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::Notify;
use tokio::time::sleep;

/// The condition of the disk.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Health {
    /// The maximum duration of each half of a commit, in milliseconds.
    pub(crate) slowest_ms: u64,
    /// The probability that a commit fails.
    pub(crate) failing: f64,
}

#[derive(Debug)]
pub(crate) struct Disk {
    epoch: Epoch,
    rooms: Mutex<BTreeMap<RoomName, Vec<Arc<Message>>>>,
    pub(crate) health: Mutex<Health>,
}

impl Disk {
    pub(crate) fn new(seed: u64) -> Self {
        let health = Health { slowest_ms: 5, failing: 0.0 };
        Self { epoch: Epoch::from_random(seed), rooms: Mutex::default(), health: Mutex::new(health) }
    }

    /// All messages of a room.
    pub(crate) fn all(&self, room: &RoomName) -> Vec<Arc<Message>> {
        self.rooms.lock().get(room).cloned().unwrap_or_default()
    }

    fn newest(&self, room: &RoomName) -> u64 {
        self.rooms.lock().get(room).map_or(0, |messages| messages.len() as u64)
    }

    /// Stores a message unless it is stored already. Returns the stored message, and whether it is
    /// a duplicate.
    fn put(&self, new: NewMessage) -> Result<(Arc<Message>, bool), AppendError> {
        let mut rooms = self.rooms.lock();
        let messages = rooms.entry(new.room.clone()).or_default();
        let is_same = |message: &&Arc<Message>| {
            message.text().is_some_and(|text| text.id == new.id && text.user == new.user)
        };
        if let Some(first) = messages.iter().find(is_same) {
            return match first.text() {
                Some(text) if text.body != new.body => Err(AppendError::IdReused),
                _ => Ok((Arc::clone(first), true)),
            };
        }
        let (room, seq) = (new.room, messages.len() as u64 + 1);
        let content = Content::Text(Text::new(new.id, new.user, new.from, new.body));
        let message = Arc::new(Message::new(room, seq, Timestamp::from_millis(0), content));
        messages.push(Arc::clone(&message));
        Ok((message, false))
    }
}

/// The disk, as opened by one run of the server.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    disk: Arc<Disk>,
    queue: Arc<Mutex<Queue>>,
    added: Arc<Notify>,
}

#[derive(Default)]
struct Queue(Vec<(NewMessage, OnAppended)>);

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} queued", self.0.len())
    }
}

impl Store {
    pub(crate) fn open(disk: Arc<Disk>, seed: u64) -> Self {
        let store = Self { disk, queue: Arc::default(), added: Arc::default() };
        tokio::spawn(store.clone().commit(SmallRng::seed_from_u64(seed)));
        store
    }

    /// Commits the queued messages in groups.
    async fn commit(self, mut rng: SmallRng) {
        // for each room, the newest message that a result has reported
        let mut reported: HashMap<RoomName, u64> = HashMap::new();
        loop {
            self.added.notified().await;
            let group = std::mem::take(&mut self.queue.lock().0);
            let Health { slowest_ms, failing } = *self.disk.health.lock();
            let take_time = async |rng: &mut SmallRng| {
                sleep(Duration::from_millis(rng.random_range(0..=slowest_ms))).await;
            };
            for (message, _) in &group {
                // messages from before this run were reported when the room was created
                reported.entry(message.room.clone()).or_insert_with(|| self.disk.newest(&message.room));
            }
            take_time(&mut rng).await;
            let fails = rng.random_bool(failing);
            if fails && rng.random() {
                group.into_iter().for_each(|(_, on_appended)| on_appended(Err(failure())));
                continue;
            }
            let stored: Vec<_> = group
                .into_iter()
                .map(|(message, on_appended)| (self.disk.put(message), on_appended))
                .collect();
            take_time(&mut rng).await;
            for (outcome, on_appended) in stored {
                on_appended(if fails {
                    Err(failure())
                } else {
                    outcome.map(|stored| self.appended(stored, &mut reported))
                });
            }
        }
    }

    /// The result for a stored message, with the earlier messages that no result has reported.
    fn appended(
        &self,
        (message, is_duplicate): (Arc<Message>, bool),
        reported: &mut HashMap<RoomName, u64>,
    ) -> Appended {
        let newest = reported.entry(message.room.clone()).or_default();
        let all = self.disk.all(&message.room);
        let until = if is_duplicate { (*newest).max(message.seq) } else { message.seq - 1 };
        let missed =
            all.iter().filter(|missed| missed.seq > *newest && missed.seq <= until).cloned().collect();
        *newest = (*newest).max(message.seq);
        let appended = if is_duplicate { Appended::duplicate(message) } else { Appended::new(message) };
        appended.with_recovered(missed)
    }

    fn read(&self, room: &RoomName, page: Page) -> Messages {
        let all = self.disk.all(room);
        let index = |seq: u64| usize::try_from(seq).unwrap_or(usize::MAX).min(all.len());
        let (from, to) = match page {
            Page::After { seq, limit } => (index(seq), index(seq.saturating_add(limit as u64))),
            Page::Before { seq, limit } => {
                let to = seq.saturating_sub(1);
                (index(to.saturating_sub(limit as u64)), index(to))
            }
        };
        let more = if matches!(page, Page::After { .. }) { to < all.len() } else { from > 0 };
        Messages { messages: all[from..to].to_vec(), more }
    }
}

fn failure() -> AppendError {
    AppendError::Unavailable(HistoryError::other("on purpose"))
}

impl HistoryStore for Store {
    fn epoch(&self) -> Epoch {
        self.disk.epoch.clone()
    }

    fn durability(&self) -> Durability {
        Durability::Disk
    }

    fn append(&self, message: NewMessage, on_appended: OnAppended) {
        self.queue.lock().0.push((message, on_appended));
        self.added.notify_one();
    }

    fn newest(&self, room: RoomName) -> BoxFuture<'_, Result<u64, HistoryError>> {
        ready(Ok(self.disk.newest(&room))).boxed()
    }

    fn page(&self, room: RoomName, page: Page) -> BoxFuture<'_, Result<Messages, HistoryError>> {
        async move {
            let read = self.read(&room, page);
            sleep(Duration::from_millis(3)).await;
            Ok(read)
        }
        .boxed()
    }

    fn prune(&self, _: Retention) -> BoxFuture<'_, Result<bool, HistoryError>> {
        ready(Ok(false)).boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), HistoryError>> {
        ready(Ok(())).boxed()
    }
}
