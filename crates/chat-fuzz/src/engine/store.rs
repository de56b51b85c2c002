//! A store whose appends the input holds back or fails, and which records what was stored.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chat_history::{
    AppendError, Changed, Durability, Extent, HistoryError, HistoryStore, MemoryHistory, Messages, NewEvent,
    OnAppended, Own, Page, Permission, Retention, StoredSettings, delegate_history,
};
use chat_protocol::{RoomName, UserId};
use futures::future::{BoxFuture, FutureExt};
use parking_lot::Mutex;
use tokio::task::yield_now;
use tokio::time::Instant;

use super::log::{Changes, Logged, RoomLog, State as MessageState, Stored};

/// A room asks the store well within this time what has become of an append that failed.
const DOUBT: Duration = Duration::from_secs(1);

/// How often a late answer yields, so that the rooms settle what was stored in the meantime.
const LATE_YIELDS: usize = 24;

/// An append that is held back.
type Held = (NewEvent, u64, OnAppended);

/// The store, shared between the engine and the harness.
#[derive(Clone, Default)]
pub(super) struct HeldHistory {
    inner: Arc<MemoryHistory>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    is_holding: bool,
    held: VecDeque<Held>,
    /// Events that the store has handed back, because the policy has changed, with their numbers.
    returned: Vec<(NewEvent, u64)>,
    /// How many of the held appends fail falsely, and how many are stored then, before the next
    /// read is answered.
    before_answer: (usize, usize),
    /// The number of appended messages.
    sent: u64,
    /// The size of all messages, in bytes.
    bytes: usize,
    /// How many deletions failed.
    failed_deletions: usize,
    logs: HashMap<RoomName, RoomLog>,
    faults: Vec<String>,
}

