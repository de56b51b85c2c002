//! Stores that answer at an arbitrary later step.

use std::sync::{Arc, OnceLock};

use chat_history::{
    AppendError, Appended, Changed, Durability, Extent, HistoryError, HistoryStore, MemoryHistory, Messages,
    NewEvent, OnAppended, Own, Page, Retention, StoredSettings, delegate_history,
};
use chat_presence::{Holder, JoinError, MemoryPresence, NewPresence, NodeId, PresenceStore, StoreError};
use chat_protocol::{Member, MemberId, Message, OwnReactions, RoomName, RoomSettings, UserId, Username};
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
    inner: Arc<MemoryHistory>,
    queue: Arc<Mutex<Queue>>,
    added: Arc<Notify>,
    faults: Faults,
}

/// The probabilities of failures.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// Nothing is stored.
    pub(crate) append: f64,
    /// The event is stored, but the result is a failure.
    pub(crate) result: f64,
    pub(crate) read: f64,
}

#[derive(Default)]
struct Queue(Vec<(NewEvent, OnAppended)>);

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} queued", self.0.len())
    }
}

fn failure() -> HistoryError {
    HistoryError::other("on purpose")
}

impl Store {
    /// A store some of whose appends store nothing.
    pub(crate) fn new(failing: f64) -> Self {
        Self::with_faults(Faults { append: failing, ..Faults::default() })
    }

    pub(crate) fn with_faults(faults: Faults) -> Self {
        let store = Self { inner: Arc::default(), queue: Arc::default(), added: Arc::default(), faults };
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
        if thread_rng().gen_bool(self.faults.append) {
            return Err(AppendError::Unavailable(failure()));
        }
        // The store calls back under its own lock, which the scheduler does not know. If another
        // task ran meanwhile and needed it, the only thread would block: the callback may not take
        // a step of the schedule, not even by a lock of this crate.
        let outcome = Arc::new(OnceLock::new());
        let kept = Arc::clone(&outcome);
        self.inner.append(event, Box::new(move |result| drop(kept.set(result))));
        let outcome = Arc::into_inner(outcome).unwrap().into_inner().unwrap();
        if thread_rng().gen_bool(self.faults.result) {
            return Err(AppendError::Unavailable(failure()));
        }
        outcome
    }

    /// Answers at a later step.
    async fn answer<T>(&self, answer: Result<T, HistoryError>) -> Result<T, HistoryError> {
        yield_now().await;
        if thread_rng().gen_bool(self.faults.read) { Err(failure()) } else { answer }
    }

    /// All stored messages of a room.
    pub(crate) fn all(&self, room: &RoomName) -> Vec<Arc<Message>> {
        let page = Page::After { seq: 0, limit: usize::MAX };
        let read = self.inner.page(room.clone(), page, Retention::default());
        read.now_or_never().unwrap().unwrap().messages
    }

    /// The reactions of a user in a room.
    pub(crate) fn own(&self, room: &RoomName, user: &UserId) -> OwnReactions {
        let targets = (1..=self.newest(room)).collect();
        let read = self.inner.own_reactions(room.clone(), targets, vec![user.clone()]);
        read.now_or_never().unwrap().unwrap().reactions
    }

    /// The settings of a room.
    pub(crate) fn stored_settings(&self, room: &RoomName) -> Arc<RoomSettings> {
        self.inner.settings(room.clone()).now_or_never().unwrap().unwrap().settings
    }

    /// The number of the newest event of a room.
    pub(crate) fn newest(&self, room: &RoomName) -> u64 {
        let extent = self.inner.extent(room.clone(), Retention::default());
        extent.now_or_never().unwrap().unwrap().newest
    }
}

impl HistoryStore for Store {
    fn durability(&self) -> Durability {
        Durability::Disk
    }

    fn append(&self, event: NewEvent, on_appended: OnAppended) {
        self.queue.lock().0.push((event, on_appended));
        self.added.notify_one();
    }

    fn settings(&self, room: RoomName) -> BoxFuture<'_, Result<StoredSettings, HistoryError>> {
        async move {
            yield_now().await;
            self.answer(self.inner.settings(room).await).await
        }
        .boxed()
    }

    fn extent(&self, room: RoomName, retention: Retention) -> BoxFuture<'_, Result<Extent, HistoryError>> {
        async move {
            yield_now().await;
            self.answer(self.inner.extent(room, retention).await).await
        }
        .boxed()
    }

    fn page(
        &self,
        room: RoomName,
        page: Page,
        retention: Retention,
    ) -> BoxFuture<'_, Result<Messages, HistoryError>> {
        async move {
            yield_now().await;
            self.answer(self.inner.page(room, page, retention).await).await
        }
        .boxed()
    }

    fn changed(
        &self,
        room: RoomName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Changed, HistoryError>> {
        async move {
            yield_now().await;
            self.answer(self.inner.changed(room, after, limit).await).await
        }
        .boxed()
    }

    fn own_reactions(
        &self,
        room: RoomName,
        targets: Vec<u64>,
        users: Vec<UserId>,
    ) -> BoxFuture<'_, Result<Own, HistoryError>> {
        async move {
            yield_now().await;
            self.answer(self.inner.own_reactions(room, targets, users).await).await
        }
        .boxed()
    }

    delegate_history! { inner: epoch public_rooms mentions_after prune check }
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
