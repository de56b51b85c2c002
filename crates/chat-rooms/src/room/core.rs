//! The part of a room under its lock: its state, the subscribers of its members, the events that
//! are not delivered yet, and the queues of the pumps.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::mem;
use std::sync::Arc;

use chat_protocol::{Event, LeftReason, Member, MemberId, Reference, Timestamp};
use tokio::sync::oneshot;

use crate::delivery::audience::{Audience, PresenceStyle, SubscriptionId};
use crate::delivery::batch::{Batch, Item};
use crate::delivery::encoding::Encodings;
use crate::delivery::queue::PumpQueue;
use crate::delivery::subscriber::{Recipient, Subscriber};
use crate::delivery::window::InFlightGuard;
use crate::room::pages::Oldest;
use crate::room::policy::Outdated;
use crate::room::publish::Ahead;
use crate::room::publisher::RecordChanges;
use crate::room::state::RoomState;
use crate::room::state::effects::{Effect, Effects};
use crate::room::state::policy::CurrentPolicy;
use crate::room::state::reactions::ReactionWindow;
use crate::room::state::sequencer::Sequencer;
use crate::room::tail::Tail;
use crate::room::{Position, RoomContext};
use crate::sync::{Instant, steps};

/// What the smallest event counts. It also limits the number of events, including those that are
/// not encoded.
const SMALLEST_CHARGE: usize = 256;

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) state: RoomState,
    /// What the room allows.
    pub(crate) policy: CurrentPolicy,
    /// The messages that have to be checked again, in the order in which they were appended.
    pub(crate) returned: Vec<Box<dyn Outdated>>,
    /// The newest events.
    pub(crate) tail: Tail,
    /// The events that come after a gap.
    pub(crate) sequencer: Sequencer<Ahead>,
    /// The reactions that are being merged, and are not queued yet.
    pub(crate) reactions: ReactionWindow,
    /// The number of the oldest message that is kept, once it was read.
    pub(crate) oldest: Option<Oldest>,
    /// The subscribers of the sessions, in order of arrival. A detached session has none.
    pub(crate) subscribers: BTreeMap<SubscriptionId, Arc<Subscriber>>,
    /// The sinks of sessions that have left and whose pumps have not offered them their last event
    /// yet, by address. The pump has the sink, so that no other one has its address.
    ending: HashMap<usize, Ending>,
    /// The sessions whose messages are in flight to the store.
    pub(crate) in_flight: HashMap<SubscriptionId, InFlight>,
    /// Who has joined or left since the other nodes were told.
    pub(crate) records: Option<Box<RecordChanges>>,
    /// Whether the room is going to ask the store for its newest event: an append has failed, and
    /// may be stored all the same.
    pub(crate) in_doubt: bool,
    /// The events in flight to the store that no session has sent.
    pub(crate) acts: usize,
    /// The sessions that an operator removed, until their memberships are dropped.
    pub(crate) removed: HashSet<SubscriptionId>,
    /// Events that are queued, but not in a batch yet.
    unbatched: VecDeque<Item>,
    /// When the first of these events was queued.
    unbatched_since: Instant,
    /// The position of the next event.
    pub(crate) position: u64,
    /// The size of everything that was accepted or queued and not yet offered to every member,
    /// counted by the size hints of the encodings.
    pub(crate) pending: usize,
    /// What the last message counted in addition to its text.
    pub(crate) overhead: usize,
    /// The pumps. A member stays on one pump, which keeps its events in order.
    pub(crate) pumps: Vec<PumpQueue>,
    /// How many members use each encoding, by presence style.
    encoding_users: Vec<[usize; 2]>,
    /// Those who wait until the room is idle. Dropping the sender wakes them.
    pub(crate) idle_waiters: Vec<oneshot::Sender<()>>,
    /// Set once the room is empty and is about to be forgotten: nobody joins it any more.
    pub(crate) is_retired: bool,
}

/// The last memberships of one sink.
#[derive(Debug)]
struct Ending {
    /// The pump of the newest one.
    pump: usize,
    count: usize,
}

/// The messages of a session that are in flight to the store.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    /// How many there are, including those of the user that had the name before.
    pub(crate) count: usize,
    /// Set once the session is to leave after them.
    pub(crate) leave_notice: Option<LeaveNotice>,
    /// The first session of the user that has the name now.
    pub(crate) successor: Option<SubscriptionId>,
    /// Those who wait until there are none. Dropping the sender wakes them.
    pub(crate) waiters: Vec<oneshot::Sender<()>>,
}