/// How an append ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The store does its work and says so.
    Stored,
    /// Nothing is stored.
    Failed,
    /// The store does its work, but reports an error.
    FailedFalsely,
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
        self.end(count, Ending::Stored);
    }

    /// Fails this many of the held appends.
    pub(super) fn fail(&self, count: usize) {
        self.end(count, Ending::Failed);
    }

    /// Stores this many of the held appends, but reports errors.
    pub(super) fn fail_falsely(&self, count: usize) {
        self.end(count, Ending::FailedFalsely);
    }

    /// The answer of the next read is late: before it, this many of the held appends fail falsely,
    /// and then this many are stored.
    pub(super) fn answer_late(&self, failing: usize, stored: usize) {
        self.state.lock().before_answer = (failing, stored);
    }

    fn end(&self, count: usize, ending: Ending) {
        for _ in 0..count {
            let Some(held) = self.state.lock().held.pop_front() else { return };
            self.append_now(held, ending);
        }
    }

    pub(super) fn has_held_appends(&self) -> bool {
        let state = self.state.lock();
        !state.held.is_empty() || !state.returned.is_empty()
    }

    /// The number of messages that were appended.
    pub(super) fn sent(&self) -> u64 {
        self.state.lock().sent
    }

    pub(super) fn bytes(&self) -> usize {
        self.state.lock().bytes
    }

    fn with_log<T>(&self, room: &RoomName, read: impl FnOnce(&RoomLog) -> T) -> T {
        read(self.state.lock().logs.entry(room.clone()).or_default())
    }

    /// The number of the newest event of a room.
    pub(super) fn newest(&self, room: &RoomName) -> u64 {
        self.with_log(room, RoomLog::newest)
    }

    /// The number of an event that the room has certainly delivered.
    pub(super) fn delivered(&self, room: &RoomName) -> u64 {
        self.with_log(room, |log| log.delivered)
    }

    /// Notes that the rooms have settled all results. Those in doubt may not know all events: a
    /// room asks again as long as it has events in flight.
    pub(super) fn note_settled(&self) {
        let State { logs, held, .. } = &mut *self.state.lock();
        for (room, log) in logs {
            let has_held = held.iter().any(|(event, ..)| event.room() == room);
            if log.doubtful_until.is_none_or(|until| until < Instant::now() && !has_held) {
                (log.delivered, log.doubtful_until) = (log.newest(), None);
            }
        }
    }

    /// Whether the room may not know all events, because appends failed falsely.
    pub(super) fn is_in_doubt(&self, room: &RoomName) -> bool {
        self.with_log(room, |log| log.doubtful_until.is_some_and(|until| Instant::now() <= until))
    }

    /// The message with this number. Panics if there is none.
    pub(super) fn message(&self, room: &RoomName, seq: u64) -> Stored {
        let found = self.with_log(room, |log| log.message(seq).cloned());
        found.unwrap_or_else(|| panic!("{seq} is not a message of {room}"))
    }

    /// The event with this number.
    pub(super) fn event(&self, room: &RoomName, seq: u64) -> Option<Logged> {
        self.with_log(room, |log| log.event(seq).cloned())
    }

    /// The state of a message after the event with the number `at`, for a user.
    pub(super) fn message_state(
        &self,
        room: &RoomName,
        seq: u64,
        at: u64,
        user: &UserId,
    ) -> Option<MessageState> {
        self.with_log(room, |log| log.state(seq, at, Some(user)))
    }

    /// The numbers of the events that have changed a message.
    pub(super) fn changes(&self, room: &RoomName, seq: u64) -> Vec<u64> {
        self.with_log(room, |log| log.changes(seq).to_vec())
    }

    /// Whether all events from `first` to `last` are reactions.
    pub(super) fn are_reactions(&self, room: &RoomName, first: u64, last: u64) -> bool {
        self.with_log(room, |log| log.are_reactions(first, last))
    }

    /// What the reactions from `first` to `last` on this message have changed.
    pub(super) fn reactions(&self, room: &RoomName, first: u64, last: u64, message: u64) -> Option<Changes> {
        self.with_log(room, |log| log.reactions(first, last, message))
    }

    /// Whether messages that were posted from `first` to `last`, or changed from `first` on, had
    /// reactions.
    pub(super) fn had_reactions(&self, room: &RoomName, first: u64, last: u64) -> bool {
        self.with_log(room, |log| log.had_reactions(first, last))
    }

    /// The numbers of the messages from `first` to `last`.
    pub(super) fn messages(&self, room: &RoomName, first: u64, last: u64) -> Vec<u64> {
        self.with_log(room, |log| (first..=last).filter(|seq| log.message(*seq).is_some()).collect())
    }

    /// The messages before `first` that the events after `after` have changed, with the numbers of
    /// the first of these events.
    pub(super) fn changed(&self, room: &RoomName, first: u64, after: u64) -> Vec<(u64, u64)> {
        self.with_log(room, |log| {
            let changed = |seq| Some((seq, *log.changes(seq).iter().find(|change| **change > after)?));
            (1..first).filter_map(changed).collect()
        })
    }

    /// How many messages the deletions that did not fail have deleted, and how many deletions
    /// failed.
    pub(super) fn deletions(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.logs.values().map(RoomLog::deleted).sum(), state.failed_deletions)
    }

    pub(super) fn assert_sound(&self) {
        let state = self.state.lock();
        assert!(state.faults.is_empty(), "{:?}", state.faults);
    }

    fn append_now(&self, (event, number, on_appended): Held, ending: Ending) {
        if ending != Ending::Stored && matches!(event, NewEvent::Deletion(_)) {
            self.state.lock().failed_deletions += 1;
        }
        if let Some(log) = self.state.lock().logs.get_mut(event.room()) {
            // until now it was in flight
            log.doubtful_until = log.doubtful_until.map(|until| until.max(Instant::now() + DOUBT));
        }
        let failure = || Err(AppendError::Unavailable(HistoryError::other("on purpose")));
        if ending == Ending::Failed {
            return on_appended(failure());
        }
        let (state, fails) = (Arc::clone(&self.state), ending == Ending::FailedFalsely);
        let new = event.clone();
        // recorded before the engine receives the result
        let recording: OnAppended = Box::new(move |outcome| {
            {
                let mut state = state.lock();
                let State { logs, faults, returned, .. } = &mut *state;
                let log = logs.entry(new.room().clone()).or_default();
                if fails {
                    log.doubtful_until = Some(Instant::now() + DOUBT);
                }
                let fault = log.record(&new, number, fails, &outcome);
                if let (Err(AppendError::PolicyChanged(event)), false) = (&outcome, fails) {
                    returned.push(((**event).clone(), number));
                }
                faults.extend(fault.map(|()| format!("{new:?} became {outcome:?}")));
            }
            on_appended(if fails { failure() } else { outcome });
        });
        self.inner.append(event, recording);
    }

    /// What happens between a read and its answer.
    async fn before_answer(&self) {
        let (failing, stored) = std::mem::take(&mut self.state.lock().before_answer);
        if (failing, stored) != (0, 0) {
            self.fail_falsely(failing);
            self.store(stored);
            for _ in 0..LATE_YIELDS {
                yield_now().await;
            }
        }
    }
}

