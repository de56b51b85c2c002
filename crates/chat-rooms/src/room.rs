//! A room at work: its state under a lock, what is to be told, and the pumps that tell it.

use std::collections::HashMap;
use std::mem;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use chat_protocol::{Event, GATHER_ABOVE, GATHER_WINDOW, Member, MemberId, MemberList, RoomName, Username};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::batch::{Batch, Item};
use crate::encoding::{EncodingId, Encodings};
use crate::inbox::Inbox;
use crate::outlet::Outlet;
use crate::pump;
use crate::slot::Slot;
use crate::state::{Audience, Effect, Holder, RoomState};

/// While more than this waits to be offered, those who speak have to wait.
const MOST_PENDING: usize = 1 << 20;

/// How much goes into one batch, as the encodings' size hints count it.
const BATCH_BYTES: usize = 256 << 10;

/// What a timer and the way to the sockets may take of the time that comings and goings are gathered for at most.
const TIMER_SLACK: Duration = Duration::from_millis(10);

/// A room gets another pump for each so many members.
const MEMBERS_A_PUMP: usize = 512;

/// What the rooms of an engine share.
#[derive(Debug)]
pub(crate) struct RoomContext {
    /// Where pumps run. Kept, because a member may leave on a thread that is not the runtime's.
    pub(crate) runtime: Handle,
    pub(crate) encodings: Encodings,
    /// The most pumps of one room.
    pub(crate) most_pumps: usize,
}

/// A room. Nothing in it waits for the store, a socket or another room.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) name: RoomName,
    context: Arc<RoomContext>,
    /// For the tasks that the room starts.
    this: Weak<Room>,
    core: Mutex<Core>,
    /// Rung whenever a pump has offered something to all of its members.
    relief: Notify,
}

#[derive(Debug)]
struct Core {
    state: RoomState,
    /// The members' slots, by which those who leave and those who are challenged are found.
    slots: HashMap<MemberId, Arc<Slot>>,
    /// Told, but not yet in a batch.
    unbatched: Vec<Item>,
    /// The position of the next event.
    position: u64,
    /// What was told and not yet offered to everyone, as the encodings' size hints count it.
    pending: usize,
    /// The pumps. A member stays on its pump, which keeps its order.
    pumps: Vec<Inbox>,
    /// How many members take each encoding.
    takers: Vec<usize>,
}

/// Something that was told in a room: where it stands in the room's order, and about how large it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    position: u64,
    size: usize,
}

impl Sent {
    /// About how many bytes it takes in the largest encoding that somebody in the room takes.
    pub fn size(&self) -> usize {
        self.size
    }
}

/// What came of saying something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    Told(Sent),
    /// The room has more to offer than it may gather; try again after a relief.
    Congested,
    NotAMember,
}

impl Room {
    pub(crate) fn new(name: RoomName, context: Arc<RoomContext>) -> Arc<Self> {
        let core = Core {
            state: RoomState::new(GATHER_ABOVE),
            slots: HashMap::new(),
            unbatched: Vec::new(),
            position: 0,
            pending: 0,
            pumps: Vec::new(),
            takers: vec![0; context.encodings.len()],
        };
        Arc::new_cyclic(|this| Self {
            name,
            context,
            this: this.clone(),
            core: Mutex::new(core),
            relief: Notify::new(),
        })
    }

    pub(crate) fn encodings(&self) -> &Encodings {
        &self.context.encodings
    }

