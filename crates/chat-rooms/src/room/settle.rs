//! Settling: the results of appends reach a room.
//!
//! The store's writer hands over each result and goes on: it never waits for a room. A task of the
//! room settles the results in order, many of them under one lock.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use chat_history::{Appended, HistoryError, HistoryErrorKind, StoredEvent};
use parking_lot::Mutex;
use tracing::Span;

use crate::room::publish::{AppendResult, Source};
use crate::room::state::effects::Effects;
use crate::room::state::sequencer::Gap;
use crate::room::{PIECE, Room, Windows, pump};
use crate::sync::{Instant, Notify, sleep, steps, timeout};

/// How long to wait before the room looks again if it can deliver more.
const CONGESTED: Duration = Duration::from_millis(20);

/// How long after a failed append the room asks the store whether it was stored.
const DOUBT: Duration = Duration::from_millis(500);

/// The result of an append, for the room of the event.
pub(crate) struct Settlement {
    pub(crate) result: AppendResult,
    /// When the event was accepted; `None` if there is none.
    pub(crate) taken_at: Option<Instant>,
    /// Traces the event until its outcome is sent.
    pub(crate) span: Span,
    /// Called once the outcome is sent.
    pub(crate) then: Option<Box<dyn FnOnce() + Send>>,
}

impl Settlement {
    /// An event of another node.
    fn published(event: StoredEvent) -> Self {
        Self::bare(AppendResult { outcome: Ok(Appended::Stored(event)), source: Source::Published })
    }

    /// The store has events up to this number.
    fn newest(newest: u64) -> Self {
        Self::bare(AppendResult { outcome: Ok(Appended::Unchanged), source: Source::Doubt { newest } })
    }

    fn bare(result: AppendResult) -> Self {
        Self { result, taken_at: None, span: Span::none(), then: None }
    }
}

impl fmt::Debug for Settlement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settlement").field("result", &self.result).finish_non_exhaustive()
    }
}

/// The maximum number of events of other nodes that wait. The room reads further ones from the
/// store.
const MAX_PUBLISHED: usize = 1_024;

/// The results that wait for their room, and events of other nodes. There are never more results
/// than messages in flight, which the budget of the engine bounds. The lock is held for a few
/// instructions.
#[derive(Debug, Default)]
pub(crate) struct SettleQueue {
    state: Mutex<Queued>,
    /// Notified of a result while the task waits for one.
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Queued {
    results: VecDeque<Settlement>,
    /// How many of them other nodes have published.
    published: usize,
    /// Events up to this number are stored, although no result may have them; 0: nothing is known.
    known: u64,
    /// Whether a task settles them.
    is_running: bool,
    /// Whether that task waits for more.
    is_waiting: bool,
}

impl Queued {
    fn is_empty(&self) -> bool {
        self.results.is_empty() && self.known == 0
    }
}

impl SettleQueue {
    /// An empty queue. If it is claimed, nothing is settled before [`finish`](Self::finish).
    pub(crate) fn new(is_claimed: bool) -> Self {
        let queue = Self::default();
        queue.state.lock().is_running = is_claimed;
        queue
    }

    /// Queues events of other nodes. Returns `true` if a task has to be started.
    fn push_published(&self, events: Vec<StoredEvent>) -> bool {
        let mut queued = self.state.lock();
        for event in events {
            if queued.published < MAX_PUBLISHED {
                queued.published += 1;
                queued.results.push_back(Settlement::published(event));
            } else {
                queued.known = queued.known.max(event.seq());
            }
        }
        self.wake(&mut queued)
    }

    /// Notes that the events up to this number are stored. Returns `true` if a task has to be
    /// started.
    fn expect(&self, newest: u64) -> bool {
        let mut queued = self.state.lock();
        queued.known = queued.known.max(newest);
        self.wake(&mut queued)
    }

    /// Queues a result. Returns `true` if a task has to be started.
    fn push(&self, result: Settlement) -> bool {
        let mut queued = self.state.lock();
        queued.results.push_back(result);
        self.wake(&mut queued)
    }

