//! Publishing: an event goes through the store to every member.

use std::sync::Arc;

use chat_access::Actor;
use chat_access::Denied;
use chat_history::{AppendError, Appended, Durability, StoredEvent, StoredReaction};
use chat_protocol::{
    Ack, Deletion, Edit, ErrorCode, Event, EventRange, Member, Message, MessageId, Outcome, Reference,
    RoomChange, Timestamp,
};

use crate::delivery::audience::{Audience, PresenceStyle, SubscriptionId};
use crate::delivery::subscriber::Subscriber;
use crate::delivery::window::InFlightGuard;
use crate::room::Room;
use crate::room::core::Core;
use crate::room::policy::{NewRules, Outdated};
use crate::room::publisher::PolicyChange;
use crate::room::state::effects::{Effect, Effects};
use crate::room::state::policy::{Checked, Sent};
use crate::room::state::refusal::Refusal;

/// Whether a member can send a message now.
#[derive(Debug)]
pub(crate) enum Acceptance {
    /// The message is accepted, and counts towards the limits until it is settled.
    InFlight(Sender),
    /// The room has too much to deliver. Try again when it has capacity.
    Congested,
    NotAMember,
}

/// Who sends a message, in which session and through which subscriber, and what the message counts.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) from: Arc<Member>,
    session: SubscriptionId,
    /// The subscriber that receives the reply.
    subscriber: Arc<Subscriber>,
    pub(crate) charge: usize,
    pub(crate) checked: Checked,
}

impl Sender {
    /// Who sends it, for the policy.
    pub(crate) fn actor(&self) -> &Actor {
        &self.subscriber.recipient.actor
    }
}

/// The result of an append, with what is known about its event.
#[derive(Debug)]
pub(crate) struct AppendResult {
    pub(crate) outcome: Result<Appended, AppendError>,
    pub(crate) source: Source,
}

/// Where an event comes from.
#[derive(Debug)]
pub(crate) enum Source {
    /// A session has sent a message, or another command.
    Command { sender: Sender, guard: InFlightGuard, key: RequestKey, durability: Durability },
    /// The program has done something in the room, on nobody's behalf, or has changed its rules.
    Act(Option<NewRules>),
    /// A message was not stored, because the policy has changed since it was checked.
    Outdated(Box<dyn Outdated>),
    /// Another node has stored the event.
    Published,
    /// Nothing was appended. The room has read that `newest` is the number of its newest event.
    Doubt { newest: u64 },
}

impl AppendResult {
    /// The number of an event that the store has, and that this result does not bring; 0 if there
    /// is none.
    pub(crate) fn known(&self) -> u64 {
        match (&self.source, &self.outcome) {
            (Source::Doubt { newest }, _) => *newest,
            (_, Ok(Appended::Duplicate(message))) => message.seq,
            (_, Ok(Appended::Repeated(seq))) => *seq,
            _ => 0,
        }
    }

    /// The event that this node has stored now.
    pub(crate) fn stored_here(&self) -> Option<&StoredEvent> {
        match (&self.source, &self.outcome) {
            (Source::Command { .. } | Source::Act(_), Ok(Appended::Stored(event))) => Some(event),
            _ => None,
        }
    }

    /// The policy that this node has changed now, without an event.
    pub(crate) fn changed_policy(&self) -> Option<PolicyChange> {
        let (Source::Act(Some(rules)), Ok(Appended::NewRules(version))) = (&self.source, &self.outcome)
        else {
            return None;
        };
        let NewRules { user, username, .. } = rules;
        Some(PolicyChange { version: *version, user: user.clone(), username: username.clone() })
    }

    /// Whether this is the answer to a check of the store.
    pub(crate) fn is_check(&self) -> bool {
        matches!(self.source, Source::Doubt { .. })
    }

    /// Whether the event may be stored although no result will ever have it.
    pub(crate) fn is_doubtful(&self) -> bool {
        matches!(self.outcome, Err(AppendError::Unavailable(_)))
    }
}

/// An event that the room knows, and cannot deliver before those that are missing.
#[derive(Debug)]
pub(crate) struct Ahead {
    event: StoredEvent,
    /// The member of this room who has sent it, if one has.
    origin: Option<Origin>,
}

