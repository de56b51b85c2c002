//! A room at work: its core under a lock, and the pumps that tell its members.

pub(crate) mod catch_up;
pub(crate) mod core;
pub(crate) mod publish;
mod pump;
pub(crate) mod replies;
pub(crate) mod retention;
pub(crate) mod state;
pub(crate) mod tail;

use std::sync::{Arc, Weak};
use std::time::Duration;

use chat_history::{HistoryError, HistoryStore, Messages, Page};
use chat_protocol::{
    ErrorCode, GATHER_ABOVE, GATHER_WINDOW, LeftReason, Member, MemberId, MemberList, NoticeLevel, Reference,
    RoomName, Username,
};
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::delivery::audience::Audience;
use crate::delivery::audience::Style;
use crate::delivery::batch::Batch;
use crate::delivery::encoding::Encodings;
use crate::delivery::sink::Outlet;
use crate::delivery::subscriber::Slot;
use crate::limits::EngineLimits;
use crate::metrics::Meters;
use crate::room::core::{Core, Farewell};
use crate::room::retention::{Kept, Retained};
use crate::room::state::{Effect, Holder, RoomState};
use crate::room::tail::{Tail, Tails};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{self, Handle, Notify};

/// What a timer and the way to the sockets may take of the time that comings and goings are gathered for at most.
const TIMER_SLACK: Duration = Duration::from_millis(10);

/// What the rooms of an engine share.
#[derive(Debug)]
pub(crate) struct RoomContext {
    /// Where pumps run. Kept, because a member may leave on a thread that is not the runtime's.
    pub(crate) runtime: Handle,
    pub(crate) encodings: Encodings,
    /// What the tails of all rooms keep.
    pub(crate) tails: Arc<Tails>,
    /// How long messages are kept.
    pub(crate) retained: Arc<Retained>,
    /// The most pumps of one room.
    pub(crate) max_pumps: usize,
    /// The most members of one room.
    pub(crate) max_members: AtomicUsize,
    pub(crate) limits: EngineLimits,
    pub(crate) meters: Meters,
}

/// Why a name was not kept.
#[derive(Debug)]
pub(crate) enum NotKept {
    /// It is taken. By whom; none while that one is still coming, or its connection is being exchanged.
    Taken(Option<Arc<Slot>>),
    /// There are as many members as there may be.
    Full,
}

/// A room. Nothing in it waits for the store, a socket or another room.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) name: RoomName,
    context: Arc<RoomContext>,
    /// For the tasks that the room starts.
    this: Weak<Room>,
    core: Mutex<Core>,
    /// Set once the room knows the number of its newest message. Nobody is let in before.
    known: OnceCell<()>,
    /// Rung whenever a pump has offered something to all of its members, or something accepted came to nothing.
    relief: Notify,
}

/// Something that was told in a room: where it stands in the room's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    pub(crate) position: u64,
}

impl Room {
    pub(crate) fn new(name: RoomName, context: Arc<RoomContext>) -> Arc<Self> {
        let core = Core::new(
            RoomState::new(name.clone(), GATHER_ABOVE, context.limits.presence_names),
            context.encodings.len(),
            context.limits,
        );
        Arc::new_cyclic(|this| Self {
            name,
            context,
            this: this.clone(),
            core: Mutex::new(core),
            known: OnceCell::new(),
            relief: Notify::new(),
        })
    }

    /// Finds out the number of the room's newest message, once. Cancel-safe.
    ///
    /// # Errors
    /// [`HistoryError`]; asked again by whoever comes next.
    pub(crate) async fn know(&self, history: &dyn HistoryStore) -> Result<(), HistoryError> {
        let learn = || async {
            let newest = history.newest(self.name.clone()).await?;
            self.core.lock().tail = Tail::after(newest).among(&self.context.tails);
            Ok(())
        };
        self.known.get_or_try_init(learn).await.copied()
    }

    pub(crate) fn encodings(&self) -> &Encodings {
        &self.context.encodings
    }