    /// Wakes the task that waits for more. Returns `true` if one has to be started.
    fn wake(&self, queued: &mut Queued) -> bool {
        if mem::take(&mut queued.is_waiting) {
            self.arrived.notify_one();
        }
        !mem::replace(&mut queued.is_running, true)
    }

    /// Waits for a result, for this long. Returns whether there is one. For the task that settles.
    async fn wait(&self, duration: Duration) -> bool {
        let has_results = |queued: &mut Queued, waits: bool| {
            queued.is_waiting = waits && queued.is_empty();
            !queued.is_empty()
        };
        if has_results(&mut self.state.lock(), true) {
            return true;
        }
        // it may also be notified of a result that came at the end of an earlier wait
        let _ = timeout(duration, self.arrived.notified()).await;
        has_results(&mut self.state.lock(), false)
    }

    /// Makes the caller the one that settles results, unless another one does.
    fn claim(&self) -> bool {
        !mem::replace(&mut self.state.lock().is_running, true)
    }

    /// Ends a claim, unless there are more results. Returns whether it ended.
    fn finish(&self) -> bool {
        let mut queued = self.state.lock();
        queued.is_running = !queued.is_empty();
        !queued.is_running
    }

    /// Puts results back, in front of those that are queued.
    fn put_back(&self, results: impl DoubleEndedIterator<Item = Settlement>) {
        let mut queued = self.state.lock();
        for result in results.rev() {
            queued.published += usize::from(matches!(result.result.source, Source::Published));
            queued.results.push_front(result);
        }
    }

    /// Takes up to [`PIECE`] results, or returns `None` if there are none, and the task is done.
    fn next(&self) -> Option<Vec<Settlement>> {
        let mut queued = self.state.lock();
        if queued.results.len() < PIECE && queued.known > 0 {
            let newest = mem::take(&mut queued.known);
            queued.results.push_back(Settlement::newest(newest));
        }
        let count = queued.results.len().min(PIECE);
        queued.is_running = count > 0;
        let results: Vec<_> = queued.results.drain(..count).collect();
        let is_published = |result: &&Settlement| matches!(result.result.source, Source::Published);
        queued.published -= results.iter().filter(is_published).count();
        (count > 0).then_some(results)
    }
}

impl Room {
    /// Waits for missing events that may still come. If they do not, reads them from the store, and
    /// delivers them. Returns what is missing after that. `None` if nothing is, or if there are
    /// results to settle.
    async fn close_gap(&self, gap: Gap) -> Option<Gap> {
        let mut remaining = gap.remaining(self.context.patience(), Instant::now());
        if remaining.is_zero() && self.context.publisher.is_some() && self.is_congested() {
            // what other nodes store does not wait for the members of this one
            remaining = CONGESTED;
        }
        if !remaining.is_zero() {
            let has_results = self.settle_queue.wait(remaining).await;
            return if has_results { None } else { self.gap() };
        }
        self.fill_gap(gap.last).await;
        self.gap()
    }

    /// The events that are missing.
    fn gap(&self) -> Option<Gap> {
        let mut core = self.lock();
        let newest = core.tail.newest();
        core.sequencer.gap(newest, Instant::now())
    }

    /// Delivers events that other nodes have stored, after those before them.
    pub(crate) fn hear(self: &Arc<Self>, events: Vec<StoredEvent>) {
        if self.settle_queue.push_published(events) {
            self.start_settling();
        }
    }

    /// The store has events up to the number `newest`.
    pub(crate) fn hear_of(self: &Arc<Self>, newest: u64) {
        if self.settle_queue.expect(newest) {
            self.start_settling();
        }
    }

    /// Begins to settle: the room knows its newest event now.
    pub(crate) fn settle_what_waits(&self) {
        if self.context.publisher.is_some()
            && !self.settle_queue.finish()
            && let Some(room) = self.this.upgrade()
        {
            room.start_settling();
        }
    }

    fn start_settling(self: &Arc<Self>) {
        self.context.runtime.spawn(Settling::new(Arc::clone(self)).run(|_| ()));
    }

    /// Queues a result. Returns `true` if the caller has to run [`Settling`].
    pub(crate) fn settle_later(&self, result: Settlement) -> bool {
        self.settle_queue.push(result)
    }

