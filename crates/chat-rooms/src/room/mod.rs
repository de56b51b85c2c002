//! A room at work: its core under a lock, and the pumps that deliver events to its members.

pub(crate) mod catch_up;
pub(crate) mod core;
mod elsewhere;
mod gap;
mod guard;
pub(crate) mod own_reactions;
mod pages;
pub(crate) mod policy;
pub(crate) mod presence_cleanup;
pub(crate) mod publish;
pub(crate) mod publisher;
mod pump;
pub(crate) mod removal;
pub(crate) mod replies;
pub(crate) mod retention;
pub(crate) mod settle;
pub(crate) mod state;
pub(crate) mod tail;
mod waiting;

use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use chat_access::AccessStore;
use chat_history::{HistoryError, HistoryStore, RoomVersion};
use chat_presence::PresenceStore;
use chat_protocol::{
    COALESCE_ABOVE, COALESCE_WINDOW, ErrorCode, Event, Member, MemberId, MemberList, NoticeLevel, Reference,
    RoomName, UserId, Username,
};
use parking_lot::Mutex;
use tokio::sync::{OnceCell, Semaphore};

use crate::delivery::audience::{Audience, PresenceStyle, SubscriptionId};
use crate::delivery::batch::Batch;
use crate::delivery::encoding::Encodings;
use crate::delivery::members::PumpMembers;
use crate::delivery::queue::Work;
use crate::delivery::sink::Sink;
use crate::delivery::subscriber::Subscriber;
use crate::limits::EngineLimits;
use crate::metrics::Meters;
use crate::room::core::Core;
use crate::room::elsewhere::Elsewhere;
use crate::room::pages::Oldest;
use crate::room::policy::{PolicyNews, ServerRules};
use crate::room::presence_cleanup::PresenceCleanup;
use crate::room::publisher::{Publisher, RecordChanges};
use crate::room::retention::RetentionRules;
use crate::room::settle::SettleQueue;
use crate::room::state::effects::{Effect, Effects};
use crate::room::state::refusal::Refusal;
use crate::room::state::{NameTaken, Reserved, RoomState};
use crate::room::tail::{Tail, Tails};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{self, Handle, Notify, steps};

/// The part of the coalescing window that is reserved for the delay of the timer and of the
/// delivery.
const TIMER_SLACK: Duration = Duration::from_millis(10);

/// For how long reactions are merged after one was sent.
const REACTION_WINDOW: Duration = Duration::from_millis(100);

/// For how long joins and leaves are collected before the other nodes are told.
const RECORDS_WINDOW: Duration = Duration::from_millis(20);

/// How many members, sessions or messages are handled under one lock. Whatever concerns more of
/// them is done in pieces, and others may take the lock in between.
// schedules use few members, and should stop between pieces nevertheless
pub(crate) const PIECE: usize = if cfg!(shuttle) { 2 } else { 256 };

/// What all rooms of an engine share.
#[derive(Debug)]
pub(crate) struct RoomContext {
    /// The runtime of the pumps. Stored here, because a member may leave on a thread outside the
    /// runtime.
    pub(crate) runtime: Handle,
    pub(crate) encodings: Encodings,
    pub(crate) history: Arc<dyn HistoryStore>,
    pub(crate) presence: Arc<dyn PresenceStore>,
    /// Tells the other nodes what is stored; `None` on a single node.
    pub(crate) publisher: Option<Publisher>,
    /// Who has a role, and who is banned or muted.
    pub(crate) access: Arc<dyn AccessStore>,
    /// Who is banned or muted on the whole server.
    pub(crate) server_rules: ServerRules,
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

impl RoomContext {
    /// How long a room waits for events that others may still bring, before it reads them.
    pub(crate) fn patience(&self) -> Duration {
        self.publisher.as_ref().map_or(Duration::ZERO, Publisher::patience)
    }
}

/// The coalescing windows that commands opened, and what they left behind.
#[derive(Debug, Default)]
struct Windows {
    /// Of the joins and leaves for members with lists.
    list: bool,
    /// Of the changes for the others.
    presence: bool,
    /// Of the reactions.
    reactions: bool,
    /// Whether to check if each member may stay.
    members: bool,
    /// The version of the policy to read; 0: none.
    policy: u64,
    /// Whether to tell the other nodes who has joined or left.
    records: bool,
    /// What is dropped without the lock.
    discarded: Vec<Box<dyn fmt::Debug + Send>>,
}

/// Why a name cannot be reserved.
#[derive(Debug)]
pub(crate) enum ReserveError {
    /// Another user has the name, as the member with these subscribers. There are none if the user
    /// has not joined yet, or all of its sessions are detached.
    NameTaken(Vec<Arc<Subscriber>>),
    /// The room has its maximum number of members.
    RoomFull,
    /// The room is about to be forgotten, and a new one takes its place.
    Retired,
}

/// A room. Nothing in it waits for the store, a socket or another room.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) name: RoomName,
    context: Arc<RoomContext>,
    /// For the tasks that the room starts.
    this: Weak<Room>,
    core: Mutex<Core>,
    /// Set once the room knows the number of its newest event. Nobody joins before.
    loaded: OnceCell<()>,
    /// The results of appends that are not settled yet.
    settle_queue: SettleQueue,
    /// What other nodes have told of the policy.
    policy_news: Mutex<Option<Box<PolicyNews>>>,
    /// The presence records of other nodes. Locked before the core.
    elsewhere: Mutex<Option<Box<Elsewhere>>>,
    /// One permit, for the sender whose turn it is to wait for capacity.
    senders: Semaphore,
    /// One permit, for the act whose rules are on their way: the rules that are read last arrive
    /// last.
    pub(crate) acts_turn: Semaphore,
    /// Notified when a step leaves capacity for messages.
    capacity: Notify,
    #[cfg(test)]
    steps: steps::Steps,
}