    /// Resolves after the next time that a pump has offered something to all of its members.
    pub(crate) fn relief(&self) -> tokio::sync::futures::Notified<'_> {
        self.relief.notified()
    }

    /// Whether everything that was told has been offered to everyone.
    pub(crate) fn is_settled(&self) -> bool {
        self.core.lock().pending == 0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.core.lock().state.is_empty()
    }

    pub(crate) fn holds(&self, username: &Username) -> bool {
        self.core.lock().state.holds(username)
    }

    pub(crate) fn seats(&self, id: MemberId) -> bool {
        self.core.lock().state.seats(id)
    }

    pub(crate) fn list(&self) -> Arc<MemberList> {
        self.core.lock().state.list()
    }

    /// Keeps a name, or gives the slot of the member that has it; none while that one is still coming.
    pub(crate) fn reserve(&self, username: &Username) -> Result<(), Option<Arc<Slot>>> {
        let mut core = self.core.lock();
        core.state.reserve(username).map_err(|holder| match holder {
            Holder::Reserved => None,
            Holder::Member(id) => core.slots.get(&id).cloned(),
        })
    }

    pub(crate) fn release(&self, username: &Username) {
        self.core.lock().state.release(username);
    }

    /// Lets in somebody whose name was kept; everything from its own entering on goes to `outlet`.
    pub(crate) fn enter(&self, member: &Arc<Member>, outlet: Outlet) {
        self.change(|core, effects| {
            let arrival = core.state.enter(member, effects);
            // its own entering is the last that is told: what comes before it is not for the newcomer
            let told = effects.iter().filter(|effect| matches!(effect, Effect::Tell(..))).count() as u64;
            let start = core.position + told - 1;
            if let Some(encoding) = outlet.encoding() {
                core.takers[encoding.0] += 1;
            }
            let pump = core.choose_pump(self.context.most_pumps);
            let slot = Arc::new(Slot::new(member.id, arrival, start, outlet, pump));
            core.slots.insert(member.id, Arc::clone(&slot));
            core.pumps[pump].seat(slot);
        });
    }

    /// Lets somebody go; `quietly` tells nobody. False when that stay had ended before.
    pub(crate) fn leave(&self, id: MemberId, telling: Telling) -> bool {
        self.change(|core, effects| {
            let left = core.state.leave(id, effects);
            core.unseat(id);
            if telling == Telling::Nobody {
                effects.clear();
            }
            left
        })
    }

    /// Tells everybody what a member says.
    pub(crate) fn say(&self, from: MemberId, body: &Arc<str>) -> Said {
        self.speak(Audience::All, |state| state.say(from, Arc::clone(body)))
    }

    /// Tells a member why something was not accepted.
    pub(crate) fn refuse(&self, to: MemberId, reason: &Arc<str>) -> Said {
        self.speak(Audience::Only(to), |state| state.refuse(to, Arc::clone(reason)))
    }

    /// Tells something on behalf of a member, unless there is too much to tell already.
    fn speak(&self, audience: Audience, event: impl FnOnce(&mut RoomState) -> Option<Event>) -> Said {
        let mut core = self.core.lock();
        if core.pending >= MOST_PENDING {
            return Said::Congested;
        }
        let Some(event) = event(&mut core.state) else { return Said::NotAMember };
        let sent =
            Sent { position: core.position, size: core.tell(event, audience, &self.context.encodings) };
        let woken = core.wake_one();
        drop(core);
        if let Some(pump) = woken {
            self.spawn_pump(pump);
        }
        Said::Told(sent)
    }

    /// Whether a member has been offered what was sent, or is not in any more.
    pub(crate) fn has_offered(&self, sent: Sent, to: MemberId) -> bool {
        let core = self.core.lock();
        core.slots.get(&to).is_none_or(|slot| core.pumps[slot.pump].offered > sent.position)
    }

    /// Tells everybody what the operator says.
    pub(crate) fn notice(&self, body: Arc<str>) {
        self.change(|core, effects| effects.push(core.state.notice(body)));
    }

    /// Runs a command on the state, queues what it has to tell, and wakes a pump for it.
    fn change<T>(&self, command: impl FnOnce(&mut Core, &mut Vec<Effect>) -> T) -> T {
        let mut effects = Vec::new();
        let mut core = self.core.lock();
        let outcome = command(&mut core, &mut effects);
        let mut opens_window = false;
        for effect in effects {
            match effect {
                Effect::OpenWindow => opens_window = true,
                Effect::Tell(event, audience) => {
                    core.tell(event, audience, &self.context.encodings);
                }
            }
        }
        let woken = core.wake_one();
        drop(core);
        if let Some(pump) = woken {
            self.spawn_pump(pump);
        }
        if opens_window {
            self.open_window();
        }
        outcome
    }

    fn spawn_pump(&self, pump: usize) {
        if let Some(room) = self.this.upgrade() {
            self.context.runtime.spawn(pump::run(room, pump));
        }
    }

    fn open_window(&self) {
        let room = self.this.clone();
        self.context.runtime.spawn(async move {
            tokio::time::sleep(GATHER_WINDOW - TIMER_SLACK).await;
            if let Some(room) = room.upgrade() {
                room.change(|core, effects| core.state.close_window(effects));
            }
        });
    }

    /// The members of a pump that begins to run.
    pub(crate) fn start_pump(&self, pump: usize) -> Vec<Arc<Slot>> {
        mem::take(&mut self.core.lock().pumps[pump].members)
    }

    /// What a pump offers next; none when there is nothing, and the pump has stopped.
    pub(crate) fn next_batches(&self, pump: usize, members: &mut Vec<Arc<Slot>>) -> Option<Vec<Arc<Batch>>> {
        let mut core = self.core.lock();
        let mut woken = Vec::new();
        if core.pumps[pump].batches.is_empty() {
            woken = core.cut_batch(&self.context.encodings, pump);
        }
        let batches = core.pumps[pump].next(members);
        drop(core);
        woken.into_iter().for_each(|pump| self.spawn_pump(pump));
        batches
    }

    /// A pump has offered these batches to all of its members.
    pub(crate) fn offered(&self, pump: usize, batches: &[Arc<Batch>]) {
        let done = |batch: &&Arc<Batch>| batch.pumps_to_go.fetch_sub(1, Ordering::AcqRel) == 1;
        let charge: usize = batches.iter().filter(done).map(|batch| batch.charge).sum();
        let mut core = self.core.lock();
        core.pending -= charge;
        if let Some(last) = batches.last() {
            core.pumps[pump].offered = last.end();
        }
        drop(core);
        self.relief.notify_waiters();
    }

    /// Lets those go whose outlets take nothing more.
    pub(crate) fn put_out(&self, slots: &[Arc<Slot>]) {
        for slot in slots {
            self.leave(slot.id, Telling::Everybody);
        }
    }
}