/// What a leaving session receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LeaveNotice {
    /// Nothing: its sink receives no more events.
    Silent,
    /// A leave notice with this reason, after everything before it.
    Send { reason: LeftReason, reference: Option<Reference> },
}

fn index(style: PresenceStyle) -> usize {
    match style {
        PresenceStyle::Lists => 0,
        PresenceStyle::Changes => 1,
    }
}

impl Core {
    pub(crate) fn new(state: RoomState, encodings: usize) -> Self {
        Self {
            state,
            policy: CurrentPolicy::default(),
            returned: Vec::new(),
            tail: Tail::default(),
            sequencer: Sequencer::default(),
            reactions: ReactionWindow::default(),
            oldest: None,
            subscribers: BTreeMap::new(),
            ending: HashMap::new(),
            in_flight: HashMap::new(),
            records: None,
            in_doubt: false,
            acts: 0,
            removed: HashSet::new(),
            unbatched: VecDeque::new(),
            unbatched_since: Instant::now(),
            position: 0,
            pending: 0,
            overhead: SMALLEST_CHARGE,
            pumps: Vec::new(),
            encoding_users: vec![[0, 0]; encodings],
            idle_waiters: Vec::new(),
            is_retired: false,
        }
    }

    /// Whether a session is in the room, and not about to leave.
    pub(crate) fn is_active(&self, id: SubscriptionId) -> bool {
        self.state.has_session(id)
            && self.in_flight.get(&id).is_none_or(|in_flight| in_flight.leave_notice.is_none())
    }

    /// Whether the room has no members, reserved names, or events in flight.
    pub(crate) fn is_empty(&self) -> bool {
        self.state.is_empty() && self.in_flight.is_empty() && self.acts == 0
    }

    /// Whether everything that was accepted or queued has been offered to every member.
    pub(crate) fn is_idle(&self) -> bool {
        self.pending == 0 && self.in_flight.is_empty() && self.acts == 0 && self.reactions.is_empty()
    }

    /// Whether results of appends are still to come.
    pub(crate) fn has_in_flight(&self) -> bool {
        !self.in_flight.is_empty() || self.acts > 0
    }

    /// The number of the oldest message that is kept, as far as it is known.
    pub(crate) fn oldest(&self) -> u64 {
        self.oldest.map_or(1, |oldest| oldest.seq)
    }

    /// Subscribes a session to the events of the room. Its first event is the last one in
    /// `effects`; returns the position of that event.
    pub(crate) fn subscribe(
        &mut self,
        recipient: Recipient,
        sink: crate::Sink,
        effects: &Effects,
        context: &RoomContext,
    ) -> Position {
        let start = self.position_after(effects).saturating_sub(1);
        let encoding = sink.encoding().and_then(|encoding| context.encodings.find(encoding));
        if let Some(encoding) = encoding {
            self.encoding_users[encoding.get()][index(recipient.style)] += 1;
        }
        // the same pump as for an earlier membership with this sink, so that its last events come
        // first
        let earlier = self.ending.get(&sink.address()).map(|ending| ending.pump);
        let pump = earlier.unwrap_or_else(|| self.choose_pump(context));
        let id = recipient.id;
        let subscriber = Arc::new(Subscriber::new(recipient, start, sink, encoding, pump));
        self.subscribers.insert(id, Arc::clone(&subscriber));
        self.pumps[pump].subscribe(subscriber);
        Position { position: start }
    }

    /// The position after the events that are about to be queued.
    fn position_after(&self, effects: &Effects) -> u64 {
        self.position + effects.events() as u64
    }

    /// The pump with the fewest members, or a new one if all are full and more are allowed.
    fn choose_pump(&mut self, context: &RoomContext) -> usize {
        let fewest = self.pumps.iter().enumerate().min_by_key(|(_, pump)| pump.load);
        match fewest {
            Some((number, pump))
                if pump.load < context.limits.members_per_pump || self.pumps.len() >= context.max_pumps =>
            {
                number
            }
            _ => {
                self.pumps.reserve_exact(1);
                self.pumps.push(PumpQueue::default());
                self.pumps.len() - 1
            }
        }
    }

    fn take_subscriber(&mut self, id: SubscriptionId) -> Option<Arc<Subscriber>> {
        let subscriber = self.subscribers.remove(&id)?;
        if let Some(encoding) = subscriber.encoding {
            self.encoding_users[encoding.get()][index(subscriber.recipient.style)] -= 1;
        }
        Some(subscriber)
    }

    /// Ends a session's subscription at once: its sink receives nothing more.
    pub(crate) fn unsubscribe(&mut self, id: SubscriptionId) {
        if let Some(subscriber) = self.take_subscriber(id) {
            subscriber.set_gone();
            self.pumps[subscriber.pump].unsubscribe(&subscriber);
        }
    }