/// Whether this is an event that was handed back, after another check.
fn is_again(event: &NewEvent, returned: &NewEvent) -> bool {
    let (mut event, mut returned) = (event.clone(), returned.clone());
    take_permission(&mut event) != take_permission(&mut returned) && event == returned
}

fn take_permission(event: &mut NewEvent) -> Option<Permission> {
    match event {
        NewEvent::Message(message) => message.permission.take(),
        NewEvent::Edit(edit) => edit.permission.take(),
        NewEvent::Reaction(reaction) => reaction.permission.take(),
        NewEvent::Deletion(deletion) => deletion.permission.take(),
        NewEvent::RoomChange(_) | NewEvent::NewRules(_) => None,
    }
}

/// About how much an event adds to the size of a list, in bytes.
fn size(event: &NewEvent) -> usize {
    256 + match event {
        NewEvent::Message(message) => message.body.len(),
        NewEvent::Edit(edit) => edit.body.len(),
        NewEvent::Deletion(_) | NewEvent::Reaction(_) | NewEvent::RoomChange(_) | NewEvent::NewRules(_) => 0,
    }
}

impl fmt::Debug for HeldHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} held", self.state.lock().held.len())
    }
}

impl HistoryStore for HeldHistory {
    fn durability(&self) -> Durability {
        Durability::Disk
    }

    fn append(&self, event: NewEvent, on_appended: OnAppended) {
        let mut state = self.state.lock();
        let same = |(returned, _): &(NewEvent, u64)| is_again(&event, returned);
        let returned = state.returned.iter().position(same);
        let number = match returned {
            // it is appended again
            Some(index) => state.returned.remove(index).1,
            None => {
                state.bytes += size(&event);
                let number = state.sent;
                state.sent += u64::from(matches!(event, NewEvent::Message(_)));
                number
            }
        };
        // in order, after the appends that are held already
        if state.is_holding || !state.held.is_empty() {
            state.held.push_back((event, number, on_appended));
        } else {
            drop(state);
            self.append_now((event, number, on_appended), Ending::Stored);
        }
    }

    fn settings(&self, room: RoomName) -> BoxFuture<'_, Result<StoredSettings, HistoryError>> {
        async move {
            let settings = self.inner.settings(room).await;
            self.before_answer().await;
            settings
        }
        .boxed()
    }

    fn extent(&self, room: RoomName, retention: Retention) -> BoxFuture<'_, Result<Extent, HistoryError>> {
        async move {
            let extent = self.inner.extent(room, retention).await;
            self.before_answer().await;
            extent
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
            let messages = self.inner.page(room, page, retention).await;
            self.before_answer().await;
            messages
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
            let changed = self.inner.changed(room, after, limit).await;
            self.before_answer().await;
            changed
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
            let own = self.inner.own_reactions(room, targets, users).await;
            self.before_answer().await;
            own
        }
        .boxed()
    }

    delegate_history! { inner: epoch public_rooms mentions_after prune check }
}
