//! What stands under a room's lock: its state, its members' subscribers, what is to be told, and the pumps' inboxes.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use chat_protocol::{Event, LeftReason, Member, MemberId, Reference};

use crate::delivery::audience::Audience;
use crate::delivery::audience::PresenceStyle;
use crate::delivery::batch::{Batch, Item};
use crate::delivery::encoding::Encodings;
use crate::delivery::queue::PumpQueue;
use crate::delivery::subscriber::Subscriber;
use crate::delivery::window::InFlightGuard;
use crate::limits::EngineLimits;
use crate::room::state::{Effect, RoomState};
use crate::room::tail::Tail;
use crate::sync::Instant;

/// What the smallest event counts: it keeps the number of events in bounds, those that are not encoded too.
const SMALLEST_CHARGE: usize = 256;

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) state: RoomState,
    limits: EngineLimits,
    /// The newest messages.
    pub(crate) tail: Tail,
    /// The members' subscribers. A member whose connection is being exchanged has none.
    pub(crate) subscribers: HashMap<MemberId, Arc<Subscriber>>,
    /// Slots of members that have left and whose pumps have yet to offer them their last event.
    ending: Vec<Arc<Subscriber>>,
    /// Those whose messages are on their way to the store.
    pub(crate) in_flight: HashMap<MemberId, InFlight>,
    /// Members that the operator has put out, until they themselves are gone.
    pub(crate) removed: HashSet<MemberId>,
    /// Told, but not yet in a batch.
    unbatched: Vec<Item>,
    /// When the first of that was told.
    unbatched_since: Instant,
    /// The position of the next event.
    pub(crate) position: u64,
    /// What was accepted or told and not yet offered to everyone, as the encodings' size hints count it.
    pub(crate) pending: usize,
    /// What the last message counted beyond its text.
    pub(crate) overhead: usize,
    /// The pumps. A member stays on its pump, which keeps its order.
    pub(crate) pumps: Vec<PumpQueue>,
    /// How many members take each encoding, by style.
    takers: Vec<[usize; 2]>,
}

/// Messages of a member that are on their way to the store.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    /// How many, those included whose member had the name before.
    pub(crate) count: usize,
    /// Whether the member leaves behind them.
    pub(crate) then: Option<LeaveNotice>,
    /// Who has the name now.
    pub(crate) heir: Option<MemberId>,
}

/// What the one who leaves is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LeaveNotice {
    /// Nothing: its outlet takes nothing more.
    Silent,
    /// This reason, after everything before it.
    Told { reason: LeftReason, reference: Option<Reference> },
}

fn index(style: PresenceStyle) -> usize {
    match style {
        PresenceStyle::Lists => 0,
        PresenceStyle::Changes => 1,
    }
}

impl Core {
    pub(crate) fn new(state: RoomState, encodings: usize, limits: EngineLimits) -> Self {
        Self {
            state,
            limits,
            tail: Tail::default(),
            subscribers: HashMap::new(),
            ending: Vec::new(),
            in_flight: HashMap::new(),
            removed: HashSet::new(),
            unbatched: Vec::new(),
            unbatched_since: Instant::now(),
            position: 0,
            pending: 0,
            overhead: SMALLEST_CHARGE,
            pumps: Vec::new(),
            takers: vec![[0, 0]; encodings],
        }
    }

    /// Whether a member is in, and not about to leave.
    pub(crate) fn is_active(&self, id: MemberId) -> bool {
        self.state.seats(id) && self.in_flight.get(&id).is_none_or(|way| way.then.is_none())
    }

    /// Whether nobody is in or coming, and nothing that somebody said is on its way.
    pub(crate) fn is_empty(&self) -> bool {
        self.state.is_empty() && self.in_flight.is_empty()
    }