    /// Reads the number of the newest event after an append has failed, and delivers what is
    /// missing. The next result would show it, too, but there may be none for a long time.
    fn resolve_doubt(&self) {
        let room = self.this.clone();
        self.context().runtime.spawn(async move {
            loop {
                sleep(DOUBT).await;
                // nobody is left to tell if the room is gone
                let Some(room) = room.upgrade() else { return };
                let retention = room.context().retention.retention();
                // an append that fails from now on may not be in the answer: it begins a new check
                room.lock().in_doubt = false;
                let extent = room.context().history.extent(room.name.clone(), retention).await;
                let Ok(extent) = extent else {
                    let has_new_check = mem::replace(&mut room.lock().in_doubt, true);
                    if has_new_check {
                        return;
                    }
                    continue;
                };
                room.hear_of(extent.newest);
                return;
            }
        });
    }

    /// Settles results under one lock, up to a message that cannot be checked again yet. The rest
    /// is queued again. Events after a gap in the numbers wait in the sequencer, and their senders
    /// have their acks.
    fn settle_all(&self, results: Vec<Settlement>) -> Settled {
        let (mut windows, mut settled) = (Windows::default(), Vec::with_capacity(results.len()));
        let (mut results, mut starts_check) = (results.into_iter(), false);
        // what the other nodes are told
        let (mut needs_policy, mut stored, mut changes) = (false, Vec::new(), Vec::new());
        let mut core = self.lock();
        while let Some(mut settlement) = results.next() {
            if let Source::Outdated(message) = &mut settlement.result.source
                && !message.sender().is_some_and(|sender| core.policy.is_outdated(sender.checked))
            {
                needs_policy = true;
                self.settle_queue.put_back([settlement].into_iter().chain(results));
                break;
            }
            if let Source::Outdated(message) = settlement.result.source {
                core.policy.take_back();
                core.returned.push(message);
                continue;
            }
            let Settlement { result, taken_at, span, then } = settlement;
            // results that are still to come may have what the store has: the check is repeated
            let is_early = result.is_check() && result.known() > core.tail.newest() && core.has_in_flight();
            if !is_early {
                core.sequencer.expect(result.known());
            }
            let is_doubtful = is_early || result.is_doubtful();
            starts_check |= is_doubtful && !mem::replace(&mut core.in_doubt, true);
            steps::count(1);
            if self.context.publisher.is_some() {
                stored.extend(result.stored_here().cloned());
                changes.extend(result.changed_policy());
            }
            let mut effects = Effects::default();
            // a panic, as in an encoding, is the end of one result and not of those after it
            let settle = || self.settle(&mut core, &mut effects, result);
            if catch_unwind(AssertUnwindSafe(settle)).is_ok() {
                self.queue(&mut core, effects, &mut windows);
                settled.push((taken_at, span, then));
            }
            loop {
                let mut effects = Effects::default();
                let deliver = || self.deliver_ahead(&mut core, &mut effects);
                match catch_unwind(AssertUnwindSafe(deliver)) {
                    Ok(true) => self.queue(&mut core, effects, &mut windows),
                    Ok(false) => break,
                    Err(_) => {}
                }
            }
        }
        let newest = core.tail.newest();
        let gap = core.sequencer.gap(newest, Instant::now());
        let again = core.check_again();
        let wakers = self.progress(&mut core);
        let woken = core.wake_one();
        drop(core);
        if let Some(publisher) = &self.context.publisher {
            if !stored.is_empty() {
                publisher.events(&self.name, &self.context.history.epoch(), &stored);
            }
            changes.iter().for_each(|change| publisher.policy(&self.name, change));
        }
        self.wake(wakers);
        self.append_again(again);
        self.open(windows);
        for (taken_at, span, then) in settled {
            taken_at.into_iter().for_each(|taken_at| self.meters().ack.record(taken_at.elapsed()));
            drop(span);
            then.into_iter().for_each(|then| then());
        }
        if starts_check {
            self.resolve_doubt();
        }
        Settled { woken, gap, needs_policy }
    }
}

/// What has to be done after a piece of results.
#[derive(Debug)]
#[must_use]
struct Settled {
    /// A pump that the caller has to run.
    woken: Option<usize>,
    /// The events that are missing.
    gap: Option<Gap>,
    /// The settings have to be read before the next result, which is an outdated message.
    needs_policy: bool,
}

/// The task that settles the queued results of a room. If it is dropped before it is done, because
/// the runtime shuts down, it settles them right then: no sender waits forever.
#[derive(Debug)]
pub(crate) struct Settling {
    room: Arc<Room>,
    /// The events that are missing.
    gap: Option<Gap>,
    /// The settings have to be read before the next result.
    needs_policy: bool,
    is_done: bool,
}

impl Settling {
    /// The task that a queued result has to start.
    pub(crate) fn new(room: Arc<Room>) -> Self {
        Self { room, gap: None, needs_policy: false, is_done: false }
    }