    /// Resolves after the next time that a pump has offered something to all of its members.
    pub(crate) fn relief(&self) -> tokio::sync::futures::Notified<'_> {
        self.relief.notified()
    }

    /// Wakes those who wait for something to be offered, or to come to nothing.
    pub(crate) fn relieve(&self) {
        self.relief.notify_waiters();
    }

    /// Whether everything that was accepted or told has been offered to everyone.
    pub(crate) fn is_settled(&self) -> bool {
        let core = self.core.lock();
        core.pending == 0 && core.on_the_way.is_empty()
    }

    /// Whether something that a member said is on its way to the store.
    pub(crate) fn is_speaking(&self, id: MemberId) -> bool {
        self.core.lock().on_the_way.contains_key(&id)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.core.lock().is_empty()
    }

    pub(crate) fn holds(&self, username: &Username) -> bool {
        self.core.lock().state.holds(username)
    }

    pub(crate) fn seats(&self, id: MemberId) -> bool {
        self.core.lock().state.seats(id)
    }

    /// How many are in.
    pub(crate) fn count(&self) -> usize {
        self.core.lock().state.count()
    }

    pub(crate) fn list(&self) -> Arc<MemberList> {
        self.core.lock().state.list()
    }

    /// Some of the members, and how many there are.
    pub(crate) fn members_after(&self, after: Option<MemberId>, limit: usize) -> (Vec<Arc<Member>>, usize) {
        let core = self.core.lock();
        (core.state.members_after(after, limit), core.state.count())
    }

    /// Keeps a name.
    pub(crate) fn reserve(&self, username: &Username) -> Result<(), NotKept> {
        let max = self.context.max_members.load(Ordering::Relaxed);
        let mut core = self.core.lock();
        if core.state.names() >= max && !core.state.holds(username) {
            return Err(NotKept::Full);
        }
        core.state.reserve(username).map_err(|holder| match holder {
            Holder::Reserved => NotKept::Taken(None),
            Holder::Member(id) => NotKept::Taken(core.slots.get(&id).cloned()),
        })
    }

    pub(crate) fn release(&self, username: &Username) {
        self.core.lock().state.release(username);
    }

    /// Lets in somebody whose name was kept and who is told at once who is there; everything from its own entering on goes to
    /// `outlet`.
    pub(crate) fn enter(&self, member: &Arc<Member>, outlet: Outlet) -> Sent {
        self.change(|core, effects| {
            core.finish_leaving_before(member, effects);
            core.state.enter(member, Style::Each, effects);
            core.seat(
                member.id,
                Style::Each,
                outlet,
                effects,
                &self.context.encodings,
                self.context.max_pumps,
            );
            let told = effects.iter().filter(|effect| matches!(effect, Effect::Tell(..))).count() as u64;
            Sent { position: (core.position + told).saturating_sub(1) }
        })
    }

    /// Lets somebody go, behind its messages that are on their way. False when that stay had ended before.
    pub(crate) fn leave(&self, id: MemberId, farewell: Farewell, telling: Telling) -> bool {
        self.change(|core, effects| {
            if telling == Telling::Nobody {
                let left = core.finish_leaving(id, Farewell::Silent, effects);
                effects.clear();
                return left;
            }
            // it was told why it has to go, behind its messages, and has gone by that
            if core.ousted.remove(&id) {
                return false;
            }
            core.leave(id, farewell, effects)
        })
    }

    /// Puts somebody out, behind its messages that are on their way, and tells it why. False where nobody has that name.
    pub(crate) fn oust(&self, username: &Username, reason: LeftReason) -> bool {
        let ousted = self.change(|core, effects| {
            let id = core.state.holder(username)?;
            Some(self.oust_one(core, effects, id, reason))
        });
        // it learns of it at once, whatever waits for it
        ousted.is_some_and(|slot| {
            slot.inspect(|slot| slot.outlet.challenge());
            true
        })
    }

    /// Puts everybody out; how many.
    pub(crate) fn oust_all(&self, reason: LeftReason) -> usize {
        let ousted = self.change(|core, effects| {
            let ids = core.state.ids();
            ids.into_iter().map(|id| self.oust_one(core, effects, id, reason)).collect::<Vec<_>>()
        });
        ousted.iter().flatten().for_each(|slot| slot.outlet.challenge());
        ousted.len()
    }

    fn oust_one(
        &self,
        core: &mut Core,
        effects: &mut Vec<Effect>,
        id: MemberId,
        reason: LeftReason,
    ) -> Option<Arc<Slot>> {
        let slot = core.slots.get(&id).cloned();
        if core.stays(id) && core.ousted.insert(id) {
            // who is told lists knows no reasons
            let is_told = slot.as_ref().is_some_and(|slot| slot.style == Style::Deltas);
            let farewell =
                if is_told { Farewell::Told { reason, reference: None } } else { Farewell::Silent };
            core.leave(id, farewell, effects);
        }
        slot
    }

    /// Whether the operator has put this member out.
    pub(crate) fn has_ousted(&self, id: MemberId) -> bool {
        self.core.lock().ousted.contains(&id)
    }

    /// Takes a member's outlet away; the member stays, and gets another one by coming again.
    pub(crate) fn park(&self, id: MemberId) {
        self.core.lock().unseat(id);
    }

    /// Tells a member why something was not accepted. None when it is not in.
    pub(crate) fn refuse(
        &self,
        to: MemberId,
        code: ErrorCode,
        reason: Arc<str>,
        reference: Option<Reference>,
    ) -> Option<Sent> {
        self.change(|core, effects| {
            let event = core.state.refuse(to, code, reason, reference)?;
            self.meters().refused(code);
            let sent = Sent { position: core.position };
            effects.push(Effect::Tell(event, Audience::Only(to)));
            Some(sent)
        })
    }

    /// Whether a member has been offered what was sent, or has no outlet any more.
    pub(crate) fn has_offered(&self, sent: Sent, to: MemberId) -> bool {
        let core = self.core.lock();
        core.slots.get(&to).is_none_or(|slot| core.pumps[slot.pump].offered > sent.position)
    }

    /// What retention keeps now; `None` where it keeps everything.
    pub(crate) fn kept(&self) -> Option<Kept> {
        self.context.retained.now()
    }

    /// Takes what is not kept out of the tail. Gives the number of the newest message, kept or not.
    pub(crate) fn retain(&self, kept: Option<Kept>) -> u64 {
        let mut core = self.core.lock();
        if let Some(kept) = kept {
            core.tail.retain(kept);
        }
        core.tail.newest()
    }

    /// Reads a page from the store, without what is not kept.
    ///
    /// # Errors
    /// [`HistoryError`] when the store does not answer.
    pub(crate) async fn read(
        &self,
        history: &dyn HistoryStore,
        page: Page,
    ) -> Result<Messages, HistoryError> {
        let mut messages = history.page(self.name.clone(), page).await?;
        let Some(kept) = self.kept() else { return Ok(messages) };
        let newest = self.retain(Some(kept));
        let (Some(gone), Page::After { limit, .. }) = (kept.cut(page, &mut messages, newest), page) else {
            return Ok(messages);
        };
        let seq = self.last_gone(history, kept, gone, newest).await?;
        messages = history.page(self.name.clone(), Page::After { seq, limit }).await?;
        kept.cut(page, &mut messages, newest);
        Ok(messages)
    }

    /// The number of the last message that is not kept, of those from `gone`, which is not, to `newest`. The store may have many that it has
    /// not removed yet: they are not read one by one.
    async fn last_gone(
        &self,
        history: &dyn HistoryStore,
        kept: Kept,
        mut gone: u64,
        newest: u64,
    ) -> Result<u64, HistoryError> {
        let mut end = newest;
        while gone < end {
            let seq = gone + (end - gone) / 2;
            let found = history.page(self.name.clone(), Page::After { seq, limit: 1 }).await?;
            match found.messages.first() {
                Some(message) if message.seq <= end && !kept.keeps_message(message, newest) => {
                    gone = message.seq;
                }
                _ => end = seq,
            }
        }
        Ok(gone)
    }

    /// Forgets what a message said.
    pub(crate) fn forget(&self, seq: u64) {
        self.core.lock().tail.erase(seq);
    }

    /// Tells everybody in this room what the operator says.
    pub(crate) fn notice(&self, level: NoticeLevel, body: Arc<str>) {
        self.change(|core, effects| {
            let notice = core.state.notice(Some(self.name.clone()), level, body);
            effects.push(Effect::Tell(notice, Audience::All));
        });
    }

    /// Tells those who are told lists what the operator says to everyone. Gives the outlets of all others: they may be in other rooms, too.
    pub(crate) fn notice_all(&self, level: NoticeLevel, body: Arc<str>) -> Vec<Outlet> {
        self.change(|core, effects| {
            if core.state.tells_lists() {
                let notice = core.state.notice(None, level, body);
                effects.push(Effect::Tell(notice, Audience::Each));
            }
            let others = core.slots.values().filter(|slot| slot.style == Style::Deltas);
            others.map(|slot| slot.outlet.clone()).collect()
        })
    }

    /// Tells the others who want to know that somebody is typing.
    pub(crate) fn typing(&self, id: MemberId) {
        self.change(|core, effects| {
            // it is worth nothing later, and nobody waits for it
            if core.pending < self.context.limits.queued_bytes
                && let Some(event) = core.state.typing(id)
            {
                effects.push(Effect::Tell(event, Audience::DeltasBut(id)));
            }
        });
    }

    pub(crate) fn limits(&self) -> &EngineLimits {
        &self.context.limits
    }

    /// The most pumps of the room.
    pub(crate) fn max_pumps(&self) -> usize {
        self.context.max_pumps
    }

    /// Runs a command on the core, queues what it has to tell, and wakes a pump for it.
    pub(crate) fn change<T>(&self, command: impl FnOnce(&mut Core, &mut Vec<Effect>) -> T) -> T {
        let mut effects = Vec::new();
        let mut core = self.core.lock();
        let outcome = command(&mut core, &mut effects);
        let (mut opens_window, mut opens_presence) = (false, false);
        for effect in effects {
            match effect {
                Effect::OpenWindow => opens_window = true,
                Effect::OpenPresence => opens_presence = true,
                Effect::Tell(event, audience) => {
                    core.tell(event, audience, None, &self.context.encodings);
                }
            }
        }
        let woken = core.wake_one();
        drop(core);
        if let Some(pump) = woken {
            self.spawn_pump(pump);
        }
        if opens_window {
            self.later(RoomState::close_window);
        }
        if opens_presence {
            self.later(RoomState::tell_presence);
        }
        outcome
    }

    fn spawn_pump(&self, pump: usize) {
        if let Some(room) = self.this.upgrade() {
            self.context.runtime.spawn(pump::run(room, pump));
        }
    }

    /// Tells what has been gathered once the time for that is over.
    fn later(&self, tell: fn(&mut RoomState, &mut Vec<Effect>)) {
        let room = self.this.clone();
        self.context.runtime.spawn(async move {
            sync::sleep(GATHER_WINDOW - TIMER_SLACK).await;
            if let Some(room) = room.upgrade() {
                room.change(|core, effects| tell(&mut core.state, effects));
            }
        });
    }

    /// The members of a pump that begins to run.
    pub(crate) fn start_pump(&self, pump: usize) -> Vec<Arc<Slot>> {
        std::mem::take(&mut self.core.lock().pumps[pump].members)
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

    /// A pump has offered these batches to all of its members, and let go of those for whom that was the end.
    pub(crate) fn offered(&self, pump: usize, batches: &[Arc<Batch>], ended: &[Arc<Slot>]) {
        let mut charge = 0;
        for batch in batches {
            if batch.pumps_to_go.fetch_sub(1, Ordering::AcqRel) == 1 {
                charge += batch.charge;
                self.context.meters.fan_out.record(batch.since.elapsed());
            }
        }
        let mut core = self.core.lock();
        core.pending -= charge;
        ended.iter().for_each(|slot| core.let_go(slot));
        if let Some(last) = batches.last() {
            core.pumps[pump].offered = last.end();
        }
        drop(core);
        self.relieve();
    }

    pub(crate) fn meters(&self) -> &Meters {
        &self.context.meters
    }

    /// Lets those go whose outlets take nothing more.
    pub(crate) fn put_out(&self, slots: &[Arc<Slot>]) {
        for slot in slots {
            self.change(|core, effects| {
                core.let_go(slot);
                // it may have left meanwhile, or come again by another connection
                if core.slots.get(&slot.id).is_some_and(|current| Arc::ptr_eq(current, slot)) {
                    core.leave(slot.id, Farewell::Silent, effects);
                }
            });
        }
    }
}

/// Who is told of a leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Telling {
    Everybody,
    Nobody,
}