/// The position of an event in the order of its room. Pass it to
/// [`Membership::delivered`](crate::Membership::delivered) to wait for the delivery of the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub(crate) position: u64,
}

impl Room {
    pub(crate) fn new(name: RoomName, context: Arc<RoomContext>) -> Arc<Self> {
        let is_cluster = context.publisher.is_some();
        let core = Core::new(
            RoomState::new(name.clone(), COALESCE_ABOVE, context.limits.presence_names),
            context.encodings.len(),
        );
        Arc::new_cyclic(|this| Self {
            name,
            context,
            this: this.clone(),
            core: Mutex::new(core),
            loaded: OnceCell::new(),
            // the events of other nodes wait until the room knows which ones are new
            settle_queue: SettleQueue::new(is_cluster),
            policy_news: Mutex::default(),
            elsewhere: Mutex::default(),
            senders: Semaphore::new(1),
            acts_turn: Semaphore::new(1),
            capacity: Notify::new(),
            #[cfg(test)]
            steps: steps::Steps::default(),
        })
    }

    /// Reads the numbers and the settings of the room from the store, once. Cancel-safe.
    ///
    /// # Errors
    /// [`HistoryError`] if the store fails. The next client that joins tries again.
    pub(crate) async fn load(&self) -> Result<(), HistoryError> {
        let load = || async {
            if let Some(publisher) = &self.context.publisher {
                publisher.listen(&self.name).await;
                let began = sync::Instant::now();
                let records = self.context.presence.elsewhere(vec![self.name.clone()]).await;
                let records = records.map_err(HistoryError::other)?;
                self.compare_presence(records.into_iter().map(Arc::new).collect(), began);
            }
            let retention = self.context.retention.retention();
            let history = &self.context.history;
            let extent = history.extent(self.name.clone(), retention).await?;
            let policy = self.read_policy().await?;
            let mut core = self.lock();
            // as they are now, under the lock: a change goes to the rooms that are loaded
            core.policy.set(policy.server_rules(self.context.server_rules.get()));
            core.tail = Tail::after(extent.newest).counted_in(&self.context.tails);
            core.oldest = Some(Oldest::now(extent.oldest, retention));
            drop(core);
            self.settle_what_waits();
            Ok(())
        };
        self.loaded.get_or_try_init(load).await.copied()
    }

    /// How far the room has come. `None` before it is loaded.
    pub(crate) fn version(&self) -> Option<RoomVersion> {
        self.is_loaded().then(|| {
            let core = self.lock();
            RoomVersion::new(self.name.clone(), core.tail.newest(), core.policy.policy().version())
        })
    }

    /// Whether the room knows its numbers and its policy.
    pub(crate) fn is_loaded(&self) -> bool {
        self.loaded.initialized()
    }

    pub(crate) fn encodings(&self) -> &Encodings {
        &self.context.encodings
    }

    /// Retires the room if it has no members, reserved names or messages in flight: no name can be
    /// reserved in it any more. Returns whether it is retired.
    pub(crate) fn retire(&self) -> bool {
        let mut core = self.lock();
        core.is_retired = core.is_empty();
        core.is_retired
    }

    pub(crate) fn is_name_taken(&self, username: &Username) -> bool {
        self.lock().state.is_name_taken(username)
    }

    pub(crate) fn has_session(&self, id: SubscriptionId) -> bool {
        self.lock().state.has_session(id)
    }

    /// The number of members.
    pub(crate) fn count(&self) -> usize {
        self.lock().state.count()
    }

    pub(crate) fn list(&self) -> Arc<MemberList> {
        self.lock().state.list()
    }

