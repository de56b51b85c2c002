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
    COALESCE_ABOVE, COALESCE_WINDOW, ErrorCode, LeftReason, Member, MemberId, MemberList, NoticeLevel,
    Reference, RoomName, Username,
};
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::delivery::audience::Audience;
use crate::delivery::audience::PresenceStyle;
use crate::delivery::batch::Batch;
use crate::delivery::encoding::Encodings;
use crate::delivery::sink::Sink;
use crate::delivery::subscriber::Subscriber;
use crate::limits::EngineLimits;
use crate::metrics::Meters;
use crate::room::core::{Core, LeaveNotice};
use crate::room::retention::{RetentionCutoff, RetentionRules};
use crate::room::state::{Effect, Holder, RoomState};
use crate::room::tail::{Tail, Tails};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{self, Handle, Notify};

/// What a timer and the way to the sockets may take of the time that comings and goings are gathered for at most.
const TIMER_SLACK: Duration = Duration::from_millis(10);

/// What the rooms of an engine share.
#[derive(Debug)]
pub(crate) struct RoomContext {
    /// Where pumps run. RetentionCutoff, because a member may leave on a thread that is not the runtime's.
    pub(crate) runtime: Handle,
    pub(crate) encodings: Encodings,
    /// What the tails of all rooms keep.
    pub(crate) tails: Arc<Tails>,
    /// How long messages are kept.
    pub(crate) retained: Arc<RetentionRules>,
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
    Taken(Option<Arc<Subscriber>>),
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
    progress: Notify,
}

/// Something that was told in a room: where it stands in the room's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub(crate) position: u64,
}

impl Room {
    pub(crate) fn new(name: RoomName, context: Arc<RoomContext>) -> Arc<Self> {
        let core = Core::new(
            RoomState::new(name.clone(), COALESCE_ABOVE, context.limits.presence_names),
            context.encodings.len(),
            context.limits,
        );
        Arc::new_cyclic(|this| Self {
            name,
            context,
            this: this.clone(),
            core: Mutex::new(core),
            known: OnceCell::new(),
            progress: Notify::new(),
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
    pub(crate) fn progress(&self) -> tokio::sync::futures::Notified<'_> {
        self.progress.notified()
    }

    /// Wakes those who wait for something to be offered, or to come to nothing.
    pub(crate) fn notify_progress(&self) {
        self.progress.notify_waiters();
    }

    /// Whether everything that was accepted or told has been offered to everyone.
    pub(crate) fn is_idle(&self) -> bool {
        let core = self.core.lock();
        core.pending == 0 && core.in_flight.is_empty()
    }

    /// Whether something that a member said is on its way to the store.
    pub(crate) fn has_in_flight(&self, id: MemberId) -> bool {
        self.core.lock().in_flight.contains_key(&id)
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
            Holder::Member(id) => NotKept::Taken(core.subscribers.get(&id).cloned()),
        })
    }

    pub(crate) fn release(&self, username: &Username) {
        self.core.lock().state.release(username);
    }

    /// Lets in somebody whose name was kept and who is told at once who is there; everything from its own entering on goes to
    /// `outlet`.
    pub(crate) fn enter(&self, member: &Arc<Member>, outlet: Sink) -> Position {
        self.change(|core, effects| {
            core.finish_leaving_before(member, effects);
            core.state.enter(member, PresenceStyle::Lists, effects);
            core.seat(
                member.id,
                PresenceStyle::Lists,
                outlet,
                effects,
                &self.context.encodings,
                self.context.max_pumps,
            );
            let told = effects.iter().filter(|effect| matches!(effect, Effect::Send(..))).count() as u64;
            Position { position: (core.position + told).saturating_sub(1) }
        })
    }

    /// Lets somebody go, behind its messages that are on their way. False when that stay had ended before.
    pub(crate) fn leave(&self, id: MemberId, farewell: LeaveNotice, telling: LeaveVisibility) -> bool {
        self.change(|core, effects| {
            if telling == LeaveVisibility::Nobody {
                let left = core.finish_leaving(id, LeaveNotice::Silent, effects);
                effects.clear();
                return left;
            }
            // it was told why it has to go, behind its messages, and has gone by that
            if core.removed.remove(&id) {
                return false;
            }
            core.leave(id, farewell, effects)
        })
    }

    /// Puts somebody out, behind its messages that are on their way, and tells it why. False where nobody has that name.
    pub(crate) fn remove_member(&self, username: &Username, reason: LeftReason) -> bool {
        let removed = self.change(|core, effects| {
            let id = core.state.holder(username)?;
            Some(self.remove_one(core, effects, id, reason))
        });
        // it learns of it at once, whatever waits for it
        removed.is_some_and(|subscriber| {
            subscriber.inspect(|subscriber| subscriber.outlet.probe());
            true
        })
    }

    /// Puts everybody out; how many.
    pub(crate) fn remove_everyone(&self, reason: LeftReason) -> usize {
        let removed = self.change(|core, effects| {
            let ids = core.state.ids();
            ids.into_iter().map(|id| self.remove_one(core, effects, id, reason)).collect::<Vec<_>>()
        });
        removed.iter().flatten().for_each(|subscriber| subscriber.outlet.probe());
        removed.len()
    }