/// Who has sent an event, until it is delivered. The sender has its ack already.
#[derive(Debug)]
struct Origin {
    sender: Sender,
    guard: InFlightGuard,
}

/// The sender's id for a message or an edit, and the reference of the command.
#[derive(Debug)]
pub(crate) struct RequestKey {
    pub(crate) id: Option<MessageId>,
    pub(crate) reference: Option<Reference>,
}

impl Room {
    /// Accepts a message of `bytes` bytes from a session, if possible.
    /// `denied` says why the program does not let the user send it.
    pub(crate) fn accept(
        &self,
        session: SubscriptionId,
        bytes: usize,
        (sent, denied): (Sent, Option<Denied>),
    ) -> Acceptance {
        self.change(|core, _| {
            // a leaving session has no subscriber any more, or has sent its last message
            let is_leaving =
                core.in_flight.get(&session).is_some_and(|in_flight| in_flight.leave_notice.is_some());
            let subscriber = core.subscribers.get(&session).filter(|_| !is_leaving).cloned();
            let from = core.state.member_of(session).cloned();
            let (Some(subscriber), Some(from)) = (subscriber, from) else {
                return Acceptance::NotAMember;
            };
            if core.pending >= self.context().limits.queued_bytes || !core.policy.is_open() {
                return Acceptance::Congested;
            }
            let actor = &subscriber.recipient.actor;
            let checked = core.policy.accept(actor, (sent, denied), Timestamp::now());
            let charge = core.overhead + bytes;
            core.in_flight.entry(session).or_default().count += 1;
            core.pending += charge;
            Acceptance::InFlight(Sender { from, session, subscriber, charge, checked })
        })
    }

    /// Announces an event that no session sends: the room stays until its result is settled.
    /// Returns `false` if the room is about to be forgotten.
    pub(crate) fn begin_act(&self) -> bool {
        let mut core = self.lock();
        core.acts += usize::from(!core.is_retired);
        !core.is_retired
    }

    /// Sends the outcome of an append.
    pub(crate) fn settle(&self, core: &mut Core, effects: &mut Effects, result: AppendResult) {
        let AppendResult { outcome, source } = result;
        match source {
            Source::Command { sender, guard, key, durability } => {
                core.policy.settle(sender.checked);
                let origin = Origin { sender, guard };
                match self.answer(core, effects, &origin.sender, outcome, (key, durability)) {
                    Some(event) => self.sequence(core, effects, event, Some(origin)),
                    None => self.settle_origin(core, effects, &origin),
                }
            }
            Source::Act(rules) => {
                core.acts -= 1;
                match (outcome, rules) {
                    (Ok(Appended::Stored(event)), _) => self.sequence(core, effects, event, None),
                    (Ok(Appended::NewRules(version)), Some(rules)) => {
                        self.apply_rules(core, effects, version, rules);
                    }
                    _ => {}
                }
            }
            Source::Published => {
                if let Ok(Appended::Stored(event)) = outcome {
                    if core.pending < self.context().limits.queued_bytes {
                        self.sequence(core, effects, event, None);
                    } else {
                        core.sequencer.expect(event.seq());
                    }
                }
            }
            // checked again before
            Source::Outdated(_) | Source::Doubt { .. } => {}
        }
    }

    /// Sends the sender its ack, or the reason of a failure. Returns the event to deliver.
    fn answer(
        &self,
        core: &mut Core,
        effects: &mut Effects,
        sender: &Sender,
        outcome: Result<Appended, AppendError>,
        (key, durability): (RequestKey, Durability),
    ) -> Option<StoredEvent> {
        let id = sender.session;
        let is_subscribed =
            core.subscribers.get(&id).is_some_and(|subscriber| Arc::ptr_eq(subscriber, &sender.subscriber));
        match outcome {
            Ok(appended) => {
                if is_subscribed && sender.subscriber.recipient.style == PresenceStyle::Changes {
                    // before the event itself
                    let ack = Event::Ack(Box::new(self.ack(&appended, key, durability)));
                    core.enqueue(ack, Audience::Only(id), None, self.encodings());
                }
                return if let Appended::Stored(event) = appended { Some(event) } else { None };
            }
            Err(error) if is_subscribed => {
                let refusal = refusal(&error, sender.checked);
                let code = refusal.code;
                let event = core.state.refuse(id, refusal, key.reference);
                event.iter().for_each(|_| self.meters().refused(code));
                effects.extend(event.map(|event| Effect::Send(event, Audience::Only(id))));
            }
            Err(_) => {}
        }
        None
    }

