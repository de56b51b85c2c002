//! A store that answers when it is told to, and knows what was said in truth.

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

/// A message as it was stored, and which append that was.
#[derive(Clone)]
pub(super) struct Said {
    pub(super) message: NewMessage,
    pub(super) append: u64,
}

/// The store, shared with whoever tells it what to do.
#[derive(Clone, Default)]
pub(super) struct Held {
    inner: Arc<MemoryHistory>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    is_holding: bool,
    waiting: VecDeque<(NewMessage, u64, OnAppended)>,
    /// How many appends there were.
    appends: u64,
    /// Their bytes.
    bytes: usize,
    logs: HashMap<RoomName, Vec<Said>>,
    faults: Vec<String>,
}

impl Held {
    pub(super) fn hold(&self) {
        self.state.lock().is_holding = true;
    }

    pub(super) fn release(&self) {
        self.state.lock().is_holding = false;
        self.store(usize::MAX);
    }

    /// Lets so many of the waiting appends in.
    pub(super) fn store(&self, count: usize) {
        for _ in 0..count {
            let Some((message, append, told)) = self.state.lock().waiting.pop_front() else { return };
            self.append_now(message, append, told);
        }
    }

    /// Fails so many of the waiting appends.
    pub(super) fn fail(&self, count: usize) {
        for _ in 0..count {
            let Some((_, _, told)) = self.state.lock().waiting.pop_front() else { return };
            told(Err(AppendError::Unavailable(HistoryError::other("on purpose"))));
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.state.lock().waiting.is_empty()
    }

    pub(super) fn appends(&self) -> u64 {
        self.state.lock().appends
    }

    pub(super) fn bytes(&self) -> usize {
        self.state.lock().bytes
    }

    /// How many messages there are in a room.
    pub(super) fn count(&self, room: &RoomName) -> u64 {
        self.state.lock().logs.get(room).map_or(0, |log| log.len() as u64)
    }

    pub(super) fn said(&self, room: &RoomName, seq: u64) -> Option<Said> {
        let index = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.state.lock().logs.get(room)?.get(index).cloned()
    }

    pub(super) fn assert_sound(&self) {
        let state = self.state.lock();
        assert!(state.faults.is_empty(), "{:?}", state.faults);
    }

    fn append_now(&self, message: NewMessage, append: u64, told: OnAppended) {
        let state = Arc::clone(&self.state);
        let said = message.clone();
        // noted before anybody is told
        let noted: OnAppended = Box::new(move |outcome| {
            {
                let mut state = state.lock();
                let State { logs, faults, .. } = &mut *state;
                let log = logs.entry(said.room.clone()).or_default();
                faults.extend(note(log, &said, append, &outcome));
            }
            told(outcome);
        });
        self.inner.append(message, noted);
    }
}

/// Notes what was stored, and says what is wrong about the answer.
fn note(
    log: &mut Vec<Said>,
    said: &NewMessage,
    append: u64,
    outcome: &Result<Appended, AppendError>,
) -> Option<String> {
    let is_same = |first: &Said| first.message.id == said.id && first.message.from == said.from;
    let first = log.iter().position(|first| said.idempotent && first.message.idempotent && is_same(first));
    let is_right = match (outcome, first) {
        (Ok(told), Some(first)) => {
            told.duplicate && told.message.seq == first as u64 + 1 && log[first].message.body == said.body
        }
        (Ok(told), None) => {
            log.push(Said { message: said.clone(), append });
            !told.duplicate && told.message.seq == log.len() as u64
        }
        (Err(AppendError::IdReused), Some(first)) => log[first].message.body != said.body,
        (Err(_), _) => false,
    };
    (!is_right).then(|| format!("{said:?} became {outcome:?}"))
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} wait", self.state.lock().waiting.len())
    }
}

impl HistoryStore for Held {
    fn epoch(&self) -> Epoch {
        self.inner.epoch()
    }

    fn durability(&self) -> Durability {
        Durability::Disk
    }

    fn append(&self, message: NewMessage, told: OnAppended) {
        let mut state = self.state.lock();
        let append = state.appends;
        state.appends += 1;
        state.bytes += message.body.len() + 256;
        // behind all that was taken in before
        if state.is_holding || !state.waiting.is_empty() {
            state.waiting.push_back((message, append, told));
        } else {
            drop(state);
            self.append_now(message, append, told);
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