    fn remove_one(
        &self,
        core: &mut Core,
        effects: &mut Vec<Effect>,
        id: MemberId,
        reason: LeftReason,
    ) -> Option<Arc<Subscriber>> {
        let subscriber = core.subscribers.get(&id).cloned();
        if core.is_active(id) && core.removed.insert(id) {
            // who is told lists knows no reasons
            let is_told =
                subscriber.as_ref().is_some_and(|subscriber| subscriber.style == PresenceStyle::Changes);
            let farewell =
                if is_told { LeaveNotice::Told { reason, reference: None } } else { LeaveNotice::Silent };
            core.leave(id, farewell, effects);
        }
        subscriber
    }

    /// Whether the operator has put this member out.
    pub(crate) fn has_removed(&self, id: MemberId) -> bool {
        self.core.lock().removed.contains(&id)
    }

    /// Takes a member's outlet away; the member is_active, and gets another one by coming again.
    pub(crate) fn detach(&self, id: MemberId) {
        self.core.lock().unsubscribe(id);
    }

    /// Tells a member why something was not accepted. None when it is not in.
    pub(crate) fn refuse(
        &self,
        to: MemberId,
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

    /// Whether a member has been offered what was sent, or has no outlet any more.
    pub(crate) fn has_delivered(&self, sent: Position, to: MemberId) -> bool {
        let core = self.core.lock();
        core.subscribers
            .get(&to)
            .is_none_or(|subscriber| core.pumps[subscriber.pump].delivered > sent.position)
    }

    /// What retention keeps now; `None` where it keeps everything.
    pub(crate) fn kept(&self) -> Option<RetentionCutoff> {
        self.context.retained.now()
    }

    /// Takes what is not kept out of the tail. Gives the number of the newest message, kept or not.
    pub(crate) fn retain(&self, kept: Option<RetentionCutoff>) -> u64 {
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
        kept: RetentionCutoff,
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
    pub(crate) fn redact(&self, seq: u64) {
        self.core.lock().tail.erase(seq);
    }

    /// Tells everybody in this room what the operator says.
    pub(crate) fn notice(&self, level: NoticeLevel, body: Arc<str>) {
        self.change(|core, effects| {
            let notice = core.state.notice(Some(self.name.clone()), level, body);
            effects.push(Effect::Send(notice, Audience::All));
        });
    }

    /// Tells those who are told lists what the operator says to everyone. Gives the outlets of all others: they may be in other rooms, too.
    pub(crate) fn notice_all(&self, level: NoticeLevel, body: Arc<str>) -> Vec<Sink> {
        self.change(|core, effects| {
            if core.state.has_list_members() {
                let notice = core.state.notice(None, level, body);
                effects.push(Effect::Send(notice, Audience::Lists));
            }
            let others =
                core.subscribers.values().filter(|subscriber| subscriber.style == PresenceStyle::Changes);
            others.map(|subscriber| subscriber.outlet.clone()).collect()
        })
    }

    /// Tells the others who want to know that somebody is typing.
    pub(crate) fn typing(&self, id: MemberId) {
        self.change(|core, effects| {
            // it is worth nothing later, and nobody waits for it
            if core.pending < self.context.limits.queued_bytes
                && let Some(event) = core.state.typing(id)
            {
                effects.push(Effect::Send(event, Audience::ChangesExcept(id)));
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
                Effect::Send(event, audience) => {
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
            self.later(RoomState::flush_presence);
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
            sync::sleep(COALESCE_WINDOW - TIMER_SLACK).await;
            if let Some(room) = room.upgrade() {
                room.change(|core, effects| tell(&mut core.state, effects));
            }
        });
    }

    /// The members of a pump that begins to run.
    pub(crate) fn start_pump(&self, pump: usize) -> Vec<Arc<Subscriber>> {
        std::mem::take(&mut self.core.lock().pumps[pump].members)
    }

    /// What a pump offers next; none when there is nothing, and the pump has stopped.
    pub(crate) fn next_batches(
        &self,
        pump: usize,
        members: &mut Vec<Arc<Subscriber>>,
    ) -> Option<Vec<Arc<Batch>>> {
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
    pub(crate) fn delivered(&self, pump: usize, batches: &[Arc<Batch>], ended: &[Arc<Subscriber>]) {
        let mut charge = 0;
        for batch in batches {
            if batch.pumps_to_go.fetch_sub(1, Ordering::AcqRel) == 1 {
                charge += batch.charge;
                self.context.meters.fan_out.record(batch.since.elapsed());
            }
        }
        let mut core = self.core.lock();
        core.pending -= charge;
        ended.iter().for_each(|subscriber| core.let_go(subscriber));
        if let Some(last) = batches.last() {
            core.pumps[pump].delivered = last.end();
        }
        drop(core);
        self.notify_progress();
    }

    pub(crate) fn meters(&self) -> &Meters {
        &self.context.meters
    }

    /// Lets those go whose outlets take nothing more.
    pub(crate) fn put_out(&self, subscribers: &[Arc<Subscriber>]) {
        for subscriber in subscribers {
            self.change(|core, effects| {
                core.let_go(subscriber);
                // it may have left meanwhile, or come again by another connection
                if core
                    .subscribers
                    .get(&subscriber.id)
                    .is_some_and(|current| Arc::ptr_eq(current, subscriber))
                {
                    core.leave(subscriber.id, LeaveNotice::Silent, effects);
                }
            });
        }
    }
}

/// Who is told of a leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeaveVisibility {
    Everybody,
    Nobody,
}