    /// Gives a member its place in the fan-out. Its first event is the last of those that are about to be told.
    pub(crate) fn seat(
        &mut self,
        id: MemberId,
        style: PresenceStyle,
        outlet: crate::Sink,
        effects: &[Effect],
        encodings: &Encodings,
        max_pumps: usize,
    ) {
        let start = self.position_after(effects).saturating_sub(1);
        let encoding = outlet.encoding().and_then(|encoding| encodings.find(encoding));
        if let Some(encoding) = encoding {
            self.takers[encoding.get()][index(style)] += 1;
        }
        // behind the last that the same outlet is told of an earlier stay
        let before =
            self.ending.iter().find(|ending| ending.outlet.is_same(&outlet)).map(|ending| ending.pump);
        let pump = before.unwrap_or_else(|| self.choose_pump(max_pumps));
        let arrival = self.state.arrival(id).unwrap_or_default();
        let subscriber = Arc::new(Subscriber::new(id, style, arrival, start, outlet, encoding, pump));
        self.subscribers.insert(id, Arc::clone(&subscriber));
        self.pumps[pump].seat(subscriber);
    }

    /// The position behind what is about to be told.
    fn position_after(&self, effects: &[Effect]) -> u64 {
        let told = effects.iter().filter(|effect| matches!(effect, Effect::Send(..))).count();
        self.position + told as u64
    }

