//! What a member holds: first the seat that is kept for it, then its place in the room.

pub(crate) mod options;
mod pending_append;
pub(crate) mod reservation;

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::Instant;

use chat_history::{NewMessage, Page};
use chat_protocol::{ErrorCode, LeftReason, Member, MemberList, MessageId, Reference};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::delivery::audience::PresenceStyle;
use crate::delivery::window::SendWindow;
use crate::error::{JoinError, ReadError, SendError};
use crate::member::options::{MembersQuery, Outgoing, Stored, Subscribe};
use crate::member::pending_append::PendingAppend;
use crate::member::reservation::{PresenceRow, ReservedName};
use crate::registry::Registry;
use crate::room::catch_up::CatchUp;
use crate::room::core::LeaveNotice;
use crate::room::publish::{Acceptance, RequestKey};
use crate::room::replies::{JoinKind, NotJoined, ReplyContext};
use crate::room::{LeaveVisibility, Position, Room};

/// What a message on its way counts beside its text.
const PER_MESSAGE: usize = 256;

/// A name that is kept in a room until its reader is there. Nobody in the room knows of it yet, and the name is taken.
/// Dropped, it gives the name back and takes the row out of the store, and nobody ever knew.
#[must_use = "dropping a seat gives the name back"]
pub struct Admission {
    /// Before the name, so that it goes first: whoever has the name next finds it on its way out.
    row: PresenceRow,
    name: ReservedName,
    window: SendWindow,
}

impl Admission {
    pub(crate) fn new(name: ReservedName, row: PresenceRow) -> Self {
        Self { row, name, window: SendWindow::default() }
    }

    /// What the member says counts towards this window. Without this it has one of its own.
    pub fn with_window(mut self, window: &SendWindow) -> Self {
        self.window = window.clone();
        self
    }

    /// Joins the room. The room sees the member from now on, and everything that follows goes to the sink of `subscribe`. Also returns the
    /// position of the member's first event: see [`Membership::delivered`].
    ///
    /// With [`Subscribe::with_lists`] nothing has to be read, and it resolves at once.
    ///
    /// Cancel-safe: dropped before it resolves, the name is free again.
    ///
    /// # Errors
    /// [`JoinError::History`] if missed messages cannot be read; the name is free again.
    pub async fn join(self, subscribe: Subscribe) -> Result<(Membership, Position), JoinError> {
        let (shared, room, member) = (self.name.shared(), self.name.room(), self.row.member());
        if subscribe.presence == PresenceStyle::Lists {
            let member = self.take();
            let sent = member.room.enter(&member.member, subscribe.sink);
            member.note_usage();
            return Ok((member, sent));
        }
        match join(shared, room, member, JoinKind::First, subscribe).await {
            Ok(sent) => {
                let member = self.take();
                member.note_usage();
                Ok((member, sent))
            }
            Err(ReadError::History(error)) => Err(error.into()),
            Err(ReadError::NotAMember) => unreachable!("a new member can't have been removed"),
        }
    }

    fn take(self) -> Membership {
        let (shared, room) = self.name.keep();
        Membership::new(shared, room, self.row.keep(), self.window)
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Admission").field(self.row.member()).finish()
    }
}

/// A member's place in a room. Dropped, the member leaves behind what it said: the others are told, the name is free at once, and
/// the row goes.
#[must_use = "dropping a membership leaves the room"]
pub struct Membership {
    shared: Arc<Registry>,
    room: Arc<Room>,
    member: Arc<Member>,
    window: SendWindow,
    /// What the member is told of its leaving.
    farewell: LeaveNotice,
    /// When it told the others last that it is typing.
    typed: Mutex<Option<Instant>>,
}

impl Membership {
    fn new(shared: Arc<Registry>, room: Arc<Room>, member: Arc<Member>, window: SendWindow) -> Self {
        shared.context.meters.joined();
        Self { shared, room, member, window, farewell: LeaveNotice::Silent, typed: Mutex::new(None) }
    }

    /// It has just come in.
    fn note_usage(&self) {
        if let Some(usage) = &self.shared.usage {
            usage.joined(&self.room.name, self.room.count());
        }
    }

    /// Who this is.
    pub fn member(&self) -> &Arc<Member> {
        &self.member
    }

    /// Whether the operator has put the member out: [`Engine::kick`](crate::Engine::kick), [`Engine::close_room`](crate::Engine::close_room).
    /// It was told why, where it joined by [`Admission::join`], and its outlet was probed.
    pub fn was_removed(&self) -> bool {
        self.room.has_removed(self.member.id)
    }

    /// The room's members as they stand.
    pub fn members(&self) -> Arc<MemberList> {
        self.room.list()
    }

    /// Whether the member is still in: it is put out when its outlet takes nothing more.
    pub fn is_in(&self) -> bool {
        self.room.seats(self.member.id)
    }

