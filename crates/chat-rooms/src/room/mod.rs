//! A room at work: its core under a lock, and the pumps that deliver events to its members.

pub(crate) mod catch_up;
pub(crate) mod core;
mod pages;
pub(crate) mod presence_cleanup;
pub(crate) mod publish;
mod pump;
pub(crate) mod replies;
pub(crate) mod retention;
pub(crate) mod state;
pub(crate) mod tail;

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use chat_history::{HistoryError, HistoryStore};
use chat_protocol::{
    COALESCE_ABOVE, COALESCE_WINDOW, ErrorCode, LeftReason, Member, MemberId, MemberList, NoticeLevel,
    Reference, RoomName, UserId, Username,
};
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::delivery::audience::{Audience, PresenceStyle, SubscriptionId};
use crate::delivery::batch::Batch;
use crate::delivery::encoding::Encodings;
use crate::delivery::sink::Sink;
use crate::delivery::subscriber::Subscriber;
use crate::limits::EngineLimits;
use crate::metrics::Meters;
use crate::room::core::{Core, LeaveNotice};
use crate::room::presence_cleanup::PresenceCleanup;
use crate::room::retention::RetentionRules;
use crate::room::state::{Effect, NameTaken, Reserved, RoomState};
use crate::room::tail::{Tail, Tails};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{self, Handle, Notify};

/// The part of the coalescing window that is reserved for the delay of the timer and of the
/// delivery.
const TIMER_SLACK: Duration = Duration::from_millis(10);

/// What all rooms of an engine share.
#[derive(Debug)]
pub(crate) struct RoomContext {
    /// The runtime of the pumps. Stored here, because a member may leave on a thread outside the
    /// runtime.
    pub(crate) runtime: Handle,
    pub(crate) encodings: Encodings,
    /// Counts the tails of all rooms.
    pub(crate) tails: Arc<Tails>,
    /// Removes the records of members that have left.
    pub(crate) presence_cleanup: Arc<PresenceCleanup>,
    /// How long messages are kept.
    pub(crate) retention: Arc<RetentionRules>,
    /// The maximum number of pumps of a room.
    pub(crate) max_pumps: usize,
    /// The maximum number of members of a room.
    pub(crate) max_members: AtomicUsize,
    pub(crate) limits: EngineLimits,
    pub(crate) meters: Meters,
}

/// Why a name cannot be reserved.
#[derive(Debug)]
pub(crate) enum ReserveError {
    /// Another user has the name, as the member with these subscribers. There are none if the user
    /// has not joined yet, or all of its sessions are detached.
    NameTaken(Vec<Arc<Subscriber>>),
    /// The room has its maximum number of members.
    RoomFull,
}

/// A room. Nothing in it waits for the store, a socket or another room.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) name: RoomName,
    context: Arc<RoomContext>,
    /// For the tasks that the room starts.
    this: Weak<Room>,
    core: Mutex<Core>,
    /// Set once the room knows the number of its newest message. Nobody joins before.
    newest_loaded: OnceCell<()>,
    /// Notified whenever a pump has offered events to all of its members, or an accepted message is
    /// settled.
    progress: Notify,
}

/// The position of an event in the order of its room. Pass it to
/// [`Membership::delivered`](crate::Membership::delivered) to wait for the delivery of the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub(crate) position: u64,
}

impl Room {
    pub(crate) fn new(name: RoomName, context: Arc<RoomContext>) -> Arc<Self> {
        let core = Core::new(
            RoomState::new(name.clone(), COALESCE_ABOVE, context.limits.presence_names),
            context.encodings.len(),
        );
        Arc::new_cyclic(|this| Self {
            name,
            context,
            this: this.clone(),
            core: Mutex::new(core),
            newest_loaded: OnceCell::new(),
            progress: Notify::new(),
        })
    }

    /// Reads the number of the room's newest message from the store, once. Cancel-safe.
    ///
    /// # Errors
    /// [`HistoryError`] if the store fails. The next client that joins tries again.
    pub(crate) async fn load_newest_seq(&self, history: &dyn HistoryStore) -> Result<(), HistoryError> {
        let load = || async {
            let newest = history.newest(self.name.clone()).await?;
            self.core.lock().tail = Tail::after(newest).counted_in(&self.context.tails);
            Ok(())
        };
        self.newest_loaded.get_or_try_init(load).await.copied()
    }

