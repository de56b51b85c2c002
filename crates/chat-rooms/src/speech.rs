//! What a member says, on its way through the store to everyone.

use std::sync::Arc;

use chat_history::{AppendError, Appended, Durability, HistoryError};
use chat_log::Passed;
use chat_protocol::v2::{Ack, ErrorCode, ServerFrame};
use chat_protocol::{Member, Message, MessageId, Reference};
use tracing::field::Empty;

use crate::core::Core;
use crate::room::{MOST_PENDING, Room};
use crate::runtime::Instant;
use crate::shared::Shared;
use crate::slot::{Slot, Style};
use crate::state::{Audience, Effect, told};
use crate::window::Receipt;

/// Whether something may be said now.
#[derive(Debug)]
pub(crate) enum Accepted {
    /// It is on its way, and counts so much until it is settled.
    OnTheWay(Speaker),
    /// The room has more to offer than it may gather; try again after a relief.
    Congested,
    NotAMember,
}

/// Who says it, by which connection, and what that counts.
#[derive(Debug)]
pub(crate) struct Speaker {
    from: Arc<Member>,
    /// The place in the fan-out that hears of the answer; it may be another one by then.
    slot: Arc<Slot>,
    pub(crate) charge: usize,
}

/// What the sender calls a message, and the sending of it.
#[derive(Debug, Clone)]
pub(crate) struct Called {
    pub(crate) id: MessageId,
    pub(crate) reference: Option<Reference>,
}

/// Something that was said and is on its way to the store. Settled exactly once: by the store, or as lost when it is dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    shared: Arc<Shared>,
    room: Arc<Room>,
    taken_at: Instant,
    /// For traces: from taking the message until what became of it is told.
    span: tracing::Span,
    /// None once it is settled.
    open: Option<(Speaker, Receipt, Called)>,
}

impl Room {
    /// Notes that a member says something of so many bytes.
    pub(crate) fn accept(&self, member: &Arc<Member>, bytes: usize) -> Accepted {
        self.change(|core, _| {
            if core.pending >= MOST_PENDING {
                return Accepted::Congested;
            }
            // whoever is about to leave has no slot any more, or has said its last
            let is_leaving = core.on_the_way.get(&member.id).is_some_and(|way| way.then.is_some());
            let Some(slot) = core.slots.get(&member.id).filter(|_| !is_leaving).cloned() else {
                return Accepted::NotAMember;
            };
            let charge = core.overhead + bytes;
            core.on_the_way.entry(member.id).or_default().count += 1;
            core.pending += charge;
            Accepted::OnTheWay(Speaker { from: Arc::clone(member), slot, charge })
        })
    }

    /// Tells what became of something that was said.
    fn settle(
        &self,
        speaker: &Speaker,
        receipt: Receipt,
        outcome: Result<Appended, AppendError>,
        called: Called,
        durability: Durability,
    ) {
        let id = speaker.from.id;
        self.change(|core, effects| {
            core.pending -= speaker.charge;
            let hears = core.slots.get(&id).is_some_and(|slot| Arc::ptr_eq(slot, &speaker.slot));
            match outcome {
                Ok(Appended { message, duplicate: again, recovered: missed, .. }) => {
                    // its own message may be the last of them, or one before: its ack comes before it
                    let (before, rest) =
                        missed.split_at(missed.partition_point(|missed| missed.seq < message.seq));
                    for missed in before {
                        self.tell_message(core, Arc::clone(missed), None, None);
                    }
                    if hears && speaker.slot.style == Style::Deltas {
                        let ack = told(ServerFrame::Ack(ack(&message, called, durability)));
                        core.tell(ack, Audience::Only(id), None, self.encodings());
                    }
                    for missed in rest {
                        self.tell_message(core, Arc::clone(missed), None, None);
                    }
                    if !again {
                        self.tell_message(core, message, Some(Arc::clone(&speaker.from)), Some(receipt));
                    }
                }
                Err(error) if hears => {
                    let (code, reason) = refusal(&error);
                    let event = core.state.refuse(id, code, reason.into(), called.reference);
                    effects.extend(event.map(|event| Effect::Tell(event, Audience::Only(id))));
                }
                Err(_) => {}
            }
            core.arrived(id, effects);
        });
        // something accepted may have come to nothing: whoever waits for room looks again
        self.relieve();
    }

    /// Tells everyone a message, unless it was told before.
    fn tell_message(
        &self,
        core: &mut Core,
        message: Arc<Message>,
        from: Option<Arc<Member>>,
        receipt: Option<Receipt>,
    ) {
        if message.seq <= core.tail.newest() {
            return;
        }
        core.tail.push(Arc::clone(&message));
        let size = message.size();
        let event = core.state.said(message, from);
        let charge = core.tell(event, Audience::All, receipt, self.encodings());
        core.overhead = charge.saturating_sub(size).max(256);
    }
}

fn ack(message: &Message, Called { id, reference }: Called, durability: Durability) -> Ack {
    let Message { room, seq, sent_at, .. } = message;
    let stored = durability == Durability::Disk;
    Ack { reference, room: room.clone(), seq: *seq, id, sent_at: *sent_at, stored }
}

fn refusal(error: &AppendError) -> (ErrorCode, &'static str) {
    match error {
        AppendError::IdReused => (ErrorCode::IdReused, "this id was already used for another message"),
        _ => (ErrorCode::StoreUnavailable, "storage is unavailable; send the message again with the same id"),
    }
}

impl Ticket {
    pub(crate) fn new(
        shared: Arc<Shared>,
        room: Arc<Room>,
        speaker: Speaker,
        receipt: Receipt,
        called: Called,
    ) -> Self {
        let span = tracing::trace_span!("message", room = %room.name, seq = Empty);
        Self { shared, room, taken_at: Instant::now(), span, open: Some((speaker, receipt, called)) }
    }

    /// Tells what became of it.
    pub(crate) fn settle(mut self, outcome: Result<Appended, AppendError>) {
        self.settle_once(outcome);
    }

    fn settle_once(&mut self, outcome: Result<Appended, AppendError>) {
        let Some((speaker, receipt, called)) = self.open.take() else { return };
        if let Err(AppendError::Unavailable(error)) = &outcome
            && let Some(Passed { suppressed }) = self.shared.unstored.pass()
        {
            let (room, username) = (&self.room.name, &speaker.from.username);
            tracing::warn!(%room, %username, %error, suppressed, "a message could not be stored");
        }
        let meters = &self.shared.context.meters;
        if let Ok(Appended { message, duplicate: again, recovered: missed, .. }) = &outcome {
            self.span.record("seq", message.seq);
            let new = (!again).then_some(message);
            for message in missed.iter().chain(new) {
                meters.stored(message);
                if let Some(usage) = &self.shared.usage {
                    usage.stored(message);
                }
            }
        }
        self.room.settle(&speaker, receipt, outcome, called, self.shared.history.durability());
        meters.ack.record(self.taken_at.elapsed());
        self.shared.forget_if_empty(&self.room);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.open.is_some() {
            self.settle_once(Err(HistoryError::other("the message was dropped").into()));
        }
    }
}