    /// Sends a message to everyone in the room, and resolves when it is stored: with where, or with why not. The member's own sink gets the
    /// message too, and an [`Ack`](chat_protocol::Event::Ack) before it.
    ///
    /// Waits as [`submit`](Self::submit) does. Not cancel-safe: dropped before it resolves, the message may still be sent. Send it again
    /// with the same id to be sure.
    ///
    /// # Errors
    /// [`SendError`]; with [`SendError::Store`] it is unknown whether the message is stored.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_protocol::{RoomName, Username};
    /// # use chat_rooms::{Engine, Sink, Subscribe};
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let (outlet, _events) = Sink::channel(100);
    /// # let (lobby, ana) = (RoomName::parse("lobby")?, Username::parse("ana")?);
    /// let member = engine.join(&lobby, &ana, Subscribe::new(outlet)).await?;
    /// let stored = member.send("hello").await?;
    /// assert_eq!(stored.seq, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub async fn send(&self, message: impl Into<Outgoing>) -> Result<Stored, SendError> {
        let (answer, outcome) = oneshot::channel();
        self.submit_and(message.into(), Some(answer)).await?;
        // the store answers every message, if only by dropping it
        outcome.await.unwrap_or(Err(SendError::NotAMember))
    }

    /// Sends a message to everyone in the room, and resolves when it is accepted: it is sent once it is stored, whatever becomes of the
    /// member meanwhile. What became of it is told by an event, in its place among the events of the room:
    /// [`Ack`](chat_protocol::Event::Ack), before the message itself, or [`Refused`](chat_protocol::Event::Refused).
    ///
    /// Waits while the member's [`SendWindow`] is full, while the room has more to deliver than [`EngineLimits`](crate::EngineLimits)
    /// allows, and while the engine has more in flight to the store than they allow. Cancel-safe: dropped before it resolves, nothing is
    /// sent.
    ///
    /// # Errors
    /// [`SendError::NotAMember`] once the member has left.
    pub async fn submit(&self, message: impl Into<Outgoing>) -> Result<(), SendError> {
        self.submit_and(message.into(), None).await
    }

    async fn submit_and(
        &self,
        message: Outgoing,
        answer: Option<oneshot::Sender<Result<Stored, SendError>>>,
    ) -> Result<(), SendError> {
        let Outgoing { body, id, reference } = message;
        let bytes = u32::try_from(body.len() + PER_MESSAGE)
            .unwrap_or(u32::MAX)
            .min(self.shared.context.limits.in_flight_bytes);
        let (speaker, budget) = loop {
            self.window.open().await;
            let budget = Arc::clone(&self.shared.budget).acquire_many_owned(bytes).await;
            // it is never closed
            let budget = budget.map_err(|_| SendError::NotAMember)?;
            // made before the room is asked, so that no progress is missed in between
            let progress = self.room.progress();
            match self.room.accept(&self.member, body.len()) {
                Acceptance::InFlight(speaker) => break (speaker, budget),
                Acceptance::NotAMember => return Err(SendError::NotAMember),
                Acceptance::Congested => {
                    drop(budget);
                    progress.await;
                }
            }
        };
        let receipt = self.window.take(speaker.charge, budget);
        let once = id.is_some();
        let id = id.unwrap_or_else(|| MessageId::from_random(rand::random()));
        let (room, from) = (self.room.name.clone(), self.member.username.clone());
        let message = NewMessage { room, from, body, id: id.clone(), once };
        let called = RequestKey { id, reference };
        let ticket = PendingAppend::new(
            Arc::clone(&self.shared),
            Arc::clone(&self.room),
            speaker,
            receipt,
            called,
            answer,
        );
        self.shared.history.append(message, Box::new(move |outcome| ticket.settle(outcome)));
        Ok(())
    }

    /// Tells this member alone why something it sent was not accepted, in its place among the room's events.
    ///
    /// # Errors
    /// [`SendError::NotAMember`] once the member is out.
    pub fn refuse(
        &self,
        code: ErrorCode,
        reason: impl Into<Arc<str>>,
        reference: Option<Reference>,
    ) -> Result<Position, SendError> {
        self.room.refuse(self.member.id, code, reason.into(), reference).ok_or(SendError::NotAMember)
    }

    /// Tells this member a page of what was said, in its place among the room's events: nothing of it comes again with them.
    /// Cancel-safe. For those who joined by [`Admission::join`].
    ///
    /// # Errors
    /// [`ReadError`]; the member is told nothing then.
    pub async fn history(
        &self,
        page: Page,
        max_bytes: usize,
        reference: Option<Reference>,
    ) -> Result<Position, ReadError> {
        // what it said before is in the page, as commands take effect in their order
        self.until(|room| !room.has_in_flight(self.member.id)).await;
        let asked = ReplyContext { epoch: self.shared.history.epoch(), reference, members: 0 };
        let told = match self.room.reply_history(self.member.id, page, max_bytes, None, &asked) {
            Ok(told) => told,
            Err(page) => {
                let read = self.room.read(&*self.shared.history, page).await?;
                // with what was read it asks for nothing more
                self.room
                    .reply_history(self.member.id, page, max_bytes, Some(read), &asked)
                    .unwrap_or_default()
            }
        };
        told.ok_or(ReadError::NotAMember)
    }

    /// Tells this member a page of who is there, as the last `presence` left it, in its place among the room's events. For those who
    /// joined by [`Admission::join`].
    ///
    /// # Errors
    /// [`ReadError::NotAMember`] once the member is out.
    pub fn members_page(
        &self,
        query: &MembersQuery,
        reference: Option<Reference>,
    ) -> Result<Position, ReadError> {
        self.room.reply_members(self.member.id, query.into(), reference).ok_or(ReadError::NotAMember)
    }

    /// Tells the others that this member is typing; at most once in 3 s. What comes sooner is not told, nor what comes while the room
    /// has more to offer than it may gather.
    pub fn typing(&self) {
        let now = Instant::now();
        let mut typed = self.typed.lock();
        if typed.is_none_or(|last| now.duration_since(last) >= self.shared.context.limits.typing_interval) {
            *typed = Some(now);
            drop(typed);
            self.room.typing(self.member.id);
        }
    }

    /// Takes this member's outlet away. The member stays in the room and nobody notices; it is told nothing until it
    /// [rejoins](Self::reattach).
    pub fn detach(&self) {
        self.room.detach(self.member.id);
    }

    /// Gives this member another outlet, as [`Admission::join`] does; the room sees nobody leave or enter. What it says from now on
    /// counts towards `window`. Cancel-safe: dropped before it resolves, the member stays parked.
    ///
    /// # Errors
    /// [`ReadError::History`] when the store does not answer; [`ReadError::NotAMember`] when the member is out.
    pub async fn reattach(
        &mut self,
        subscribe: Subscribe,
        window: &SendWindow,
    ) -> Result<Position, ReadError> {
        self.detach();
        if !self.is_in() {
            return Err(ReadError::NotAMember);
        }
        self.window = window.clone();
        join(&self.shared, &self.room, &self.member, JoinKind::Again, subscribe).await
    }

    /// Resolves once this member's own outlet has been offered what was sent. Cancel-safe.
    pub async fn delivered(&self, sent: Position) {
        self.until(|room| room.has_delivered(sent, self.member.id)).await;
    }

    /// Resolves once everything that was said and told in the room has been offered to everyone in it. Cancel-safe.
    pub async fn idle(&self) {
        self.until(Room::is_idle).await;
    }

    /// Resolves once this holds of the room; looked at after each progress.
    async fn until(&self, holds: impl Fn(&Room) -> bool) {
        loop {
            // made before the room is asked, so that no progress is missed in between
            let progress = self.room.progress();
            if holds(&self.room) {
                return;
            }
            progress.await;
        }
    }

    /// Leaves now. The same as dropping it.
    pub fn leave(self) {}

    /// Leaves, and has the member told so behind everything before it.
    pub fn leave_telling(mut self, reason: LeftReason, reference: Option<Reference>) {
        self.farewell = LeaveNotice::Told { reason, reference };
    }
}

