//! Events in flight to the history store.

use std::mem;
use std::sync::Arc;

use chat_history::{AppendError, Appended, HistoryError, NewEvent, StoredEvent};
use chat_log::Passed;
use chat_protocol::{DeletedBy, RoomName, UserId, Username};
use tokio::sync::oneshot;
use tracing::Span;
use tracing::field::Empty;

use crate::delivery::window::InFlightGuard;
use crate::error::SendError;
use crate::registry::Registry;
use crate::room::Room;
use crate::room::policy::{NewRules, Outdated};
use crate::room::publish::{AppendResult, RequestKey, Sender, Source};
use crate::room::settle::{Settlement, Settling};
use crate::sync::Instant;

/// An event of a session in flight to the store. It is settled exactly once: by the store, or as
/// lost when it is dropped.
#[derive(Debug)]
pub(crate) struct PendingAppend {
    shared: Arc<Registry>,
    room: Arc<Room>,
    taken_at: Instant,
    /// Traces the message from its acceptance until its outcome is sent.
    span: Span,
    /// `None` once it is settled.
    open: Option<(Sender, InFlightGuard, RequestKey)>,
    /// Receives the outcome, if the sender waits for it.
    reply: Option<Reply>,
}

/// Receives the outcome of an append, for a sender that waits for it.
pub(crate) type Reply = oneshot::Sender<Result<Appended, SendError>>;

impl PendingAppend {
    pub(crate) fn new(
        shared: Arc<Registry>,
        room: Arc<Room>,
        sender: Sender,
        guard: InFlightGuard,
        key: RequestKey,
        reply: Option<Reply>,
    ) -> Self {
        let span = tracing::trace_span!("message", room = %room.name, seq = Empty);
        let open = Some((sender, guard, key));
        Self { shared, room, taken_at: Instant::now(), span, open, reply }
    }

    /// Hands the outcome to the room. Called by the writer of the store: it must not wait for the
    /// room.
    pub(crate) fn settle(mut self, outcome: Result<Appended, AppendError>) {
        match outcome {
            Err(AppendError::PolicyChanged(event)) => self.check_again(*event),
            outcome => self.settle_once(outcome),
        }
    }

    /// Hands the message back to the room, which knows the new policy, or learns of it now.
    fn check_again(self, event: NewEvent) {
        let (shared, room) = (Arc::clone(&self.shared), Arc::clone(&self.room));
        let source = Source::Outdated(Box::new(OutdatedAppend { pending: self, event }));
        let result = AppendResult { outcome: Ok(Appended::Unchanged), source };
        let settlement = Settlement { result, taken_at: None, span: Span::none(), then: None };
        settle_later(&shared, &room, settlement);
    }

    fn settle_once(&mut self, outcome: Result<Appended, AppendError>) {
        let Some((sender, guard, key)) = self.open.take() else { return };
        if let Err(AppendError::Unavailable(error)) = &outcome
            && let Some(Passed { suppressed }) = self.shared.append_failures.pass()
        {
            let (room, username) = (&self.room.name, &sender.from.username);
            tracing::warn!(%room, %username, %error, suppressed, "a message could not be stored");
        }
        if let Ok(appended) = &outcome {
            self.span.record("seq", appended.seq());
        }
        if let Ok(Appended::Stored(StoredEvent::Message(message))) = &outcome {
            self.shared.context.meters.stored(message);
            if let Some(usage) = &self.shared.usage {
                usage.stored(message);
            }
            if let Some(observer) = &self.shared.observer {
                observer.stored(message);
            }
        }
        observe_change(&self.shared, &self.room.name, &outcome);
        let durability = self.shared.context.history.durability();
        let then = self.reply.take().map(|reply| {
            let outcome = answer(&outcome, &sender);
            let send = move || {
                // if the sender does not wait any more, the event is stored all the same
                let _ = reply.send(outcome);
            };
            Box::new(send) as Box<dyn FnOnce() + Send>
        });
        let source = Source::Command { sender, guard, key, durability };
        let result = AppendResult { outcome, source };
        let span = mem::replace(&mut self.span, Span::none());
        let settlement = Settlement { result, taken_at: Some(self.taken_at), span, then };
        settle_later(&self.shared, &self.room, settlement);
    }
}