    /// Delivers an event, or keeps it until all events before it are delivered:
    /// [`deliver_ahead`](Self::deliver_ahead).
    fn sequence(&self, core: &mut Core, effects: &mut Effects, event: StoredEvent, origin: Option<Origin>) {
        let ahead = Ahead { event, origin };
        if ahead.event.seq() <= core.tail.newest() + 1 {
            return self.deliver_next(core, effects, ahead);
        }
        for Ahead { origin, .. } in core.sequencer.insert(ahead.event.seq(), ahead) {
            origin.iter().for_each(|origin| self.settle_origin(core, effects, origin));
        }
    }

    /// Delivers the next event that waited for those that are delivered now. Returns `false` if
    /// there is none. Its effects have to be queued before the one after it is delivered.
    pub(crate) fn deliver_ahead(&self, core: &mut Core, effects: &mut Effects) -> bool {
        let Some(ahead) = core.sequencer.pop(core.tail.newest()) else { return false };
        self.deliver_next(core, effects, ahead);
        true
    }

    fn deliver_next(&self, core: &mut Core, effects: &mut Effects, Ahead { event, origin }: Ahead) {
        let Some(Origin { sender, guard }) = origin else {
            return self.deliver(core, effects, event, None, None);
        };
        core.pending -= sender.charge;
        self.deliver(core, effects, event, Some(&sender.from), Some(guard));
        core.message_settled(sender.session, effects);
    }

    /// The message of a sender counts no longer.
    fn settle_origin(&self, core: &mut Core, effects: &mut Effects, origin: &Origin) {
        core.pending -= origin.sender.charge;
        core.message_settled(origin.sender.session, effects);
    }

    /// Delivers an event to every member, unless it was delivered before.
    fn deliver(
        &self,
        core: &mut Core,
        effects: &mut Effects,
        event: StoredEvent,
        from: Option<&Arc<Member>>,
        guard: Option<InFlightGuard>,
    ) {
        let before = core.tail.newest();
        if event.seq() <= before {
            return;
        }
        core.tail.push(event.clone());
        if !matches!(event, StoredEvent::Reaction(_)) {
            self.flush_reactions(core);
        }
        match event {
            StoredEvent::Message(message) => self.deliver_message(core, message, from, guard),
            StoredEvent::Edit(edit) => self.deliver_edit(core, edit, guard),
            StoredEvent::Deletion(deletion) => self.deliver_deletion(core, deletion, guard),
            // the guard is dropped: the sender need not wait for the window
            StoredEvent::Reaction(reaction) => self.deliver_reaction(core, effects, &reaction),
            StoredEvent::RoomChange(change, version) => {
                self.deliver_room_change(core, effects, change, version);
            }
            unknown => {
                // what this version cannot send, the members read from the store
                let range = EventRange::new(self.name.clone(), before + 1, unknown.seq(), None);
                core.enqueue(Event::Sync(Arc::new(range)), Audience::Changes, guard, self.encodings());
            }
        }
    }

    fn deliver_message(
        &self,
        core: &mut Core,
        message: Arc<Message>,
        from: Option<&Arc<Member>>,
        guard: Option<InFlightGuard>,
    ) {
        let size = message.size();
        let from = from.cloned().or_else(|| core.state.author(&message));
        let event = core.state.message_event(message, from);
        let charge = core.enqueue(event, Audience::All, guard, self.encodings());
        core.overhead = charge.saturating_sub(size).max(256);
    }

