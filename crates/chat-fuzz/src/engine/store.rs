//! A store whose appends the input holds back or fails, and which records what was stored.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use chat_history::{
    AppendError, Appended, Durability, HistoryError, HistoryStore, MemoryHistory, Messages, NewMessage,
    OnAppended, Page, Retention,
};
use chat_protocol::{Epoch, RoomName};
use futures::future::BoxFuture;
use parking_lot::Mutex;

/// A stored message, and the number of its append.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) message: NewMessage,
    pub(super) append: u64,
}

/// The store, shared between the engine and the harness.
#[derive(Clone, Default)]
pub(super) struct HeldHistory {
    inner: Arc<MemoryHistory>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    is_holding: bool,
    held: VecDeque<(NewMessage, u64, OnAppended)>,
    /// The number of appends.
    appends: u64,
    /// The size of all appends, in bytes.
    bytes: usize,
    logs: HashMap<RoomName, Vec<Stored>>,
    faults: Vec<String>,
}

impl HeldHistory {
    pub(super) fn hold(&self) {
        self.state.lock().is_holding = true;
    }

    pub(super) fn release(&self) {
        self.state.lock().is_holding = false;
        self.store(usize::MAX);
    }

    /// Stores this many of the held appends.
    pub(super) fn store(&self, count: usize) {
        for _ in 0..count {
            let Some((message, append, on_appended)) = self.state.lock().held.pop_front() else { return };
            self.append_now(message, append, on_appended);
        }
    }

    /// Fails this many of the held appends.
    pub(super) fn fail(&self, count: usize) {
        for _ in 0..count {
            let Some((_, _, on_appended)) = self.state.lock().held.pop_front() else { return };
            on_appended(Err(AppendError::Unavailable(HistoryError::other("on purpose"))));
        }
    }

    pub(super) fn has_held_appends(&self) -> bool {
        !self.state.lock().held.is_empty()
    }

    pub(super) fn appends(&self) -> u64 {
        self.state.lock().appends
    }

    pub(super) fn bytes(&self) -> usize {
        self.state.lock().bytes
    }

    /// The number of messages in a room.
    pub(super) fn count(&self, room: &RoomName) -> u64 {
        self.state.lock().logs.get(room).map_or(0, |log| log.len() as u64)
    }

    pub(super) fn stored(&self, room: &RoomName, seq: u64) -> Option<Stored> {
        let index = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.state.lock().logs.get(room)?.get(index).cloned()
    }

    pub(super) fn assert_sound(&self) {
        let state = self.state.lock();
        assert!(state.faults.is_empty(), "{:?}", state.faults);
    }

    fn append_now(&self, message: NewMessage, append: u64, on_appended: OnAppended) {
        let state = Arc::clone(&self.state);
        let new = message.clone();
        // recorded before the engine receives the result
        let recording: OnAppended = Box::new(move |outcome| {
            {
                let mut state = state.lock();
                let State { logs, faults, .. } = &mut *state;
                let log = logs.entry(new.room.clone()).or_default();
                faults.extend(record(log, &new, append, &outcome));
            }
            on_appended(outcome);
        });
        self.inner.append(message, recording);
    }
}

/// Records what was stored. Returns a description if the result is wrong.
fn record(
    log: &mut Vec<Stored>,
    new: &NewMessage,
    append: u64,
    outcome: &Result<Appended, AppendError>,
) -> Option<String> {
    let is_same = |first: &Stored| first.message.id == new.id && first.message.user == new.user;
    let first = log.iter().position(|first| new.idempotent && first.message.idempotent && is_same(first));
    let is_right = match (outcome, first) {
        (Ok(appended), Some(first)) => {
            appended.duplicate
                && appended.message.seq == first as u64 + 1
                && log[first].message.body == new.body
        }
        (Ok(appended), None) => {
            log.push(Stored { message: new.clone(), append });
            !appended.duplicate && appended.message.seq == log.len() as u64
        }
        (Err(AppendError::IdReused), Some(first)) => log[first].message.body != new.body,
        (Err(_), _) => false,
    };
    (!is_right).then(|| format!("{new:?} became {outcome:?}"))
}

impl fmt::Debug for HeldHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} held", self.state.lock().held.len())
    }
}

impl HistoryStore for HeldHistory {
    fn epoch(&self) -> Epoch {
        self.inner.epoch()
    }

    fn durability(&self) -> Durability {
        Durability::Disk
    }

    fn append(&self, message: NewMessage, on_appended: OnAppended) {
        let mut state = self.state.lock();
        let append = state.appends;
        state.appends += 1;
        state.bytes += message.body.len() + 256;
        // in order, after the appends that are held already
        if state.is_holding || !state.held.is_empty() {
            state.held.push_back((message, append, on_appended));
        } else {
            drop(state);
            self.append_now(message, append, on_appended);
        }
    }

    fn newest(&self, room: RoomName) -> BoxFuture<'_, Result<u64, HistoryError>> {
        self.inner.newest(room)
    }

    fn page(&self, room: RoomName, page: Page) -> BoxFuture<'_, Result<Messages, HistoryError>> {
        self.inner.page(room, page)
    }

    fn prune(&self, retention: Retention) -> BoxFuture<'_, Result<bool, HistoryError>> {
        self.inner.prune(retention)
    }

    fn check(&self) -> BoxFuture<'_, Result<(), HistoryError>> {
        self.inner.check()
    }
}