/// Tells the observer if an event has changed texts.
fn observe_change(shared: &Registry, room: &RoomName, outcome: &Result<Appended, AppendError>) {
    if let (Some(observer), Ok(Appended::Stored(StoredEvent::Edit(_) | StoredEvent::Deletion(_)))) =
        (&shared.observer, outcome)
    {
        observer.changed(room);
    }
}

/// Hands a result to its room.
fn settle_later(shared: &Arc<Registry>, room: &Arc<Room>, settlement: Settlement) {
    if room.settle_later(settlement) {
        spawn(shared, Settling::new(Arc::clone(room)));
    }
}

/// Lets a task of the room settle what is queued.
pub(super) fn spawn(shared: &Arc<Registry>, settling: Settling) {
    let owner = Arc::clone(shared);
    shared.context.runtime.spawn(settling.run(move |room| owner.remove_if_empty(room)));
}

/// The outcome for a sender that waits for it.
fn answer(outcome: &Result<Appended, AppendError>, sender: &Sender) -> Result<Appended, SendError> {
    match outcome {
        Ok(appended) => Ok(appended.clone()),
        Err(AppendError::IdReused) => Err(SendError::IdReused),
        Err(AppendError::NotFound) => Err(SendError::NotFound),
        Err(AppendError::TooLate) => Err(SendError::TooLate),
        Err(AppendError::LimitReached) => Err(SendError::LimitReached),
        Err(AppendError::NotAuthor) => Err(SendError::NotAuthor),
        Err(AppendError::NotAllowed) if let Some(denied) = sender.checked.denied() => {
            Err(SendError::Denied(denied))
        }
        Err(AppendError::Unavailable(error)) => Err(SendError::Store(error.clone())),
        Err(other) => Err(SendError::Store(HistoryError::other(other.clone()))),
    }
}

impl Drop for PendingAppend {
    fn drop(&mut self) {
        if self.open.is_some() {
            self.settle_once(Err(HistoryError::other("the message was dropped").into()));
        }
    }
}

/// An event that was not stored, because the policy has changed since it was checked.
#[derive(Debug)]
struct OutdatedAppend {
    pending: PendingAppend,
    event: NewEvent,
}

impl Outdated for OutdatedAppend {
    fn sender(&mut self) -> Option<&mut Sender> {
        self.pending.open.as_mut().map(|(sender, ..)| sender)
    }

    fn append_again(self: Box<Self>) {
        let Self { pending, mut event } = *self;
        let permission = pending.open.as_ref().map(|(sender, ..)| sender.checked.permission());
        match &mut event {
            NewEvent::Message(message) => message.permission = permission,
            NewEvent::Edit(edit) => edit.permission = permission,
            NewEvent::Reaction(reaction) => reaction.permission = permission,
            NewEvent::Deletion(deletion) => {
                let is_recorded = deletion.by != DeletedBy::Author;
                let checked = pending.open.as_ref().map(|(sender, ..)| sender.checked);
                deletion.permission = checked.map(|checked| checked.moderation(is_recorded));
            }
            // no member sends these
            NewEvent::RoomChange(_) | NewEvent::NewRules(_) => {}
        }
        let history = Arc::clone(&pending.shared.context.history);
        history.append(event, Box::new(move |outcome| pending.settle(outcome)));
    }

    fn fail(self: Box<Self>, error: HistoryError) {
        self.pending.settle(Err(error.into()));
    }
}

/// The outcome of an act, for the caller.
type ActReply = oneshot::Sender<Result<Appended, AppendError>>;
type ActOutcome = oneshot::Receiver<Result<Appended, AppendError>>;

