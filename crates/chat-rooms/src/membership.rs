//! What a member holds: first the seat that is kept for it, then its place in the room.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_history::{HistoryError, NewMessage, Page};
use chat_protocol::v2::{ErrorCode, Left, LeftReason};
use chat_protocol::{Member, MemberList, MessageId, Reference};
use parking_lot::Mutex;

use crate::Outlet;
use crate::answers::{Asked, Coming, NotJoined};
use crate::catch_up::CatchUp;
use crate::core::Farewell;
use crate::request::{JoinOptions, MembersQuery, Outgoing, ReadError, SendError};
use crate::reservation::{ReservedName, Row};
use crate::room::{Room, Sent, Telling};
use crate::shared::{BUDGET, Shared};
use crate::speech::{Accepted, Called, Ticket};
use crate::window::SendWindow;

/// What a message on its way counts beside its text.
const PER_MESSAGE: usize = 256;

/// A member tells the others at most so often that it is typing.
const TYPING_PAUSE: Duration = Duration::from_secs(3);

/// A name that is kept in a room until its reader is there. Nobody in the room knows of it yet, and the name is taken.
/// Dropped, it gives the name back and takes the row out of the store, and nobody ever knew.
#[must_use = "dropping a seat gives the name back"]
pub struct Seat {
    /// Before the name, so that it goes first: whoever has the name next finds it on its way out.
    row: Row,
    name: ReservedName,
    window: SendWindow,
}

impl Seat {
    pub(crate) fn new(name: ReservedName, row: Row) -> Self {
        Self { row, name, window: SendWindow::default() }
    }

    /// What the member says counts towards this window. Without this it has one of its own.
    pub fn with_window(mut self, window: &SendWindow) -> Self {
        self.window = window.clone();
        self
    }

    /// Takes the seat, to be told at once who is there: by [`Entered`](chat_protocol::Event::Entered) and
    /// [`Left`](chat_protocol::Event::Left) with the list of all. The room is told, and everything from this on goes to `outlet`,
    /// one's own entering first.
    pub fn enter(self, outlet: Outlet) -> Membership {
        let member = self.take();
        member.room.enter(&member.member, outlet);
        member.note_usage();
        member
    }

    /// Takes the seat, to be told what changes: the first event is `joined`, with who is there and what was missed, and the live
    /// stream begins right behind it, without a hole or a repeat. Also gives the place of that first event.
    ///
    /// Cancel-safe: dropped before it resolves, the seat is given back.
    ///
    /// # Errors
    /// [`HistoryError`] when what was missed can't be read; the seat is given back.
    pub async fn join(
        self,
        outlet: Outlet,
        options: JoinOptions,
    ) -> Result<(Membership, Sent), HistoryError> {
        let (shared, room, member) = (self.name.shared(), self.name.room(), self.row.member());
        match join(shared, room, member, Coming::First, outlet, options).await {
            Ok(sent) => {
                let member = self.take();
                member.note_usage();
                Ok((member, sent))
            }
            Err(ReadError::History(error)) => Err(error),
            Err(ReadError::NotAMember) => unreachable!("a new member can't have been removed"),
        }
    }

    fn take(self) -> Membership {
        let (shared, room) = self.name.keep();
        Membership::new(shared, room, self.row.keep(), self.window)
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Seat").field(self.row.member()).finish()
    }
}

/// A member's place in a room. Dropped, the member leaves behind what it said: the others are told, the name is free at once, and
/// the row goes.
#[must_use = "dropping a membership leaves the room"]
pub struct Membership {
    shared: Arc<Shared>,
    room: Arc<Room>,
    member: Arc<Member>,
    window: SendWindow,
    /// What the member is told of its leaving.
    farewell: Farewell,
    /// When it told the others last that it is typing.
    typed: Mutex<Option<Instant>>,
}