    /// A range of the members, and the number of all members.
    pub(crate) fn members_after(&self, after: Option<MemberId>, limit: usize) -> (Vec<Arc<Member>>, usize) {
        let core = self.lock();
        (core.state.members_after(after, limit), core.state.count())
    }

    /// Reserves a name for a session of a user.
    pub(crate) fn reserve(&self, username: &Username, user: &UserId) -> Result<Reserved, ReserveError> {
        let max = self.context.max_members.load(Ordering::Relaxed);
        let mut core = self.lock();
        if core.is_retired {
            return Err(ReserveError::Retired);
        }
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
        self.lock().state.release(username);
    }

    /// Detaches the sink of a session. Its member stays in the room.
    pub(crate) fn detach(&self, id: SubscriptionId) {
        self.lock().unsubscribe(id);
    }

    /// Finds the members with these names, each of which is given folded, in their order.
    pub(crate) fn find(&self, names: &[String]) -> Vec<Option<Arc<Member>>> {
        loop {
            let mut core = self.lock();
            if core.state.index_names(PIECE) {
                return names.iter().map(|name| core.state.find_folded(name).cloned()).collect();
            }
            drop(core);
        }
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
            let event = core.state.refuse(to, Refusal::new(code, reason), reference)?;
            self.meters().refused(code);
            let sent = Position { position: core.position };
            effects.push(Effect::Send(event, Audience::Only(to)));
            Some(sent)
        })
    }

    /// Sends a notice to all members of this room.
    pub(crate) fn notice(&self, level: NoticeLevel, body: Arc<str>) {
        self.change(|core, effects| {
            let notice = core.state.notice(Some(self.name.clone()), level, body);
            effects.push(Effect::Send(notice, Audience::All));
        });
    }

    /// Sends a notice for all rooms to the members with lists. Returns the sinks of the other
    /// members, which may be in several rooms. A member that joins meanwhile may be in neither
    /// group.
    pub(crate) fn notice_all(&self, level: NoticeLevel, body: Arc<str>) -> Vec<Sink> {
        let last = self.change(|core, effects| {
            if core.state.has_list_sessions() {
                let notice = core.state.notice(None, level, body);
                effects.push(Effect::Send(notice, Audience::Lists));
            }
            core.subscribers.last_key_value().map(|(id, _)| *id)
        });
        let (mut sinks, mut next) = (Vec::new(), Bound::Unbounded);
        while let Some(last) = last {
            let core = self.lock();
            let piece = core.subscribers.range((next, Bound::Included(last))).take(PIECE);
            let piece: Vec<_> = piece.map(|(id, subscriber)| (*id, Arc::clone(subscriber))).collect();
            steps::count(piece.len());
            drop(core);
            let Some((newest, _)) = piece.last() else { break };
            next = Bound::Excluded(*newest);
            let others = piece.iter().map(|(_, subscriber)| subscriber);
            let others = others.filter(|subscriber| subscriber.recipient.style == PresenceStyle::Changes);
            sinks.extend(others.map(|subscriber| subscriber.sink.clone()));
        }
        sinks
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
    pub(crate) fn change<T>(&self, command: impl FnOnce(&mut Core, &mut Effects) -> T) -> T {
        let (outcome, woken) = self.apply(command);
        if let Some(pump) = woken {
            self.spawn_pump(pump);
        }
        outcome
    }

    /// Runs a command on the core, and queues the events that it produces. Also returns a pump, if
    /// one was idle: the caller has to run it.
    fn apply<T>(&self, command: impl FnOnce(&mut Core, &mut Effects) -> T) -> (T, Option<usize>) {
        let (mut effects, mut windows) = (Effects::default(), Windows::default());
        let mut core = self.lock();
        let outcome = command(&mut core, &mut effects);
        self.queue(&mut core, effects, &mut windows);
        let woken = core.wake_one();
        drop(core);
        self.open(windows);
        (outcome, woken)
    }

    /// Queues the events that a command produced. The next command must see them queued.
    fn queue(&self, core: &mut Core, effects: Effects, windows: &mut Windows) {
        for effect in effects {
            steps::count(1);
            match effect {
                Effect::OpenWindow => windows.list = true,
                Effect::OpenPresence => windows.presence = true,
                Effect::OpenReactions => windows.reactions = true,
                Effect::CheckMembers => windows.members = true,
                Effect::ReadPolicy(version) => windows.policy = windows.policy.max(version),
                Effect::Discard(large) => windows.discarded.push(large),
                Effect::MemberEntered(record) => {
                    self.tell_others(core, windows, |changes| changes.join(record));
                }
                Effect::MemberLeft(id) => {
                    self.context.meters.left();
                    self.remove_record(core, id, windows);
                }
                Effect::RecordReplaced(id) => self.remove_record(core, id, windows),
                Effect::Send(event, audience) => {
                    core.enqueue(event, audience, None, &self.context.encodings);
                }
            }
        }
    }

    /// Removes a record of this node from the store, and tells the other nodes.
    fn remove_record(&self, core: &mut Core, id: MemberId, windows: &mut Windows) {
        self.context.presence_cleanup.add(id);
        self.tell_others(core, windows, |changes| changes.leave(id));
    }

    /// Adds to what the other nodes are told of the members of this one, if there are others.
    fn tell_others(&self, core: &mut Core, windows: &mut Windows, add: impl FnOnce(&mut RecordChanges)) {
        if self.context.publisher.is_some() {
            windows.records |= core.records.is_none();
            add(core.records.get_or_insert_default());
        }
    }

    /// Starts the coalescing windows that commands opened.
    fn open(&self, windows: Windows) {
        let Windows { list, presence, reactions, members, policy, records, discarded } = windows;
        drop(discarded);
        if members {
            self.remove_denied_later();
        }
        if policy > 0 {
            self.read_policy_later(policy, None);
        }
        if records {
            self.publish_presence_later();
        }
        if list {
            self.flush_later(|state, effects| {
                state.close_window(effects);
                false
            });
        }
        if presence {
            self.flush_later(|state, effects| state.flush_presence(PIECE, effects));
        }
        if reactions {
            self.close_reactions_later();
        }
    }

    /// Tells the other nodes who has joined or left, when the window that collects it is over.
    fn publish_presence_later(&self) {
        // the last member may leave meanwhile, and with it the room
        let Some(room) = self.this.upgrade() else { return };
        self.context.runtime.spawn(async move {
            sync::sleep(RECORDS_WINDOW).await;
            let changes = room.lock().records.take();
            if let (Some(publisher), Some(changes)) = (&room.context.publisher, changes) {
                publisher.presence(&room.name, &changes);
            }
        });
    }

    /// Closes the window that merges reactions when it is over: it stays open for as long as there
    /// are reactions.
    fn close_reactions_later(&self) {
        let room = self.this.clone();
        self.context.runtime.spawn(async move {
            loop {
                sync::sleep(REACTION_WINDOW).await;
                let Some(room) = room.upgrade() else { return };
                if !room.close_reactions() {
                    return;
                }
            }
        });
    }

    /// Sends the reactions that were merged. Returns whether there were any.
    pub(crate) fn close_reactions(&self) -> bool {
        self.change(|core, effects| {
            let events = core.reactions.close();
            let has_events = !events.is_empty();
            let send = |event| Effect::Send(Event::Reacted(Arc::new(event)), Audience::Changes);
            effects.extend(events.into_iter().map(send));
            has_events
        })
    }

    fn spawn_pump(&self, pump: usize) {
        if let Some(room) = self.this.upgrade() {
            self.context.runtime.spawn(pump::run(room, pump));
        }
    }

    /// Flushes coalesced changes at the end of the coalescing window, until `flush` says that there
    /// are no more.
    fn flush_later(&self, flush: fn(&mut RoomState, &mut Effects) -> bool) {
        let room = self.this.clone();
        self.context.runtime.spawn(async move {
            sync::sleep(COALESCE_WINDOW - TIMER_SLACK).await;
            if let Some(room) = room.upgrade() {
                while room.change(|core, effects| flush(&mut core.state, effects)) {
                    tokio::task::yield_now().await;
                }
            }
        });
    }

    /// Takes the members of a pump that starts to run.
    pub(crate) fn start_pump(&self, pump: usize) -> PumpMembers {
        self.lock().pumps[pump].start()
    }

    /// Returns what a pump has to do next, or `None` if there is nothing and the pump has stopped.
    pub(crate) fn next_work(&self, pump: usize, members: &mut PumpMembers) -> Option<Work> {
        let mut core = self.lock();
        let mut woken = Vec::new();
        if core.pumps[pump].batches.is_empty() {
            woken = core.cut_batch(&self.context, pump);
        }
        let work = core.pumps[pump].next(members);
        drop(core);
        woken.into_iter().for_each(|pump| self.spawn_pump(pump));
        work
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
        for piece in ended.chunks(PIECE) {
            let mut core = self.lock();
            piece.iter().for_each(|subscriber| core.release(subscriber));
            drop(core);
        }
        let mut core = self.lock();
        core.pending -= charge;
        let reached = batches.last().map(|last| core.pumps[pump].set_delivered(last.end()));
        let wakers = self.progress(&mut core);
        drop(core);
        drop(reached);
        self.wake(wakers);
    }

    #[cfg(test)]
    pub(crate) fn steps(&self) -> &steps::Steps {
        &self.steps
    }

    pub(crate) fn meters(&self) -> &Meters {
        &self.context.meters
    }
}