/// An event in flight to the store that no session has sent. It keeps its room, which may have no
/// members. It is settled exactly once, like a [`PendingAppend`].
#[derive(Debug)]
pub(crate) struct PendingAct {
    shared: Arc<Registry>,
    room: Arc<Room>,
    taken_at: Instant,
    /// What the room takes over if the version of its policy is raised.
    rules: Option<NewRules>,
    /// `None` once it is settled.
    reply: Option<ActReply>,
}

impl PendingAct {
    /// Begins an act in a room, which is created if necessary.
    fn begin(shared: &Arc<Registry>, name: &RoomName, reply: ActReply) -> Self {
        loop {
            let room = shared.open_room(name);
            if room.begin_act() {
                let (shared, taken_at) = (Arc::clone(shared), Instant::now());
                return Self { shared, room, taken_at, rules: None, reply: Some(reply) };
            }
            // it became empty in the meantime: the next one is new
            shared.forget(&room);
        }
    }

    /// Has the store carry out an event, and returns the outcome once the room has it. Not
    /// cancel-safe: the event may be stored although the future is dropped.
    ///
    /// # Errors
    /// [`AppendError`] from the store.
    pub(crate) async fn append(shared: &Arc<Registry>, event: NewEvent) -> Result<Appended, AppendError> {
        let (reply, outcome) = oneshot::channel();
        let act = Self::begin(shared, event.room(), reply);
        // without its newest number, the room would take everything before the event for a gap
        act.room.load().await?;
        act.carry_out(event, outcome).await
    }

    /// Hands the event to the store, and waits until the room has the outcome.
    async fn carry_out(self, event: NewEvent, outcome: ActOutcome) -> Result<Appended, AppendError> {
        let history = Arc::clone(&self.shared.context.history);
        history.append(event, Box::new(move |outcome| self.settle(outcome)));
        // the act settles when it is dropped
        outcome.await.unwrap_or_else(|error| Err(HistoryError::other(error).into()))
    }

    /// Has the rules of a room take effect, as they are stored now: raises the version of its
    /// policy, and returns once the room has them. `user` is whom the act concerns. Not
    /// cancel-safe.
    ///
    /// # Errors
    /// [`AppendError`] from the stores.
    pub(crate) async fn take_effect(
        shared: &Arc<Registry>,
        name: &RoomName,
        (user, username): (UserId, Username),
    ) -> Result<(), AppendError> {
        let (reply, outcome) = oneshot::channel();
        let mut act = Self::begin(shared, name, reply);
        act.room.load().await?;
        let room = Arc::clone(&act.room);
        // the semaphore is never closed
        let _turn = room.acts_turn.acquire().await.map_err(HistoryError::other)?;
        act.rules = Some(NewRules { rules: room.read_rules().await?, user, username });
        act.carry_out(NewEvent::NewRules(name.clone()), outcome).await.map(drop)
    }

    /// Hands the outcome to the room. Called by the writer of the store: it must not wait for the
    /// room.
    fn settle(mut self, outcome: Result<Appended, AppendError>) {
        self.settle_once(outcome);
    }

    fn settle_once(&mut self, outcome: Result<Appended, AppendError>) {
        let Some(reply) = self.reply.take() else { return };
        observe_change(&self.shared, &self.room.name, &outcome);
        let answer = outcome.clone();
        let send = move || {
            // if the caller does not wait any more, the event is stored all the same
            let _ = reply.send(answer);
        };
        let settlement = Settlement {
            result: AppendResult { outcome, source: Source::Act(self.rules.take()) },
            taken_at: Some(self.taken_at),
            span: Span::none(),
            then: Some(Box::new(send)),
        };
        settle_later(&self.shared, &self.room, settlement);
    }
}

impl Drop for PendingAct {
    fn drop(&mut self) {
        self.settle_once(Err(HistoryError::other("the event was dropped").into()));
    }
}
