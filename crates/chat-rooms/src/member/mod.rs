//! A member of a room: the admission that reserves its name, and its membership.

pub(crate) mod admission;
mod command;
pub(crate) mod options;
pub(crate) mod pending_append;
pub(crate) mod record;
pub(crate) mod reservation;
mod rules;

use std::fmt;
use std::mem;
use std::sync::Arc;

use chat_access::Denied;
use chat_history::{Appended, Durability, HistoryError, HistoryErrorKind, Messages};
use chat_protocol::{ErrorCode, LeftReason, Member, MemberList, Reference, UserId, fold};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::delivery::audience::SubscriptionId;
use crate::delivery::window::SendWindow;
use crate::error::{ReadError, SendError};
use crate::member::command::{Command, NewText};
use crate::member::options::{Delete, Edit, HistoryQuery, MembersQuery, Outgoing, React, Resync, Stored};
use crate::member::pending_append::{PendingAppend, Reply};
use crate::registry::Registry;
use crate::room::catch_up::{CatchUp, Found, Read};
use crate::room::core::LeaveNotice;
use crate::room::own_reactions::OwnReads;
use crate::room::publish::{Acceptance, Sender};
use crate::room::removal::LeaveVisibility;
use crate::room::replies::{PageRequest, ReplyContext, updated};
use crate::room::settle::Settling;
use crate::room::state::policy::Sent;
use crate::room::{Position, Room};

/// How often one page is read, if the room changes meanwhile.
const MAX_READS: usize = 32;

/// What a message in flight counts in addition to its text, in bytes.
const PER_MESSAGE: usize = 256;

/// A session of a member of a room.
///
/// Dropping it ends the session, after the messages that it has sent. With the last session of a
/// user, the user leaves the room: the other members are notified, the name is free at once, and
/// the presence record is removed.
#[must_use = "dropping a membership leaves the room"]
pub struct Membership {
    shared: Arc<Registry>,
    room: Arc<Room>,
    member: Arc<Member>,
    session: SubscriptionId,
    window: SendWindow,
    /// What the session receives when it leaves.
    leave_notice: LeaveNotice,
}

impl Membership {
    fn new(
        shared: Arc<Registry>,
        room: Arc<Room>,
        member: Arc<Member>,
        session: SubscriptionId,
        window: SendWindow,
    ) -> Self {
        Self { shared, room, member, session, window, leave_notice: LeaveNotice::Silent }
    }

    /// Counts the join in the usage of the room.
    fn count_usage(&self) {
        if let Some(usage) = &self.shared.usage {
            usage.joined(&self.room.name, self.room.count());
        }
    }

    /// Returns the record of the member to whom this session belongs.
    pub fn member(&self) -> &Arc<Member> {
        &self.member
    }

    /// Returns whether an operator removed the session and its member, by
    /// [`Engine::kick`](crate::Engine::kick) or [`Engine::close_room`](crate::Engine::close_room).
    ///
    /// Its sink was then probed and, unless it joined [with lists](crate::Subscribe::with_lists),
    /// was sent the reason.
    pub fn was_removed(&self) -> bool {
        self.room.has_removed(self.session)
    }

    /// Returns the current members of the room.
    pub fn members(&self) -> Arc<MemberList> {
        self.room.list()
    }

    /// Returns whether the session is still in the room. It is removed when its sink is closed, and
    /// by an operator.
    pub fn is_member(&self) -> bool {
        self.room.has_session(self.session)
    }