    /// The pump with the fewest members, or a new one when all are full and more are allowed.
    fn choose_pump(&mut self, max_pumps: usize) -> usize {
        let fewest = self.pumps.iter().enumerate().min_by_key(|(_, pump)| pump.load);
        match fewest {
            Some((number, pump))
                if pump.load < self.limits.members_per_pump || self.pumps.len() >= max_pumps =>
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

    fn remove_slot(&mut self, id: MemberId) -> Option<Arc<Subscriber>> {
        let subscriber = self.subscribers.remove(&id)?;
        if let Some(encoding) = subscriber.encoding {
            self.takers[encoding.get()][index(subscriber.style)] -= 1;
        }
        Some(subscriber)
    }

    /// Takes a member's place in the fan-out at once: nothing more goes to its outlet.
    pub(crate) fn unsubscribe(&mut self, id: MemberId) {
        if let Some(subscriber) = self.remove_slot(id) {
            subscriber.set_gone();
            self.pumps[subscriber.pump].unsubscribe(&subscriber);
        }
    }

    /// Begins to let a member go, behind its messages that are on their way. False when that stay had ended before.
    pub(crate) fn leave(&mut self, id: MemberId, farewell: LeaveNotice, effects: &mut Vec<Effect>) -> bool {
        let Some(way) = self.in_flight.get_mut(&id) else {
            return self.finish_leaving(id, farewell, effects);
        };
        let is_silent = farewell == LeaveNotice::Silent;
        way.then = Some(farewell);
        self.state.begin_to_leave(id);
        if is_silent {
            self.unsubscribe(id);
        }
        true
    }

    /// A pump has nothing more for this subscriber.
    pub(crate) fn let_go(&mut self, subscriber: &Arc<Subscriber>) {
        self.ending.retain(|ending| !Arc::ptr_eq(ending, subscriber));
        self.pumps[subscriber.pump].let_go(subscriber);
    }

    /// Lets a member go whose messages are all told. False when that stay had ended before.
    pub(crate) fn finish_leaving(
        &mut self,
        id: MemberId,
        farewell: LeaveNotice,
        effects: &mut Vec<Effect>,
    ) -> bool {
        if !self.state.seats(id) {
            return false;
        }
        match farewell {
            LeaveNotice::Silent => self.unsubscribe(id),
            LeaveNotice::Told { reason, reference } => {
                let room = self.state.room().clone();
                let notice = Event::LeaveNotice { reference, room, reason };
                effects.push(Effect::Send(notice, Audience::Only(id)));
                let end = self.position_after(effects);
                if let Some(subscriber) = self.remove_slot(id) {
                    // its pump goes on with it until that has been offered
                    subscriber.set_end(end);
                    self.ending.push(subscriber);
                }
            }
        }
        self.state.leave(id, effects)
    }

    /// Lets go at once of a member that is about to leave, and whose name somebody takes now. What it said is still on its way, so the heir
    /// leaves behind that, too: nobody is to hear somebody who is not in the list.
    pub(crate) fn finish_leaving_before(&mut self, newcomer: &Member, effects: &mut Vec<Effect>) {
        let Some(id) = self.state.leaving(&newcomer.username) else { return };
        let mut farewell = None;
        if let Some(way) = self.in_flight.get_mut(&id) {
            farewell = way.then.take();
            way.heir = Some(newcomer.id);
            let inherited = InFlight { count: way.count, ..InFlight::default() };
            self.in_flight.insert(newcomer.id, inherited);
        }
        self.finish_leaving(id, farewell.unwrap_or(LeaveNotice::Silent), effects);
    }

    /// One thing less of a member is on its way. Whoever has left meanwhile, and waited for that alone, leaves now.
    pub(crate) fn arrived(&mut self, id: MemberId, effects: &mut Vec<Effect>) {
        let mut next = Some(id);
        while let Some((id, way)) = next.and_then(|id| Some((id, self.in_flight.get_mut(&id)?))) {
            next = way.heir;
            way.count -= 1;
            if way.count == 0
                && let Some(farewell) = self.in_flight.remove(&id).and_then(|way| way.then)
            {
                self.finish_leaving(id, farewell, effects);
            }
        }
    }

    /// Queues an event, and gives about how large it is.
    pub(crate) fn tell(
        &mut self,
        event: Event,
        audience: Audience,
        receipt: Option<InFlightGuard>,
        encodings: &Encodings,
    ) -> usize {
        // a member that has left may still wait for its last event: it counts as long as its pump has it
        if self.pumps.iter().all(|pump| pump.load == 0) {
            return 0;
        }
        let charge = self.charge(&event, audience, encodings);
        if self.unbatched.is_empty() {
            self.unbatched_since = Instant::now();
        }
        self.unbatched.push(Item { event: Arc::new(event), audience, charge, _receipt: receipt });
        self.position += 1;
        self.pending += charge;
        charge
    }

    fn charge(&self, event: &Event, audience: Audience, encodings: &Encodings) -> usize {
        // what is for one member is held against that one, not against the room
        if matches!(audience, Audience::Only(_)) {
            return SMALLEST_CHARGE;
        }
        let taken = encodings.iter().filter(|(index, _)| self.takers[index.get()].iter().sum::<usize>() > 0);
        let hints = taken.map(|(_, encoding)| encoding.size_hint(event));
        hints.max().unwrap_or(0).max(SMALLEST_CHARGE)
    }

    /// Notes that a resting pump runs, if there is something to batch; which one.
    pub(crate) fn wake_one(&mut self) -> Option<usize> {
        if self.unbatched.is_empty() {
            return None;
        }
        let pump = self.pumps.iter().position(|pump| !pump.running && pump.load > 0)?;
        self.pumps[pump].running = true;
        Some(pump)
    }

    /// Makes a batch of what is not in one, up to a size, and gives it to all pumps. Gives those that have to be started.
    pub(crate) fn cut_batch(&mut self, encodings: &Encodings, running: usize) -> Vec<usize> {
        if self.unbatched.is_empty() {
            return Vec::new();
        }
        let mut bytes = 0;
        let max_bytes = self.limits.batch_bytes;
        let fits = |item: &&Item| {
            bytes += item.charge;
            bytes <= max_bytes
        };
        let count = self.unbatched.iter().take_while(fits).count().max(1);
        let rest = self.unbatched.split_off(count);
        let items = mem::replace(&mut self.unbatched, rest);
        let first = self.position - (items.len() + self.unbatched.len()) as u64;
        let batch = Arc::new(Batch::new(first, items, self.unbatched_since, encodings, self.pumps.len()));
        let mut woken = Vec::new();
        for (number, pump) in self.pumps.iter_mut().enumerate() {
            pump.batches.push(Arc::clone(&batch));
            if number != running && !mem::replace(&mut pump.running, true) {
                woken.push(number);
            }
        }
        woken
    }
}
