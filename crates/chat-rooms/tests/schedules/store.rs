//! Stores that answer at any later step.

use std::collections::HashMap;
use std::sync::Arc;

use chat_history::{
    AppendError, Appended, Durability, HistoryError, HistoryStore, Messages, NewMessage, OnAppended, Page,
    Retention,
};
use chat_presence::{JoinError, MemoryPresence, NewPresence, NodeId, PresenceStore, StoreError};
use chat_protocol::{Content, Epoch, Member, MemberId, Message, RoomName, Timestamp, Username};
use chat_rooms::Engine;
use futures::future::{BoxFuture, FutureExt};
use parking_lot::Mutex;
use shuttle::future::yield_now;
use shuttle::rand::{Rng, thread_rng};
use tokio::sync::Notify;

/// A history whose commits are a task of their own, which takes what has gathered; some of them fail.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    stored: Arc<Mutex<HashMap<RoomName, Vec<Arc<Message>>>>>,
    waiting: Arc<Mutex<Waiting>>,
    added: Arc<Notify>,
    /// How probable it is that a message is not stored.
    failing: f64,
}

#[derive(Default)]
struct Waiting(Vec<(NewMessage, OnAppended)>);

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} wait", self.0.len())
    }
}

impl Store {
    pub(crate) fn new(failing: f64) -> Self {
        let store = Self { stored: Arc::default(), waiting: Arc::default(), added: Arc::default(), failing };
        shuttle::future::spawn(store.clone().commit());
        store
    }

    async fn commit(self) {
        loop {
            self.added.notified().await;
            let waiting = std::mem::take(&mut self.waiting.lock().0);
            let answers: Vec<_> =
                waiting.into_iter().map(|(message, told)| (self.store(message), told)).collect();
            yield_now().await;
            answers.into_iter().for_each(|(answer, told)| told(answer));
        }
    }

    fn store(&self, new: NewMessage) -> Result<Appended, AppendError> {
        if thread_rng().gen_bool(self.failing) {
            return Err(AppendError::Unavailable(HistoryError::other("on purpose")));
        }
        let mut stored = self.stored.lock();
        let messages = stored.entry(new.room.clone()).or_default();
        let (room, seq) = (new.room, messages.len() as u64 + 1);
        let content = Content::Said { id: new.id, from: new.from, body: new.body };
        let message = Arc::new(Message { room, seq, sent_at: Timestamp(0), content });
        messages.push(Arc::clone(&message));
        Ok(Appended::new(message))
    }

    /// Stores some messages of somebody who is gone.
    pub(crate) fn fill(&self, room: &RoomName, count: usize) {
        let mut stored = self.stored.lock();
        let messages = stored.entry(room.clone()).or_default();
        for seq in 1..=count as u64 {
            let content = Content::Erased;
            messages.push(Arc::new(Message { room: room.clone(), seq, sent_at: Timestamp(0), content }));
        }
    }

    fn read(&self, room: &RoomName, page: Page) -> Messages {
        let stored = self.stored.lock();
        let all = stored.get(room).map_or(&[][..], Vec::as_slice);
        let place = |seq: u64| usize::try_from(seq).map_or(all.len(), |seq| seq.min(all.len()));
        let range = match page {
            Page::After { seq, limit } => place(seq)..place(seq.saturating_add(limit as u64)),
            Page::Before { seq, limit } => {
                place(seq.saturating_sub(1).saturating_sub(limit as u64))..place(seq.saturating_sub(1))
            }
        };
        let more = matches!(page, Page::After { .. }) && range.end < all.len();
        Messages { messages: all[range].to_vec(), more }
    }

    /// Everything that is stored of a room.
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

    fn append(&self, message: NewMessage, told: OnAppended) {
        self.waiting.lock().0.push((message, told));
        self.added.notify_one();
    }

    fn newest(&self, room: RoomName) -> BoxFuture<'_, Result<u64, HistoryError>> {
        async move {
            yield_now().await;
            Ok(self.stored.lock().get(&room).map_or(0, |messages| messages.len() as u64))
        }
        .boxed()
    }

    fn page(&self, room: RoomName, page: Page) -> BoxFuture<'_, Result<Messages, HistoryError>> {
        async move {
            let read = self.read(&room, page);
            yield_now().await;
            Ok(read)
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

/// Presence in memory that answers some steps later.
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

    fn join(&self, stay: NewPresence) -> BoxFuture<'_, Result<MemberId, JoinError>> {
        async move {
            yield_now().await;
            let joined = self.0.join(stay).await;
            yield_now().await;
            joined
        }
        .boxed()
    }

    fn leave(&self, stays: Vec<MemberId>) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            yield_now().await;
            self.0.leave(stays).await
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
    ) -> BoxFuture<'_, Result<Option<NodeId>, StoreError>> {
        self.0.holder(room, username)
    }

    fn clear(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.0.clear()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.0.check()
    }
}

/// An engine on such stores.
pub(crate) async fn engine(store: &Store, presence: &Presence) -> Engine {
    let mut builder = Engine::builder(presence.clone());
    builder.history(store.clone());
    builder.start().await.unwrap()
}