    /// Begins to remove a session, after its messages in flight. Returns `false` if it had left
    /// before.
    pub(crate) fn leave(
        &mut self,
        id: SubscriptionId,
        leave_notice: LeaveNotice,
        effects: &mut Effects,
    ) -> bool {
        let Some(in_flight) = self.in_flight.get_mut(&id) else {
            return self.finish_leaving(id, leave_notice, effects);
        };
        let is_silent = leave_notice == LeaveNotice::Silent;
        in_flight.leave_notice = Some(leave_notice);
        self.state.begin_leaving(id);
        if is_silent {
            self.unsubscribe(id);
        }
        true
    }

    /// A pump has no more events for this subscriber.
    pub(crate) fn release(&mut self, subscriber: &Arc<Subscriber>) {
        let address = subscriber.sink.address();
        if subscriber.is_ending()
            && let Some(ending) = self.ending.get_mut(&address)
        {
            ending.count -= 1;
            if ending.count == 0 {
                self.ending.remove(&address);
            }
        }
        self.pumps[subscriber.pump].release(subscriber);
    }

    /// Removes a session whose messages are all delivered. Returns `false` if it had left before.
    pub(crate) fn finish_leaving(
        &mut self,
        id: SubscriptionId,
        leave_notice: LeaveNotice,
        effects: &mut Effects,
    ) -> bool {
        if !self.state.has_session(id) {
            return false;
        }
        match leave_notice {
            LeaveNotice::Silent => self.unsubscribe(id),
            LeaveNotice::Send { reason, reference } => {
                let room = self.state.room().clone();
                // it was banned a moment ago, or the ban has just ended
                let until = if reason == LeftReason::Banned { self.banned_until(id) } else { None };
                let notice = Event::LeaveNotice { reference, room, reason, until };
                effects.push(Effect::Send(notice, Audience::Only(id)));
                let end = self.position_after(effects);
                if let Some(subscriber) = self.take_subscriber(id) {
                    // its pump keeps the subscriber until it has offered the notice
                    subscriber.set_end(end);
                    let pump = subscriber.pump;
                    let ending = self.ending.entry(subscriber.sink.address());
                    let ending = ending.or_insert(Ending { pump, count: 0 });
                    *ending = Ending { pump, count: ending.count + 1 };
                }
            }
        }
        self.state.leave(id, effects)
    }

    /// When the ban of a session's user ends; `None` if it has no end, or there is no ban.
    fn banned_until(&self, id: SubscriptionId) -> Option<Timestamp> {
        let actor = &self.subscribers.get(&id)?.recipient.actor;
        self.policy.policy().ban(actor, Timestamp::now())?
    }

    /// Removes at once a member that is about to leave and whose name another user takes now.
    /// Returns its sessions, whose messages may still be in flight.
    ///
    /// The newcomer, when it leaves, has to leave after them, too: no message may come from a name
    /// that is not in the list. See [`inherit`](Self::inherit).
    pub(crate) fn finish_leaving_namesake(
        &mut self,
        newcomer: &Member,
        effects: &mut Effects,
    ) -> Vec<SubscriptionId> {
        let Some(member) = self.state.leaving(&newcomer.username) else { return Vec::new() };
        let sessions = self.state.sessions_of(member).to_vec();
        for id in &sessions {
            let leave_notice = self.take_leave_notice(*id).unwrap_or(LeaveNotice::Silent);
            self.finish_leaving(*id, leave_notice, effects);
        }
        self.state.remove_elsewhere(member, effects);
        sessions
    }

    /// A user has joined on another node. Returns `false` if another user has the name here.
    pub(crate) fn entered_elsewhere(&mut self, record: &Arc<Member>, effects: &mut Effects) -> bool {
        if self.state.has_record(record.id) {
            return true;
        }
        if self.state.present(&record.username, &record.user).is_none() {
            if self.state.is_contested(record) {
                return false;
            }
            self.finish_leaving_namesake(record, effects);
        }
        self.state.entered_elsewhere(record, effects);
        true
    }

    /// What a session receives that is about to leave, and leaves now. `None` if it is not about
    /// to leave.
    fn take_leave_notice(&mut self, id: SubscriptionId) -> Option<LeaveNotice> {
        self.in_flight.get_mut(&id)?.leave_notice.take()
    }