    fn deliver_edit(&self, core: &mut Core, edit: Arc<Edit>, guard: Option<InFlightGuard>) {
        // the encodings may have the old text
        self.context().retention.note_changed(&edit.message);
        self.meters().edited();
        core.enqueue(Event::Edited(edit), Audience::Changes, guard, self.encodings());
    }

    fn deliver_deletion(&self, core: &mut Core, deletion: Arc<Deletion>, guard: Option<InFlightGuard>) {
        // the encodings may have the text
        self.context().retention.note_deleted(&deletion);
        self.meters().deleted(&deletion);
        core.enqueue(Event::Deleted(deletion), Audience::Changes, guard, self.encodings());
    }

    fn deliver_reaction(&self, core: &mut Core, effects: &mut Effects, reaction: &StoredReaction) {
        self.meters().reactions.increment(1);
        if core.reactions.add(reaction.to_event()) {
            effects.push(Effect::OpenReactions);
        }
        if core.reactions.is_due() {
            self.flush_reactions(core);
        }
    }

    /// Sends the reactions that are being merged: what comes after them must not overtake them.
    pub(crate) fn flush_reactions(&self, core: &mut Core) {
        for reacted in core.reactions.take() {
            core.enqueue(Event::Reacted(Arc::new(reacted)), Audience::Changes, None, self.encodings());
        }
    }

    fn deliver_room_change(
        &self,
        core: &mut Core,
        effects: &mut Effects,
        change: Arc<RoomChange>,
        version: u64,
    ) {
        let policy = core.policy.policy().configured(version, change.settings.clone());
        if core.policy.misses_before(version) {
            effects.push(Effect::ReadPolicy(version));
        } else if core.policy.replace(policy) {
            effects.push(Effect::CheckMembers);
        }
        core.enqueue(Event::RoomChanged(change), Audience::Changes, None, self.encodings());
    }

    fn ack(
        &self,
        appended: &Appended,
        RequestKey { id, reference }: RequestKey,
        durability: Durability,
    ) -> Ack {
        let sent_at = appended.message().map(|message| message.sent_at);
        let durable = durability == Durability::Disk;
        Ack { reference, room: self.name.clone(), seq: appended.seq(), id, sent_at, durable }
    }

    /// Delivers a range of events that no result has, and continues after it.
    pub(crate) fn deliver_range(&self, core: &mut Core, mut range: EventRange) {
        self.flush_reactions(core);
        core.tail.skip_to(range.seq);
        self.meters().syncs.increment(1);
        if let Some(outcome) = &range.outcome {
            for message in &outcome.messages {
                let event = core.state.message_event(Arc::clone(message), None);
                core.enqueue(event, Audience::Lists, None, self.encodings());
            }
        }
        if range.outcome.as_ref().is_some_and(has_reactions) {
            // which of them are its own, each session has to ask for
            range.outcome = None;
        }
        core.enqueue(Event::Sync(Arc::new(range)), Audience::Changes, None, self.encodings());
    }
}

fn has_reactions(outcome: &Outcome) -> bool {
    let mut messages = outcome.messages.iter().chain(&outcome.changed);
    messages.any(|message| message.text().is_some_and(|text| !text.reactions().is_empty()))
}

fn refusal(error: &AppendError, checked: Checked) -> Refusal {
    match (error, checked.denied()) {
        (AppendError::IdReused, _) => {
            Refusal::new(ErrorCode::IdReused, "this id was already used for another message")
        }
        (AppendError::NotFound, _) => Refusal::new(ErrorCode::NotFound, "there is no such message"),
        (AppendError::LimitReached, _) => {
            Refusal::new(ErrorCode::LimitReached, "this message has too many different reactions")
        }
        (AppendError::TooLate, _) => {
            Refusal::new(ErrorCode::Forbidden, "this message is too old to be edited")
        }
        (AppendError::NotAllowed, Some(denied)) => denied.into(),
        // of the latter: a moderator who is none any more
        (AppendError::NotAuthor, _) | (AppendError::NotAllowed, None) => {
            Refusal::new(ErrorCode::Forbidden, "only the author may do this")
        }
        _ => {
            let reason = "storage is unavailable; send the message again with the same id";
            Refusal::new(ErrorCode::StoreUnavailable, reason)
        }
    }
}