    /// Sends a message to all members of the room, and waits until it is stored.
    ///
    /// The session's own sink receives the message too. Unless the session joined [with
    /// lists](crate::Subscribe::with_lists), it receives an [`Ack`](chat_protocol::Event::Ack)
    /// before it.
    ///
    /// Waits for capacity as [`submit`](Self::submit) does.
    ///
    /// Not cancel-safe: if the future is dropped before it resolves, the message may still be sent.
    /// Send it again with the same id to be sure.
    ///
    /// # Errors
    /// [`SendError`] if the message is not stored. With [`SendError::Store`] it is unknown whether
    /// it is stored.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_protocol::{RoomName, Username};
    /// # use chat_rooms::{Engine, Sink, Subscribe};
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let (sink, _events) = Sink::channel(100);
    /// # let lobby = RoomName::parse("lobby")?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// let member = engine.join(&ana, &lobby, Subscribe::new(sink)).await?;
    /// let stored = member.send("hello").await?;
    /// assert_eq!(stored.seq, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub async fn send(&self, message: impl Into<Outgoing>) -> Result<Stored, SendError> {
        let message = NewText::from(message.into());
        let id = message.id.clone();
        let appended = self.append_and_wait(message).await?;
        // the store keeps its promise to return the message
        let message = appended
            .message()
            .ok_or_else(|| SendError::Store(HistoryError::other("the store has returned another event")))?;
        let durable = self.shared.context.history.durability() == Durability::Disk;
        Ok(Stored { seq: message.seq, id, sent_at: message.sent_at, durable })
    }

    /// Sends a message to all members of the room, and waits only until it is accepted.
    ///
    /// An accepted message is sent once it is stored, even if the session has left by then. The
    /// outcome arrives as an event, in order with the other events of the room:
    /// [`Ack`](chat_protocol::Event::Ack), before the message itself, or
    /// [`Refused`](chat_protocol::Event::Refused). A session that joined [with
    /// lists](crate::Subscribe::with_lists) receives no `Ack`.
    ///
    /// Waits while the session's [`SendWindow`] is full, while the room has more to deliver than
    /// [`EngineLimits`](crate::EngineLimits) allows, and while the engine has more in flight to the
    /// store than they allow.
    ///
    /// Cancel-safe: if the future is dropped before it resolves, nothing is sent.
    ///
    /// # Errors
    /// [`SendError::NotAMember`] if the session has left the room, or is [detached](Self::detach).
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_rooms::{Engine, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let lobby = "lobby".parse()?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// # let (sink, mut events) = Sink::channel(100);
    /// # let member = engine.join(&ana, &lobby, Subscribe::new(sink)).await?;
    /// member.submit("hello").await?;
    /// // Joined, then what became of the message, then the message
    /// events.next().await;
    /// let event = events.next().await.expect("an ack");
    /// assert!(matches!(&*event, chat_protocol::Event::Ack(ack) if ack.seq == Some(1)));
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub async fn submit(&self, message: impl Into<Outgoing>) -> Result<(), SendError> {
        self.append(NewText::from(message.into()), None).await
    }

    /// Has a command of this session carried out, and waits for the outcome.
    async fn append_and_wait(&self, command: impl Command) -> Result<Appended, SendError> {
        let (reply, outcome) = oneshot::channel();
        self.append(command, Some(reply)).await?;
        // the store settles every event, if only by dropping it
        outcome.await.unwrap_or(Err(SendError::NotAMember))
    }

    /// Waits until the room accepts a command, and hands its event to the store.
    async fn append<C: Command>(&self, command: C, reply: Option<Reply>) -> Result<(), SendError> {
        let size = command.size();
        let bytes = u32::try_from(size + PER_MESSAGE)
            .unwrap_or(u32::MAX)
            .min(self.shared.context.limits.in_flight_bytes);
        let (sender, budget) = self.accepted(size, bytes, (C::SENT, command.denied())).await?;
        let guard = self.window.take(sender.charge, budget);
        let (event, key) = command.event(&self.room.name, &self.member, &sender);
        let pending =
            PendingAppend::new(Arc::clone(&self.shared), Arc::clone(&self.room), sender, guard, key, reply);
        let settling = Settling::claim(&self.room);
        self.shared.context.history.append(event, Box::new(move |outcome| pending.settle(outcome)));
        if let Some(rest) = settling.and_then(Settling::settle_piece) {
            pending_append::spawn(&self.shared, rest);
        }
        Ok(())
    }

    /// Waits until the room accepts a message of this size, which counts `bytes` in the budget of
    /// the engine.
    async fn accepted(
        &self,
        body: usize,
        bytes: u32,
        (sent, denied): (Sent, Option<Denied>),
    ) -> Result<(Sender, OwnedSemaphorePermit), SendError> {
        // the turn to wait for the room, once it had no capacity
        let mut turn = None;
        loop {
            if !self.window.is_open() {
                // it depends on this sender alone: the others need not wait
                turn = None;
                self.window.open().await;
            }
            let budget = Arc::clone(&self.shared.budget).acquire_many_owned(bytes).await;
            // the semaphore is never closed
            let budget = budget.map_err(|_| SendError::NotAMember)?;
            // created before the room is checked, so that no capacity is missed in between
            let capacity = self.room.capacity();
            if turn.is_some() || self.room.is_uncontended() {
                match self.room.accept(self.session, body, (sent, denied)) {
                    Acceptance::InFlight(sender) => return Ok((sender, budget)),
                    Acceptance::NotAMember => return Err(SendError::NotAMember),
                    Acceptance::Congested => {}
                }
            }
            drop(budget);
            if turn.is_some() {
                capacity.await;
            } else {
                turn = self.room.turn().await;
            }
        }
    }

    /// Replaces the text of a message of this user, and waits until that is stored. Everyone in the
    /// room receives [`Edited`](chat_protocol::Event::Edited), except sessions that joined [with
    /// lists](crate::Subscribe::with_lists). Returns the number of the event; `None` if the message
    /// has this text already.
    ///
    /// Waits for capacity as [`submit`](Self::submit) does, and replies as it does.
    ///
    /// Not cancel-safe: if the future is dropped before it resolves, the text may still be
    /// replaced. Send the edit again with the same id to be sure.
    ///
    /// # Errors
    /// [`SendError`] if the text is not replaced: [`NotFound`](SendError::NotFound),
    /// [`NotAuthor`](SendError::NotAuthor), [`TooLate`](SendError::TooLate), or one that
    /// [`send`](Self::send) has, too.
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_rooms::{Edit, Engine, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let lobby = "lobby".parse()?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// # let (sink, mut events) = Sink::channel(100);
    /// # let member = engine.join(&ana, &lobby, Subscribe::new(sink)).await?;
    /// let stored = member.send("helo").await?;
    /// assert_eq!(member.edit(Edit::new(stored.seq, "hello")).await?, Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub async fn edit(&self, edit: Edit) -> Result<Option<u64>, SendError> {
        Ok(self.append_and_wait(edit).await?.seq())
    }

    /// As [`edit`](Self::edit), but waits only until the edit is accepted, as
    /// [`submit`](Self::submit) does.
    ///
    /// # Errors
    /// [`SendError::NotAMember`] if the session has left the room, or is [detached](Self::detach).
    pub async fn submit_edit(&self, edit: Edit) -> Result<(), SendError> {
        self.append(edit, None).await
    }

    /// Deletes a message of this user, or as a moderator any message, and waits until that is
    /// stored. Everyone in the room receives [`Deleted`](chat_protocol::Event::Deleted), except
    /// sessions that joined [with lists](crate::Subscribe::with_lists). Returns the number of the
    /// event; `None` if the message was deleted before.
    ///
    /// Waits for capacity as [`submit`](Self::submit) does, and replies as it does.
    ///
    /// Not cancel-safe: if the future is dropped before it resolves, the message may still be
    /// deleted. It is safe to delete it again.
    ///
    /// # Errors
    /// [`SendError`] if the message is not deleted: [`NotFound`](SendError::NotFound),
    /// [`NotAuthor`](SendError::NotAuthor), or one that [`send`](Self::send) has, too.
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_rooms::{Delete, Engine, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let lobby = "lobby".parse()?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// # let (sink, mut events) = Sink::channel(100);
    /// # let member = engine.join(&ana, &lobby, Subscribe::new(sink)).await?;
    /// let stored = member.send("a mistake").await?;
    /// assert_eq!(member.delete(Delete::new(stored.seq)).await?, Some(2));
    /// assert_eq!(member.delete(Delete::new(stored.seq)).await?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub async fn delete(&self, mut delete: Delete) -> Result<Option<u64>, SendError> {
        self.record_deletion(&mut delete).await.map_err(SendError::Store)?;
        Ok(self.append_and_wait(delete).await?.seq())
    }

    /// As [`delete`](Self::delete), but waits only until the command is accepted, as
    /// [`submit`](Self::submit) does, and does not [record](Self::record_deletion) it.
    ///
    /// # Errors
    /// [`SendError::NotAMember`] if the session has left the room, or is [detached](Self::detach).
    pub async fn submit_delete(&self, delete: Delete) -> Result<(), SendError> {
        self.append(delete, None).await
    }

    /// Puts an emoji on a message, or removes it, and waits until that is stored. Everyone in the
    /// room receives [`Reacted`](chat_protocol::Event::Reacted), except sessions that joined [with
    /// lists](crate::Subscribe::with_lists); reactions that follow each other within a tenth of a
    /// second come as one event. Returns the number of the event; `None` if the emoji was, or was
    /// not, there already.
    ///
    /// Waits for capacity as [`submit`](Self::submit) does, and replies as it does.
    ///
    /// Not cancel-safe: if the future is dropped before it resolves, the reaction may still be
    /// stored. It is safe to react again.
    ///
    /// # Errors
    /// [`SendError`] if nothing is stored: [`NotFound`](SendError::NotFound),
    /// [`LimitReached`](SendError::LimitReached), or one that [`send`](Self::send) has, too.
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_rooms::{Engine, React, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let lobby = "lobby".parse()?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// # let (sink, mut events) = Sink::channel(100);
    /// # let member = engine.join(&ana, &lobby, Subscribe::new(sink)).await?;
    /// let stored = member.send("a release!").await?;
    /// assert_eq!(member.react(React::add(stored.seq, ":tada:".parse()?)).await?, Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub async fn react(&self, react: React) -> Result<Option<u64>, SendError> {
        Ok(self.append_and_wait(react).await?.seq())
    }

    /// As [`react`](Self::react), but waits only until the reaction is accepted, as
    /// [`submit`](Self::submit) does.
    ///
    /// # Errors
    /// [`SendError::NotAMember`] if the session has left the room, or is [detached](Self::detach).
    pub async fn submit_react(&self, react: React) -> Result<(), SendError> {
        self.append(react, None).await
    }

    /// Sends this session alone the reason why something that it sent was not accepted, in order
    /// with the events of the room.
    ///
    /// # Errors
    /// [`SendError::NotAMember`] if the session is not in the room any more.
    pub fn refuse(
        &self,
        code: ErrorCode,
        reason: impl Into<Arc<str>>,
        reference: Option<Reference>,
    ) -> Result<Position, SendError> {
        self.room.refuse(self.session, code, reason.into(), reference).ok_or(SendError::NotAMember)
    }

    /// Sends this session a page of messages, in order with the events of the room: no message of
    /// the page arrives later as an event, and no state is older than the events before the page.
    ///
    /// Waits until the messages that the session has in flight are settled. For sessions that
    /// joined without [lists](crate::Subscribe::with_lists).
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// [`ReadError`] if the page cannot be read, or the session is not in the room any more. It
    /// is sent nothing in that case.
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_rooms::{Engine, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let lobby = "lobby".parse()?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// # let (sink, mut events) = Sink::channel(100);
    /// # let member = engine.join(&ana, &lobby, Subscribe::new(sink)).await?;
    /// use chat_history::Page;
    /// use chat_rooms::HistoryQuery;
    ///
    /// member.send("hello").await?;
    /// let newest = Page::Before { seq: u64::MAX, limit: 50 };
    /// let position = member.history(HistoryQuery::new(newest)).await?;
    /// // the page is one of the session's events
    /// member.delivered(position).await;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub async fn history(&self, query: HistoryQuery) -> Result<Position, ReadError> {
        // the page contains what the member has sent before, because commands take effect in their
        // order
        wait(self.room.settled(self.session)).await;
        let HistoryQuery { page, max_bytes, former_ids, reference } = query;
        let context = ReplyContext { epoch: self.shared.context.history.epoch(), reference, members: 0 };
        let mut request = PageRequest { page, max_bytes };
        let (mut page, mut own) = (None::<Messages>, OwnReads::of(self.ids(former_ids)));
        for _ in 0..MAX_READS {
            let read = match self.room.reply_history(self.session, request, page.as_ref(), &mut own, &context)
            {
                Ok(sent) => return sent.ok_or(ReadError::NotAMember),
                Err(read) => read,
            };
            if let Read::Page(only_delivered) = read {
                request.page = only_delivered;
            }
            match self.room.read(read).await? {
                Found::Page(found) => page = Some(found),
                Found::Changed(changed) => page = page.and_then(|page| updated(page, changed)),
                Found::Own(found) => own.add(found),
            }
        }
        // the room has changed faster than the store answers
        Err(HistoryError::new(HistoryErrorKind::Busy, "the room changes too fast").into())
    }

    /// The ids of this user, of which these are former ones.
    fn ids(&self, former: Vec<UserId>) -> Vec<UserId> {
        [self.member.user.clone()].into_iter().chain(former).collect()
    }

    /// Sends this session a snapshot of the room with what it has missed, as if it had joined just
    /// now: [`Joined`](chat_protocol::Event::Joined), in order with the events of the room. The
    /// other members do not notice.
    ///
    /// For sessions that joined without [lists](crate::Subscribe::with_lists). Waits until the
    /// messages that the session has in flight are settled.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// [`ReadError`] if the events cannot be read, or the session is not in the room any more. It
    /// is sent nothing in that case.
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_protocol::{Event, Since};
    /// # use chat_rooms::{Engine, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let lobby = "lobby".parse()?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// # let (sink, mut events) = Sink::channel(100);
    /// # let member = engine.join(&ana, &lobby, Subscribe::new(sink)).await?;
    /// # events.next().await;
    /// use chat_rooms::Resync;
    ///
    /// member.send("hello").await?;
    /// let since = Since { epoch: engine.epoch(), seq: 0 };
    /// member.resync(Resync::new(since).history(50)).await?;
    /// while let Some(event) = events.next().await {
    ///     if let Event::Joined(snapshot) = &*event {
    ///         assert_eq!(snapshot.messages.len(), 1);
    ///         break;
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub async fn resync(&self, resync: Resync) -> Result<Position, ReadError> {
        wait(self.room.settled(self.session)).await;
        let Resync { since, history: newest, limits, members, former_ids, reference } = resync;
        let context = ReplyContext { epoch: self.shared.context.history.epoch(), reference, members };
        self.room.refresh_oldest().await?;
        let since = (since.epoch == context.epoch).then_some(since.seq);
        self.room.reach(since.unwrap_or(0)).await?;
        let mut catch_up = CatchUp::new(since, newest, limits).for_user(self.ids(former_ids));
        loop {
            match self.room.resync(self.session, &mut catch_up, &context) {
                Ok(sent) => {
                    self.shared.context.meters.resyncs.increment(1);
                    return sent.ok_or(ReadError::NotAMember);
                }
                Err(read) => catch_up.add(self.room.read(read).await?),
            }
        }
    }

    /// Sends this session a page of the room's members, as of the last
    /// [`PresenceChanged`](chat_protocol::Event::PresenceChanged), in order with the events of the
    /// room.
    ///
    /// For sessions that joined without [lists](crate::Subscribe::with_lists).
    ///
    /// # Errors
    /// [`ReadError::NotAMember`] if the session is not in the room any more.
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_rooms::{Engine, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let lobby = "lobby".parse()?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// # let (sink, mut events) = Sink::channel(100);
    /// # let member = engine.join(&ana, &lobby, Subscribe::new(sink)).await?;
    /// use chat_rooms::MembersQuery;
    ///
    /// let position = member.members_page(&MembersQuery::new(50).prefix("a"), None)?;
    /// // the page is one of the session's events
    /// member.delivered(position).await;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub fn members_page(
        &self,
        query: &MembersQuery,
        reference: Option<Reference>,
    ) -> Result<Position, ReadError> {
        self.room.reply_members(self.session, query.into(), reference).ok_or(ReadError::NotAMember)
    }

    /// Finds the members of the room with these names, whatever the case of the letters: for each
    /// name the one who joined last, or `None`.
    ///
    /// To find out whom a text addresses, ask for every beginning of it that may be a name, and use
    /// the longest one that is.
    ///
    /// The first call in a room makes an index of all members, which is kept up to date then.
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_rooms::{Engine, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let lobby = "lobby".parse()?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// # let (sink, mut events) = Sink::channel(100);
    /// # let member = engine.join(&ana, &lobby, Subscribe::new(sink)).await?;
    /// let found = member.find(["Ana", "bob"]);
    /// assert_eq!(found[0].as_ref().map(|member| member.user.as_str()), Some("u_1"));
    /// assert!(found[1].is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub fn find<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Vec<Option<Arc<Member>>> {
        let folded: Vec<_> = names.into_iter().map(fold).collect();
        if folded.is_empty() { Vec::new() } else { self.room.find(&folded) }
    }

    /// Notifies the other members that this member is typing.
    ///
    /// Ignored within [`EngineLimits::typing_interval`](crate::EngineLimits::typing_interval) after
    /// the previous call, and while the room has more to deliver than
    /// [`EngineLimits::queued_bytes`](crate::EngineLimits::queued_bytes).
    pub fn typing(&self) {
        self.room.typing(self.session);
    }

    /// Detaches the sink of this session: it receives no more events and cannot send messages.
    ///
    /// The user stays in the room until this membership is dropped, and the other members do not
    /// notice. So a user whose connection broke can join with another session first.
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_rooms::{Engine, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let lobby = "lobby".parse()?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// # let (sink, mut events) = Sink::channel(100);
    /// let broken = engine.join(&ana, &lobby, Subscribe::new(sink)).await?;
    /// // its connection is gone: nobody notices for now
    /// broken.detach();
    /// let (new_sink, mut new_events) = Sink::channel(100);
    /// let member = engine.join(&ana, &lobby, Subscribe::new(new_sink)).await?;
    /// drop(broken);
    /// assert_eq!(member.members().total(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub fn detach(&self) {
        self.room.detach(self.session);
    }

    /// Waits until the event at the position `sent` was offered to this session's sink, or the
    /// session has no sink any more. Cancel-safe.
    pub async fn delivered(&self, sent: Position) {
        wait(self.room.delivery(sent, self.session)).await;
    }

    /// Waits until everything that was sent in the room was offered to all of its sessions.
    /// Cancel-safe.
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_rooms::{Engine, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let lobby = "lobby".parse()?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// # let (sink, mut events) = Sink::channel(100);
    /// # let member = engine.join(&ana, &lobby, Subscribe::new(sink)).await?;
    /// member.submit("hello").await?;
    /// member.idle().await;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub async fn idle(&self) {
        wait(self.room.idle()).await;
    }

    /// Leaves the room. This is the same as dropping the membership.
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_rooms::{Engine, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let lobby = "lobby".parse()?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// # let (sink, mut events) = Sink::channel(100);
    /// # let member = engine.join(&ana, &lobby, Subscribe::new(sink)).await?;
    /// member.leave();
    /// assert!(engine.members(&lobby).is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub fn leave(self) {}

    /// Leaves the room. The session's last event, after everything before it, is
    /// [`LeaveNotice`](chat_protocol::Event::LeaveNotice) with this reason and reference.
    pub fn leave_with_reason(mut self, reason: LeftReason, reference: Option<Reference>) {
        self.leave_notice = LeaveNotice::Send { reason, reference };
    }
}

/// Waits for the room, unless there is nothing to wait for.
async fn wait(waiting: Option<oneshot::Receiver<()>>) {
    if let Some(waiting) = waiting {
        // the room drops the sender
        let _ = waiting.await;
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let visibility = if self.shared.suppresses_leave_events() {
            LeaveVisibility::Suppressed
        } else {
            LeaveVisibility::Announced
        };
        let leave_notice = mem::replace(&mut self.leave_notice, LeaveNotice::Silent);
        self.room.leave(self.session, leave_notice, visibility);
        self.shared.remove_if_empty(&self.room);
    }
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Membership").field(&self.member).finish()
    }
}