    /// Removes at once the sessions of a member that are about to leave and have this sink: it
    /// joins again, and must not receive the events of two sessions. Returns these sessions.
    pub(crate) fn finish_leaving_from(
        &mut self,
        sink: &crate::Sink,
        member: MemberId,
        effects: &mut Effects,
    ) -> Vec<SubscriptionId> {
        let mut sessions = self.state.sessions_of(member).to_vec();
        let has_sink = |id: &SubscriptionId| {
            self.subscribers.get(id).is_some_and(|subscriber| subscriber.sink.is_same(sink))
        };
        sessions.retain(has_sink);
        let mut finish = |id: &SubscriptionId| {
            let leave_notice = self.take_leave_notice(*id);
            leave_notice.is_some_and(|leave_notice| self.finish_leaving(*id, leave_notice, effects))
        };
        sessions.retain(|id| finish(id));
        sessions
    }

    /// Makes a session leave only after the messages that these sessions have in flight.
    pub(crate) fn inherit(&mut self, heir: SubscriptionId, sessions: &[SubscriptionId]) {
        let mut count = 0;
        for id in sessions {
            if let Some(in_flight) = self.in_flight.get_mut(id) {
                in_flight.successor = Some(heir);
                count += in_flight.count;
            }
        }
        if count > 0 {
            self.in_flight.entry(heir).or_default().count += count;
        }
    }

    /// One message of a session is settled. If the session has left in the meantime and this was
    /// its last message in flight, it is removed now.
    pub(crate) fn message_settled(&mut self, id: SubscriptionId, effects: &mut Effects) {
        let mut next = Some(id);
        while let Some((id, in_flight)) = next.and_then(|id| Some((id, self.in_flight.get_mut(&id)?))) {
            next = in_flight.successor;
            in_flight.count -= 1;
            if in_flight.count == 0
                && let Some(leave_notice) =
                    self.in_flight.remove(&id).and_then(|in_flight| in_flight.leave_notice)
            {
                self.finish_leaving(id, leave_notice, effects);
            }
        }
    }

    /// Queues an event, and returns its approximate size.
    pub(crate) fn enqueue(
        &mut self,
        event: Event,
        audience: Audience,
        guard: Option<InFlightGuard>,
        encodings: &Encodings,
    ) -> usize {
        // a member that has left may still wait for its last event: it counts as long as its pump
        // has it
        if self.pumps.iter().all(|pump| pump.load == 0) {
            return 0;
        }
        let charge = self.charge(&event, audience, encodings);
        if self.unbatched.is_empty() {
            self.unbatched_since = Instant::now();
        }
        steps::count(1);
        self.unbatched.push_back(Item { event: Arc::new(event), audience, charge, _guard: guard });
        self.position += 1;
        self.pending += charge;
        charge
    }

    fn charge(&self, event: &Event, audience: Audience, encodings: &Encodings) -> usize {
        // an event for one member counts against that member, not against the room
        if matches!(audience, Audience::Only(_)) {
            return SMALLEST_CHARGE;
        }
        let used =
            encodings.iter().filter(|(index, _)| self.encoding_users[index.get()].iter().sum::<usize>() > 0);
        let hints = used.map(|(_, encoding)| encoding.size_hint(event));
        hints.max().unwrap_or(0).max(SMALLEST_CHARGE)
    }

    /// Marks an idle pump as running if there are events to batch, and returns it.
    pub(crate) fn wake_one(&mut self) -> Option<usize> {
        if self.unbatched.is_empty() {
            return None;
        }
        let pump = self.pumps.iter().position(|pump| !pump.running && pump.load > 0)?;
        self.pumps[pump].running = true;
        Some(pump)
    }

    /// Cuts a batch of limited size from the queued events and gives it to all pumps. Returns the
    /// pumps that have to be started.
    pub(crate) fn cut_batch(&mut self, context: &RoomContext, running: usize) -> Vec<usize> {
        if self.unbatched.is_empty() {
            return Vec::new();
        }
        let mut bytes = 0;
        let fits = |item: &&Item| {
            bytes += item.charge;
            bytes <= context.limits.batch_bytes
        };
        let count = self.unbatched.iter().take_while(fits).count().max(1);
        steps::count(count);
        let items: Vec<_> = self.unbatched.drain(..count).collect();
        let first = self.position - (items.len() + self.unbatched.len()) as u64;
        let batch =
            Arc::new(Batch::new(first, items, self.unbatched_since, &context.encodings, self.pumps.len()));
        let mut woken = Vec::new();
        for (number, pump) in self.pumps.iter_mut().enumerate() {
            pump.batches.push_back(Arc::clone(&batch));
            if number != running && !mem::replace(&mut pump.running, true) {
                woken.push(number);
            }
        }
        woken
    }
}