impl Membership {
    fn new(shared: Arc<Shared>, room: Arc<Room>, member: Arc<Member>, window: SendWindow) -> Self {
        shared.context.meters.joined();
        Self { shared, room, member, window, farewell: Farewell::Silent, typed: Mutex::new(None) }
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
    /// It was told why, where it joined by [`Seat::join`], and its outlet was challenged.
    pub fn is_ousted(&self) -> bool {
        self.room.has_ousted(self.member.id)
    }

    /// The room's members as they stand.
    pub fn members(&self) -> Arc<MemberList> {
        self.room.list()
    }

    /// Whether the member is still in: it is put out when its outlet takes nothing more.
    pub fn is_in(&self) -> bool {
        self.room.seats(self.member.id)
    }

    /// Says something to everybody in the room, oneself included. Resolves when it is on its way: it is told to everyone once it is
    /// stored, whatever becomes of the member meanwhile, and who joined by [`Seat::join`] gets an `ack` before it. When it can't be
    /// stored, its sender is told by [`Refused`](chat_protocol::Event::Refused).
    ///
    /// Waits while the member's [`SendWindow`] is full, while the room has more to offer to its members than it may gather (1 MiB),
    /// and while the engine has more on its way to the store than it may have (64 MiB). Cancel-safe: dropped before it resolves,
    /// nothing was said.
    ///
    /// # Errors
    /// [`SendError::NotAMember`] once the member is out.
    pub async fn send(&self, message: impl Into<Outgoing>) -> Result<(), SendError> {
        let Outgoing { body, id, reference } = message.into();
        let bytes = u32::try_from(body.len() + PER_MESSAGE).unwrap_or(u32::MAX).min(BUDGET);
        let (speaker, budget) = loop {
            self.window.open().await;
            let budget = Arc::clone(&self.shared.budget).acquire_many_owned(bytes).await;
            // it is never closed
            let budget = budget.map_err(|_| SendError::NotAMember)?;
            // made before the room is asked, so that no relief is missed in between
            let relief = self.room.relief();
            match self.room.accept(&self.member, body.len()) {
                Accepted::OnTheWay(speaker) => break (speaker, budget),
                Accepted::NotAMember => return Err(SendError::NotAMember),
                Accepted::Congested => {
                    drop(budget);
                    relief.await;
                }
            }
        };
        let receipt = self.window.take(speaker.charge, budget);
        let once = id.is_some();
        let id = id.unwrap_or_else(|| MessageId::from_random(rand::random()));
        let (room, from) = (self.room.name.clone(), self.member.username.clone());
        let message = NewMessage::new(room, from, body, id.clone()).idempotent(once);
        let called = Called { id, reference };
        let ticket = Ticket::new(Arc::clone(&self.shared), Arc::clone(&self.room), speaker, receipt, called);
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
    ) -> Result<Sent, SendError> {
        self.room.refuse(self.member.id, code, reason.into(), reference).ok_or(SendError::NotAMember)
    }

    /// Tells this member a page of what was said, in its place among the room's events: nothing of it comes again with them.
    /// Cancel-safe. For those who joined by [`Seat::join`].
    ///
    /// # Errors
    /// [`ReadError`]; the member is told nothing then.
    pub async fn history(&self, page: Page, reference: Option<Reference>) -> Result<Sent, ReadError> {
        // what it said before is in the page, as commands take effect in their order
        self.until(|room| !room.is_speaking(self.member.id)).await;
        let asked = Asked { epoch: self.shared.history.epoch(), reference };
        let told = match self.room.tell_history(self.member.id, page, None, &asked) {
            Ok(told) => told,
            Err(page) => {
                let read = self.room.read(&*self.shared.history, page).await?;
                // with what was read it asks for nothing more
                self.room.tell_history(self.member.id, page, Some(read), &asked).unwrap_or_default()
            }
        };
        told.ok_or(ReadError::NotAMember)
    }

    /// Tells this member a page of who is there, as the last `presence` left it, in its place among the room's events. For those who
    /// joined by [`Seat::join`].
    ///
    /// # Errors
    /// [`ReadError::NotAMember`] once the member is out.
    pub fn members_page(
        &self,
        query: &MembersQuery,
        reference: Option<Reference>,
    ) -> Result<Sent, ReadError> {
        self.room.tell_members(self.member.id, query, reference).ok_or(ReadError::NotAMember)
    }

    /// Tells the others that this member is typing; at most once in 3 s. What comes sooner is not told, nor what comes while the room
    /// has more to offer than it may gather.
    pub fn typing(&self) {
        let now = Instant::now();
        let mut typed = self.typed.lock();
        if typed.is_none_or(|last| now.duration_since(last) >= TYPING_PAUSE) {
            *typed = Some(now);
            drop(typed);
            self.room.typing(self.member.id);
        }
    }

    /// Takes this member's outlet away. The member stays in the room and nobody notices; it is told nothing until it
    /// [rejoins](Self::rejoin).
    pub fn park(&self) {
        self.room.park(self.member.id);
    }

    /// Gives this member another outlet, as [`Seat::join`] does; the room sees nobody leave or enter. What it says from now on
    /// counts towards `window`. Cancel-safe: dropped before it resolves, the member stays parked.
    ///
    /// # Errors
    /// [`ReadError::History`] when the store does not answer; [`ReadError::NotAMember`] when the member is out.
    pub async fn rejoin(
        &mut self,
        outlet: Outlet,
        options: JoinOptions,
        window: &SendWindow,
    ) -> Result<Sent, ReadError> {
        self.park();
        if !self.is_in() {
            return Err(ReadError::NotAMember);
        }
        self.window = window.clone();
        join(&self.shared, &self.room, &self.member, Coming::Again, outlet, options).await
    }

    /// Resolves once this member's own outlet has been offered what was sent. Cancel-safe.
    pub async fn offered(&self, sent: Sent) {
        self.until(|room| room.has_offered(sent, self.member.id)).await;
    }

    /// Resolves once everything that was said and told in the room has been offered to everyone in it. Cancel-safe.
    pub async fn settled(&self) {
        self.until(Room::is_settled).await;
    }

    /// Resolves once this holds of the room; looked at after each relief.
    async fn until(&self, holds: impl Fn(&Room) -> bool) {
        loop {
            // made before the room is asked, so that no relief is missed in between
            let relief = self.room.relief();
            if holds(&self.room) {
                return;
            }
            relief.await;
        }
    }

    /// Leaves now. The same as dropping it.
    pub fn leave(self) {}

    /// Leaves, and has the member told so behind everything before it.
    pub fn leave_telling(mut self, reason: LeftReason, reference: Option<Reference>) {
        self.farewell = Farewell::Told(Left { reference, room: self.room.name.clone(), reason });
    }
}

/// Lets a member in, or in again, once all that it missed is at hand.
async fn join(
    shared: &Shared,
    room: &Room,
    member: &Arc<Member>,
    coming: Coming,
    outlet: Outlet,
    options: JoinOptions,
) -> Result<Sent, ReadError> {
    let asked = Asked { epoch: shared.history.epoch(), reference: options.reference };
    let since = options.since.filter(|since| since.epoch == asked.epoch).map(|since| since.seq);
    let mut catch_up = CatchUp::new(since, options.history);
    loop {
        match room.join(member, coming, &outlet, &mut catch_up, &asked) {
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
        let telling = if self.shared.is_quiet() { Telling::Nobody } else { Telling::Everybody };
        let farewell = mem::replace(&mut self.farewell, Farewell::Silent);
        self.room.leave(self.member.id, farewell, telling);
        self.shared.departures.add(self.member.id);
        self.shared.context.meters.left();
        self.shared.forget_if_empty(&self.room);
    }
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Membership").field(&self.member).finish()
    }
}
