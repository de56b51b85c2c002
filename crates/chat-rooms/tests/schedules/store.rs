//! Stores that answer at an arbitrary later step.

use std::collections::HashMap;
use std::sync::Arc;

use chat_history::{
    AppendError, Appended, Changed, Durability, Extent, HistoryError, HistoryStore, Messages, NewEvent,
    OnAppended, Page, Retention, StoredEvent,
};
use chat_presence::{Holder, JoinError, MemoryPresence, NewPresence, NodeId, PresenceStore, StoreError};
use chat_protocol::{Content, DeletedBy, Epoch, Member, MemberId, Message, RoomName, Timestamp, Username};
use chat_rooms::Engine;
use futures::future::{BoxFuture, FutureExt};
use parking_lot::Mutex;
use shuttle::future::yield_now;
use shuttle::rand::{Rng, thread_rng};
use tokio::sync::Notify;

/// A history store with its own commit task, which takes all queued events at once. Some of them
/// fail.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    stored: Arc<Mutex<HashMap<RoomName, Vec<Arc<Message>>>>>,
    queue: Arc<Mutex<Queue>>,
    added: Arc<Notify>,
    /// The probability that an append fails.
    failing: f64,
}

#[derive(Default)]
struct Queue(Vec<(NewEvent, OnAppended)>);

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} queued", self.0.len())
    }
}

impl Store {
    pub(crate) fn new(failing: f64) -> Self {
        let store = Self { stored: Arc::default(), queue: Arc::default(), added: Arc::default(), failing };
        shuttle::future::spawn(store.clone().commit());
        store
    }

    async fn commit(self) {
        loop {
            self.added.notified().await;
            let queued = std::mem::take(&mut self.queue.lock().0);
            let results: Vec<_> =
                queued.into_iter().map(|(event, on_appended)| (self.store(event), on_appended)).collect();
            yield_now().await;
            results.into_iter().for_each(|(result, on_appended)| on_appended(result));
        }
    }

    fn store(&self, event: NewEvent) -> Result<Appended, AppendError> {
        if thread_rng().gen_bool(self.failing) {
            return Err(AppendError::Unavailable(HistoryError::other("on purpose")));
        }
        // these schedules delete nothing
        let NewEvent::Message(new) = event else { return Ok(Appended::Unchanged) };
        let mut stored = self.stored.lock();
        let messages = stored.entry(new.room.clone()).or_default();
        let message = Arc::new(new.numbered(messages.len() as u64 + 1, Timestamp::from_millis(0)));
        messages.push(Arc::clone(&message));
        Ok(Appended::Stored(StoredEvent::Message(message)))
    }

    /// Stores some deleted messages.
    pub(crate) fn fill(&self, room: &RoomName, count: usize) {
        let mut stored = self.stored.lock();
        let messages = stored.entry(room.clone()).or_default();
        for seq in 1..=count as u64 {
            let (sent_at, content) =
                (Timestamp::from_millis(0), Content::Deleted { by: DeletedBy::Operator });
            messages.push(Arc::new(Message::new(room.clone(), seq, sent_at, content)));
        }
    }

    fn extent_of(&self, room: &RoomName) -> Extent {
        Extent::new(1, self.all(room).len() as u64)
    }

    fn read(&self, room: &RoomName, page: Page) -> Messages {
        let all = self.all(room);
        let index = |seq: u64| usize::try_from(seq).map_or(all.len(), |seq| seq.min(all.len()));
        let range = match page {
            Page::After { seq, limit } => index(seq)..index(seq.saturating_add(limit as u64)),
            Page::Before { seq, limit } => {
                index(seq.saturating_sub(1).saturating_sub(limit as u64))..index(seq.saturating_sub(1))
            }
        };
        let more = match page {
            Page::After { .. } => range.end < all.len(),
            Page::Before { .. } => range.start > 0,
        };
        Messages::new(page, Extent::new(1, all.len() as u64), all[range].to_vec(), more)
    }

    /// All stored messages of a room.
    pub(crate) fn all(&self, room: &RoomName) -> Vec<Arc<Message>> {
        self.stored.lock().get(room).cloned().unwrap_or_default()
    }
}

impl HistoryStore for Store {
    fn epoch(&self) -> Epoch {
        Epoch::from_random(0)
    }

    fn durability(&self) -> Durability {
        Durability::Disk
    }

    fn append(&self, event: NewEvent, on_appended: OnAppended) {
        self.queue.lock().0.push((event, on_appended));
        self.added.notify_one();
    }

    fn extent(&self, room: RoomName, _: Retention) -> BoxFuture<'_, Result<Extent, HistoryError>> {
        async move {
            yield_now().await;
            Ok(self.extent_of(&room))
        }
        .boxed()
    }

    fn page(
        &self,
        room: RoomName,
        page: Page,
        _: Retention,
    ) -> BoxFuture<'_, Result<Messages, HistoryError>> {
        async move {
            let read = self.read(&room, page);
            yield_now().await;
            Ok(read)
        }
        .boxed()
    }

    fn changed(&self, room: RoomName, _: u64, _: usize) -> BoxFuture<'_, Result<Changed, HistoryError>> {
        async move {
            let newest = self.extent_of(&room).newest;
            yield_now().await;
            Ok(Changed::new(Some(Vec::new()), newest))
        }
        .boxed()
    }

    fn prune(&self, _: Retention) -> BoxFuture<'_, Result<bool, HistoryError>> {
        async { Ok(false) }.boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), HistoryError>> {
        async { Ok(()) }.boxed()
    }
}

/// A presence store in memory that answers some steps later.
#[derive(Debug, Clone)]
pub(crate) struct Presence(Arc<MemoryPresence>);

impl Presence {
    pub(crate) fn new() -> Self {
        Self(Arc::new(MemoryPresence::new(NodeId::new("here"))))
    }
}

impl PresenceStore for Presence {
    fn node(&self) -> &NodeId {
        self.0.node()
    }

    fn join(&self, new: NewPresence) -> BoxFuture<'_, Result<MemberId, JoinError>> {
        async move {
            yield_now().await;
            let joined = self.0.join(new).await;
            yield_now().await;
            joined
        }
        .boxed()
    }

    fn leave(&self, ids: Vec<MemberId>) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            yield_now().await;
            self.0.leave(ids).await
        }
        .boxed()
    }

    fn members(&self, room: RoomName) -> BoxFuture<'_, Result<Vec<Member>, StoreError>> {
        self.0.members(room)
    }

    fn holder(
        &self,
        room: RoomName,
        username: Username,
    ) -> BoxFuture<'_, Result<Option<Holder>, StoreError>> {
        self.0.holder(room, username)
    }

    fn clear(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.0.clear()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.0.check()
    }
}

/// An engine with these stores.
pub(crate) async fn engine(store: &Store, presence: &Presence) -> Engine {
    let builder = Engine::builder(presence.clone());
    let builder = builder.history(store.clone());
    builder.start().await.unwrap()
}
