//! The store of all nodes, and what one node sees of it: answers that are late or lost, and a
//! partition.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use chat_history::{
    AppendError, Appended, Changed, Durability, Extent, HistoryError, HistoryStore, MemoryHistory, Messages,
    NewEvent, OnAppended, Page, Retention, RoomVersion, StoredSettings, delegate_history,
};
use chat_protocol::RoomName;
use futures::future::{BoxFuture, FutureExt};
use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::time::sleep;

/// The faults of a node's connection to the store.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Whether the node does not reach the store.
    pub(crate) is_cut: AtomicBool,
    /// The chance, in thousandths, that an event is stored and its answer is lost.
    pub(crate) lost_answers: AtomicU32,
}

/// One node's view of the store.
#[derive(Debug, Clone)]
pub(crate) struct NodeStore {
    inner: Arc<MemoryHistory>,
    shared: Arc<Shared>,
}

struct Shared {
    faults: Arc<Faults>,
    /// Whether this run of the node was killed.
    is_dead: Arc<AtomicBool>,
    state: Mutex<State>,
}

struct State {
    rng: SmallRng,
    /// The answers that are on their way, in their order.
    answers: VecDeque<(Result<Appended, AppendError>, OnAppended)>,
    is_answering: bool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

fn failure() -> HistoryError {
    HistoryError::other("on purpose")
}

impl NodeStore {
    pub(crate) fn new(
        inner: Arc<MemoryHistory>,
        faults: Arc<Faults>,
        is_dead: Arc<AtomicBool>,
        seed: u64,
    ) -> Self {
        let state =
            State { rng: SmallRng::seed_from_u64(seed), answers: VecDeque::new(), is_answering: false };
        Self { inner, shared: Arc::new(Shared { faults, is_dead, state: Mutex::new(state) }) }
    }

    fn random(&self, max: u64) -> u64 {
        self.shared.state.lock().rng.random_range(0..=max)
    }

    /// A read takes a while, and fails if the node does not reach the store before or after.
    async fn read(&self) -> Result<(), HistoryError> {
        let is_cut = || self.shared.faults.is_cut.load(Ordering::Relaxed);
        if is_cut() {
            sleep(Duration::from_millis(20)).await;
            return Err(failure());
        }
        let delay = self.random(8);
        sleep(Duration::from_millis(delay)).await;
        if is_cut() { Err(failure()) } else { Ok(()) }
    }

    /// Gives the answers one after the other, each a little later.
    async fn answer(shared: Arc<Shared>) {
        loop {
            let delay = shared.state.lock().rng.random_range(0..=4);
            sleep(Duration::from_millis(delay)).await;
            let next = {
                let mut state = shared.state.lock();
                let next = state.answers.pop_front();
                state.is_answering = next.is_some();
                next
            };
            let Some((outcome, on_appended)) = next else { return };
            on_appended(outcome);
        }
    }
}

impl HistoryStore for NodeStore {
    fn durability(&self) -> Durability {
        Durability::Disk
    }

    fn append(&self, event: NewEvent, on_appended: OnAppended) {
        let is_cut =
            self.shared.faults.is_cut.load(Ordering::Relaxed) || self.shared.is_dead.load(Ordering::Relaxed);
        let mut outcome = Err(AppendError::Unavailable(failure()));
        if !is_cut {
            let slot = Arc::new(Mutex::new(None));
            let filled = Arc::clone(&slot);
            self.inner.append(event, Box::new(move |outcome| *filled.lock() = Some(outcome)));
            outcome = slot.lock().take().expect("a store in memory answers at once");
            let lost = self.shared.faults.lost_answers.load(Ordering::Relaxed);
            if self.random(999) < u64::from(lost) {
                outcome = Err(AppendError::Unavailable(failure()));
            }
        }
        let mut state = self.shared.state.lock();
        state.answers.push_back((outcome, on_appended));
        if !std::mem::replace(&mut state.is_answering, true) {
            tokio::spawn(Self::answer(Arc::clone(&self.shared)));
        }
    }

    fn extent(&self, room: RoomName, retention: Retention) -> BoxFuture<'_, Result<Extent, HistoryError>> {
        async move {
            self.read().await?;
            self.inner.extent(room, retention).await
        }
        .boxed()
    }

    fn settings(&self, room: RoomName) -> BoxFuture<'_, Result<StoredSettings, HistoryError>> {
        async move {
            self.read().await?;
            self.inner.settings(room).await
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
            self.read().await?;
            self.inner.page(room, page, retention).await
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
            self.read().await?;
            self.inner.changed(room, after, limit).await
        }
        .boxed()
    }

    fn newer(&self, known: Vec<RoomVersion>) -> BoxFuture<'_, Result<Vec<RoomVersion>, HistoryError>> {
        async move {
            self.read().await?;
            self.inner.newer(known).await
        }
        .boxed()
    }

    delegate_history! { inner: epoch public_rooms own_reactions mentions_after prune check }
}