    /// Announces that a member's task is about to append a message, and will settle what is queued
    /// afterwards: a store in memory has the result by then. `None` if another task settles.
    pub(crate) fn claim(room: &Arc<Room>) -> Option<Self> {
        room.settle_queue.claim().then(|| Self::new(Arc::clone(room)))
    }

    /// Settles a piece of what is queued. If more is queued, the caller has to [run](Self::run) the
    /// rest.
    pub(crate) fn settle_piece(mut self) -> Option<Self> {
        if let Some(results) = self.room.settle_queue.next() {
            let Settled { woken, gap, needs_policy } = self.room.settle_all(results);
            woken.into_iter().for_each(|pump| self.room.spawn_pump(pump));
            (self.gap, self.needs_policy) = (gap, needs_policy);
            if gap.is_some() || needs_policy || !self.room.settle_queue.finish() {
                return Some(self);
            }
        }
        self.is_done = true;
        None
    }

    /// Settles everything that is queued, then calls `then`, and delivers the messages. One task
    /// does both, so that a message takes no more steps than one that is settled by the writer.
    pub(crate) async fn run(mut self, then: impl FnOnce(&Arc<Room>) + Send) {
        let mut woken = None;
        loop {
            if let Some(gap) = self.gap {
                self.gap = self.room.close_gap(gap).await;
                if self.gap.is_some() {
                    continue;
                }
            }
            if self.needs_policy {
                self.room.refresh_policy().await;
                self.needs_policy = false;
            }
            let Some(results) = self.room.settle_queue.next() else { break };
            if let Some(pump) = woken.take() {
                // more is queued: the pump delivers meanwhile
                self.room.spawn_pump(pump);
                tokio::task::yield_now().await;
            }
            let settled = self.room.settle_all(results);
            (woken, self.gap, self.needs_policy) = (settled.woken, settled.gap, settled.needs_policy);
            if self.gap.is_some() || self.needs_policy {
                woken.take().into_iter().for_each(|pump| self.room.spawn_pump(pump));
            }
        }
        self.is_done = true;
        let room = Arc::clone(&self.room);
        drop(self);
        then(&room);
        if let Some(pump) = woken {
            pump::run(room, pump).await;
        }
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        loop {
            while let Some(gap) = self.gap {
                self.room.skip_gap(gap.last);
                self.gap = self.room.gap();
            }
            let Some(mut results) = self.room.settle_queue.next() else { return };
            if mem::take(&mut self.needs_policy) {
                // nothing can be read any more
                fail_outdated(&mut results);
            }
            let Settled { woken, gap, needs_policy } = self.room.settle_all(results);
            woken.into_iter().for_each(|pump| self.room.spawn_pump(pump));
            (self.gap, self.needs_policy) = (gap, needs_policy);
        }
    }
}

/// Settles the outdated messages among these results: they cannot be checked again.
fn fail_outdated(results: &mut Vec<Settlement>) {
    let is_outdated = |settlement: &mut Settlement| matches!(settlement.result.source, Source::Outdated(_));
    for settlement in results.extract_if(.., is_outdated) {
        if let Source::Outdated(message) = settlement.result.source {
            message.fail(HistoryError::new(HistoryErrorKind::Closed, "the engine is shutting down"));
        }
    }
}