/// Who is told of a leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Telling {
    Everybody,
    Nobody,
}

impl Core {
    /// The pump with the fewest members, or a new one when all are full and more are allowed.
    fn choose_pump(&mut self, most_pumps: usize) -> usize {
        let fewest = self.pumps.iter().enumerate().min_by_key(|(_, pump)| pump.load);
        match fewest {
            Some((number, pump)) if pump.load < MEMBERS_A_PUMP || self.pumps.len() >= most_pumps => number,
            _ => {
                self.pumps.push(Inbox::default());
                self.pumps.len() - 1
            }
        }
    }

    fn unseat(&mut self, id: MemberId) {
        let Some(slot) = self.slots.remove(&id) else {
            return;
        };
        slot.set_gone();
        self.pumps[slot.pump].unseat(&slot);
        if let Some(EncodingId(encoding)) = slot.outlet.encoding() {
            self.takers[encoding] -= 1;
        }
    }

    /// Queues an event, and gives about how large it is.
    fn tell(&mut self, event: Event, audience: Audience, encodings: &Encodings) -> usize {
        if self.slots.is_empty() {
            return 0;
        }
        let taken = self.takers.iter().enumerate().filter(|(_, takers)| **takers > 0);
        let hints = taken.map(|(id, _)| encodings.get(EncodingId(id)).size_hint(&event));
        // typed events cost nothing by the byte; counting them keeps their number in bounds
        let charge = hints.max().unwrap_or(0).max(256);
        self.unbatched.push(Item { event: Arc::new(event), audience, charge });
        self.position += 1;
        self.pending += charge;
        charge
    }

    /// Notes that a resting pump runs, if there is something to batch; which one.
    fn wake_one(&mut self) -> Option<usize> {
        if self.unbatched.is_empty() {
            return None;
        }
        let pump = self.pumps.iter().position(|pump| !pump.running && pump.load > 0)?;
        self.pumps[pump].running = true;
        Some(pump)
    }

    /// Makes a batch of what is not in one, up to a size, and gives it to all pumps. Gives those that have to be started.
    fn cut_batch(&mut self, encodings: &Encodings, running: usize) -> Vec<usize> {
        if self.unbatched.is_empty() {
            return Vec::new();
        }
        let mut bytes = 0;
        let fits = |item: &&Item| {
            bytes += item.charge;
            bytes <= BATCH_BYTES
        };
        let count = self.unbatched.iter().take_while(fits).count().max(1);
        let rest = self.unbatched.split_off(count);
        let items = mem::replace(&mut self.unbatched, rest);
        let first = self.position - (items.len() + self.unbatched.len()) as u64;
        let batch = Arc::new(Batch::new(first, items, encodings, self.pumps.len()));
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