/// Lets a member in, or in again, once all that it missed is at hand.
async fn join(
    shared: &Registry,
    room: &Room,
    member: &Arc<Member>,
    coming: JoinKind,
    subscribe: Subscribe,
) -> Result<Position, ReadError> {
    let Subscribe { sink, since, history, limits, members, reference, .. } = subscribe;
    let asked = ReplyContext { epoch: shared.history.epoch(), reference, members };
    let since = since.filter(|since| since.epoch == asked.epoch).map(|since| since.seq);
    let mut catch_up = CatchUp::new(since, history, limits);
    loop {
        match room.join(member, coming, &sink, &mut catch_up, &asked) {
            Ok(sent) => return Ok(sent),
            Err(NotJoined::Read(page)) => {
                catch_up.add(room.read(&*shared.history, page).await?);
            }
            Err(NotJoined::Out) => return Err(ReadError::NotAMember),
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let telling = if self.shared.suppresses_leave_events() {
            LeaveVisibility::Nobody
        } else {
            LeaveVisibility::Everybody
        };
        let farewell = mem::replace(&mut self.farewell, LeaveNotice::Silent);
        self.room.leave(self.member.id, farewell, telling);
        self.shared.presence_cleanup.add(self.member.id);
        self.shared.context.meters.left();
        self.shared.forget_if_empty(&self.room);
    }
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Membership").field(&self.member).finish()
    }
}
