//! Publishing: a message goes through the store to every member.

use std::sync::Arc;

use chat_history::{AppendError, Appended, Durability};
use chat_protocol::{Ack, ErrorCode, Event, Member, Message, MessageId, Reference};

use crate::delivery::audience::{Audience, PresenceStyle, SubscriptionId};
use crate::delivery::subscriber::Subscriber;
use crate::delivery::window::InFlightGuard;
use crate::room::Room;
use crate::room::core::Core;
use crate::room::state::effects::{Effect, Effects};

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
}

/// The result of an append, with what is known about its message.
#[derive(Debug)]
pub(crate) struct AppendResult {
    pub(crate) sender: Sender,
    pub(crate) guard: InFlightGuard,
    pub(crate) outcome: Result<Appended, AppendError>,
    pub(crate) key: RequestKey,
    pub(crate) durability: Durability,
}

/// The sender's id for a message, and the reference of the command that sends it.
#[derive(Debug)]
pub(crate) struct RequestKey {
    pub(crate) id: MessageId,
    pub(crate) reference: Option<Reference>,
}

impl Room {
    /// Accepts a message of `bytes` bytes from a session, if possible.
    pub(crate) fn accept(&self, session: SubscriptionId, bytes: usize) -> Acceptance {
        self.change(|core, _| {
            // a leaving session has no subscriber any more, or has sent its last message
            let is_leaving =
                core.in_flight.get(&session).is_some_and(|in_flight| in_flight.leave_notice.is_some());
            let subscriber = core.subscribers.get(&session).filter(|_| !is_leaving).cloned();
            let from = core.state.member_of(session).cloned();
            let (Some(subscriber), Some(from)) = (subscriber, from) else {
                return Acceptance::NotAMember;
            };
            if core.pending >= self.context().limits.queued_bytes {
                return Acceptance::Congested;
            }
            let charge = core.overhead + bytes;
            core.in_flight.entry(session).or_default().count += 1;
            core.pending += charge;
            Acceptance::InFlight(Sender { from, session, subscriber, charge })
        })
    }

    /// Sends the outcome of a message.
    pub(crate) fn settle(&self, core: &mut Core, effects: &mut Effects, result: AppendResult) {
        let AppendResult { sender, guard, outcome, key, durability } = result;
        core.pending -= sender.charge;
        let id = sender.session;
        self.deliver_outcome(core, effects, &sender, (guard, outcome), (key, durability));
        core.message_settled(id, effects);
    }

    /// Delivers what was stored to every member, and the ack or the reason of a failure to the
    /// sender.
    fn deliver_outcome(
        &self,
        core: &mut Core,
        effects: &mut Effects,
        sender: &Sender,
        (guard, outcome): (InFlightGuard, Result<Appended, AppendError>),
        (key, durability): (RequestKey, Durability),
    ) {
        let id = sender.session;
        let is_subscribed =
            core.subscribers.get(&id).is_some_and(|subscriber| Arc::ptr_eq(subscriber, &sender.subscriber));
        match outcome {
            Ok(Appended { message, duplicate, recovered, .. }) => {
                // the sender's own message may be the last of them, or an earlier one: its ack
                // comes before it
                let (before, rest) =
                    recovered.split_at(recovered.partition_point(|recovered| recovered.seq < message.seq));
                for recovered in before {
                    self.deliver_message(core, Arc::clone(recovered), None, None);
                }
                if is_subscribed && sender.subscriber.recipient.style == PresenceStyle::Changes {
                    let ack = Event::Ack(Box::new(ack(&message, key, durability)));
                    core.enqueue(ack, Audience::Only(id), None, self.encodings());
                }
                for recovered in rest {
                    self.deliver_message(core, Arc::clone(recovered), None, None);
                }
                if !duplicate {
                    self.deliver_message(core, message, Some(Arc::clone(&sender.from)), Some(guard));
                }
            }
            Err(error) if is_subscribed => {
                let (code, reason) = refusal(&error);
                let event = core.state.refuse(id, code, reason.into(), key.reference);
                event.iter().for_each(|_| self.meters().refused(code));
                effects.extend(event.map(|event| Effect::Send(event, Audience::Only(id))));
            }
            Err(_) => {}
        }
    }

    /// Delivers a message to every member, unless it was delivered before.
    fn deliver_message(
        &self,
        core: &mut Core,
        message: Arc<Message>,
        from: Option<Arc<Member>>,
        guard: Option<InFlightGuard>,
    ) {
        if message.seq <= core.tail.newest() {
            return;
        }
        core.tail.push(Arc::clone(&message));
        let size = message.size();
        let event = core.state.message_event(message, from);
        let charge = core.enqueue(event, Audience::All, guard, self.encodings());
        core.overhead = charge.saturating_sub(size).max(256);
    }
}

fn ack(message: &Message, RequestKey { id, reference }: RequestKey, durability: Durability) -> Ack {
    let Message { room, seq, sent_at, .. } = message;
    let durable = durability == Durability::Disk;
    Ack { reference, room: room.clone(), seq: *seq, id, sent_at: *sent_at, durable }
}

fn refusal(error: &AppendError) -> (ErrorCode, &'static str) {
    match error {
        AppendError::IdReused => (ErrorCode::IdReused, "this id was already used for another message"),
        _ => (ErrorCode::StoreUnavailable, "storage is unavailable; send the message again with the same id"),
    }
}