    pub(crate) fn encodings(&self) -> &Encodings {
        &self.context.encodings
    }

    /// Resolves the next time that a pump has offered events to all of its members, or an accepted
    /// message is settled.
    pub(crate) fn progress(&self) -> tokio::sync::futures::Notified<'_> {
        self.progress.notified()
    }

    /// Wakes the tasks that wait for a delivery, or for an accepted message to be settled.
    pub(crate) fn notify_progress(&self) {
        self.progress.notify_waiters();
    }

    /// Whether everything that was accepted or queued has been offered to every member.
    pub(crate) fn is_idle(&self) -> bool {
        let core = self.core.lock();
        core.pending == 0 && core.in_flight.is_empty()
    }

    /// Whether a session has a message in flight to the store.
    pub(crate) fn has_in_flight(&self, id: SubscriptionId) -> bool {
        self.core.lock().in_flight.contains_key(&id)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.core.lock().is_empty()
    }

    pub(crate) fn is_name_taken(&self, username: &Username) -> bool {
        self.core.lock().state.is_name_taken(username)
    }

    pub(crate) fn has_session(&self, id: SubscriptionId) -> bool {
        self.core.lock().state.has_session(id)
    }

    /// The number of members.
    pub(crate) fn count(&self) -> usize {
        self.core.lock().state.count()
    }

    pub(crate) fn list(&self) -> Arc<MemberList> {
        self.core.lock().state.list()
    }

    /// A range of the members, and the number of all members.
    pub(crate) fn members_after(&self, after: Option<MemberId>, limit: usize) -> (Vec<Arc<Member>>, usize) {
        let core = self.core.lock();
        (core.state.members_after(after, limit), core.state.count())
    }

    /// Reserves a name for a session of a user.
    pub(crate) fn reserve(&self, username: &Username, user: &UserId) -> Result<Reserved, ReserveError> {
        let max = self.context.max_members.load(Ordering::Relaxed);
        let mut core = self.core.lock();
        if core.state.names() >= max && !core.state.is_name_taken(username) {
            return Err(ReserveError::RoomFull);
        }
        core.state.reserve(username, user).map_err(|NameTaken(holder)| {
            let sessions = holder.map_or(&[][..], |holder| core.state.sessions_of(holder));
            let subscribers = sessions.iter().filter_map(|session| core.subscribers.get(session));
            ReserveError::NameTaken(subscribers.cloned().collect())
        })
    }

    pub(crate) fn release(&self, username: &Username) {
        self.core.lock().state.release(username);
    }

    /// Removes a session, after its messages in flight. Returns `false` if it had left before.
    pub(crate) fn leave(
        &self,
        id: SubscriptionId,
        leave_notice: LeaveNotice,
        visibility: LeaveVisibility,
    ) -> bool {
        self.change(|core, effects| {
            if visibility == LeaveVisibility::Suppressed {
                let left = core.finish_leaving(id, LeaveNotice::Silent, effects);
                effects.retain(|effect| matches!(effect, Effect::MemberLeft(_)));
                return left;
            }
            // the operator's removal has sent it the reason, after its messages, and has removed it
            // already
            if core.removed.remove(&id) {
                return false;
            }
            core.leave(id, leave_notice, effects)
        })
    }

    /// Removes a member by name with all of its sessions, after their messages in flight, and sends
    /// them the reason. Returns `false` if no member has that name.
    pub(crate) fn remove_member(&self, username: &Username, reason: LeftReason) -> bool {
        let removed = self.change(|core, effects| {
            let id = core.state.holder(username)?;
            Some(self.remove_sessions(core, effects, id, reason))
        });
        // so that the connections learn of it at once, however much is queued for them
        removed.is_some_and(|subscribers| {
            subscribers.iter().for_each(|subscriber| subscriber.sink.probe());
            true
        })
    }

    /// Removes all members, and returns how many they were.
    pub(crate) fn remove_everyone(&self, reason: LeftReason) -> usize {
        let (count, removed) = self.change(|core, effects| {
            let ids = core.state.ids();
            let sessions = ids.iter().flat_map(|id| self.remove_sessions(core, effects, *id, reason));
            let removed = sessions.collect::<Vec<_>>();
            (ids.len(), removed)
        });
        removed.iter().for_each(|subscriber| subscriber.sink.probe());
        count
    }

    /// Removes the sessions of a member, and returns their subscribers.
    fn remove_sessions(
        &self,
        core: &mut Core,
        effects: &mut Vec<Effect>,
        id: MemberId,
        reason: LeftReason,
    ) -> Vec<Arc<Subscriber>> {
        let sessions = core.state.sessions_of(id).to_vec();
        sessions.into_iter().filter_map(|session| self.remove_one(core, effects, session, reason)).collect()
    }

    fn remove_one(
        &self,
        core: &mut Core,
        effects: &mut Vec<Effect>,
        id: SubscriptionId,
        reason: LeftReason,
    ) -> Option<Arc<Subscriber>> {
        let subscriber = core.subscribers.get(&id).cloned();
        if core.is_active(id) && core.removed.insert(id) {
            // sessions with lists receive no reasons
            let receives_reason = subscriber
                .as_ref()
                .is_some_and(|subscriber| subscriber.recipient.style == PresenceStyle::Changes);
            let leave_notice = if receives_reason {
                LeaveNotice::Send { reason, reference: None }
            } else {
                LeaveNotice::Silent
            };
            core.leave(id, leave_notice, effects);
        }
        subscriber
    }

    /// Whether an operator removed this session.
    pub(crate) fn has_removed(&self, id: SubscriptionId) -> bool {
        self.core.lock().removed.contains(&id)
    }

    /// Detaches the sink of a session. Its member stays in the room.
    pub(crate) fn detach(&self, id: SubscriptionId) {
        self.core.lock().unsubscribe(id);
    }

    /// Sends a session the reason why something was not accepted. Returns `None` if it is not in
    /// the room.
    pub(crate) fn refuse(
        &self,
        to: SubscriptionId,
        code: ErrorCode,
        reason: Arc<str>,
        reference: Option<Reference>,
    ) -> Option<Position> {
        self.change(|core, effects| {
            let event = core.state.refuse(to, code, reason, reference)?;
            self.meters().refused(code);
            let sent = Position { position: core.position };
            effects.push(Effect::Send(event, Audience::Only(to)));
            Some(sent)
        })
    }

    /// Whether the event at this position was offered to a session, or the session has no sink any
    /// more.
    pub(crate) fn has_delivered(&self, sent: Position, to: SubscriptionId) -> bool {
        let core = self.core.lock();
        core.subscribers
            .get(&to)
            .is_none_or(|subscriber| core.pumps[subscriber.pump].delivered > sent.position)
    }

    /// Removes the text of a message from memory.
    pub(crate) fn redact(&self, seq: u64) {
        self.core.lock().tail.erase(seq);
    }

    /// Sends a notice to all members of this room.
    pub(crate) fn notice(&self, level: NoticeLevel, body: Arc<str>) {
        self.change(|core, effects| {
            let notice = core.state.notice(Some(self.name.clone()), level, body);
            effects.push(Effect::Send(notice, Audience::All));
        });
    }

    /// Sends a notice for all rooms to the members with lists. Returns the sinks of the other
    /// members, which may be in several rooms.
    pub(crate) fn notice_all(&self, level: NoticeLevel, body: Arc<str>) -> Vec<Sink> {
        self.change(|core, effects| {
            if core.state.has_list_sessions() {
                let notice = core.state.notice(None, level, body);
                effects.push(Effect::Send(notice, Audience::Lists));
            }
            let others = core
                .subscribers
                .values()
                .filter(|subscriber| subscriber.recipient.style == PresenceStyle::Changes);
            others.map(|subscriber| subscriber.sink.clone()).collect()
        })
    }

    /// Notifies the other members that the member of this session is typing.
    pub(crate) fn typing(&self, id: SubscriptionId) {
        self.change(|core, effects| {
            // it is worthless later, and nobody waits for it
            let limits = &self.context.limits;
            if core.pending < limits.queued_bytes
                && let Some((event, member)) = core.state.typing(id, Instant::now(), limits.typing_interval)
            {
                effects.push(Effect::Send(event, Audience::ChangesExcept(member)));
            }
        });
    }

    pub(crate) fn context(&self) -> &RoomContext {
        &self.context
    }

    /// Runs a command on the core, queues the events that it produces, and wakes a pump for them.
    pub(crate) fn change<T>(&self, command: impl FnOnce(&mut Core, &mut Vec<Effect>) -> T) -> T {
        let mut effects = Vec::new();
        let mut core = self.core.lock();
        let outcome = command(&mut core, &mut effects);
        let (mut opens_window, mut opens_presence) = (false, false);
        for effect in effects {
            match effect {
                Effect::OpenWindow => opens_window = true,
                Effect::OpenPresence => opens_presence = true,
                Effect::MemberLeft(id) => {
                    self.context.presence_cleanup.add(id);
                    self.context.meters.left();
                }
                Effect::Send(event, audience) => {
                    core.enqueue(event, audience, None, &self.context.encodings);
                }
            }
        }
        let woken = core.wake_one();
        drop(core);
        if let Some(pump) = woken {
            self.spawn_pump(pump);
        }
        if opens_window {
            self.flush_later(RoomState::close_window);
        }
        if opens_presence {
            self.flush_later(RoomState::flush_presence);
        }
        outcome
    }

    fn spawn_pump(&self, pump: usize) {
        if let Some(room) = self.this.upgrade() {
            self.context.runtime.spawn(pump::run(room, pump));
        }
    }

    /// Flushes coalesced changes at the end of the coalescing window.
    fn flush_later(&self, flush: fn(&mut RoomState, &mut Vec<Effect>)) {
        let room = self.this.clone();
        self.context.runtime.spawn(async move {
            sync::sleep(COALESCE_WINDOW - TIMER_SLACK).await;
            if let Some(room) = room.upgrade() {
                room.change(|core, effects| flush(&mut core.state, effects));
            }
        });
    }

    /// Takes the members of a pump that starts to run.
    pub(crate) fn start_pump(&self, pump: usize) -> Vec<Arc<Subscriber>> {
        std::mem::take(&mut self.core.lock().pumps[pump].members)
    }

    /// Returns the batches that a pump has to offer next, or `None` if there are none and the pump
    /// has stopped.
    pub(crate) fn next_batches(
        &self,
        pump: usize,
        members: &mut Vec<Arc<Subscriber>>,
    ) -> Option<Vec<Arc<Batch>>> {
        let mut core = self.core.lock();
        let mut woken = Vec::new();
        if core.pumps[pump].batches.is_empty() {
            woken = core.cut_batch(&self.context, pump);
        }
        let batches = core.pumps[pump].next(members);
        drop(core);
        woken.into_iter().for_each(|pump| self.spawn_pump(pump));
        batches
    }

    /// Called when a pump has offered these batches to all of its members, and has dropped the
    /// subscribers for which they were the last ones.
    pub(crate) fn delivered(&self, pump: usize, batches: &[Arc<Batch>], ended: &[Arc<Subscriber>]) {
        let mut charge = 0;
        for batch in batches {
            if batch.pending_pumps.fetch_sub(1, Ordering::AcqRel) == 1 {
                charge += batch.charge;
                self.context.meters.fan_out.record(batch.since.elapsed());
            }
        }
        let mut core = self.core.lock();
        core.pending -= charge;
        ended.iter().for_each(|subscriber| core.release(subscriber));
        if let Some(last) = batches.last() {
            core.pumps[pump].delivered = last.end();
        }
        drop(core);
        self.notify_progress();
    }

    pub(crate) fn meters(&self) -> &Meters {
        &self.context.meters
    }

    /// Removes the members whose sinks are closed.
    pub(crate) fn remove_closed(&self, subscribers: &[Arc<Subscriber>]) {
        for subscriber in subscribers {
            self.change(|core, effects| {
                core.release(subscriber);
                // it may have left in the meantime, or have been reattached with another sink
                if core
                    .subscribers
                    .get(&subscriber.recipient.id)
                    .is_some_and(|current| Arc::ptr_eq(current, subscriber))
                {
                    core.leave(subscriber.recipient.id, LeaveNotice::Silent, effects);
                }
            });
        }
    }
}

/// Whether the other members are notified of a leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeaveVisibility {
    Announced,
    Suppressed,
}
