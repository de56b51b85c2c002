//! A message in flight to the history store.

use std::sync::Arc;

use chat_history::{AppendError, Appended, Durability, HistoryError};
use chat_log::Passed;
use tokio::sync::oneshot;
use tracing::field::Empty;

use crate::delivery::window::InFlightGuard;
use crate::error::SendError;
use crate::member::options::Stored;
use crate::registry::Registry;
use crate::room::Room;
use crate::room::publish::{RequestKey, Sender};
use crate::sync::Instant;

/// A message in flight to the store. It is settled exactly once: by the store, or as lost when it
/// is dropped.
#[derive(Debug)]
pub(crate) struct PendingAppend {
    shared: Arc<Registry>,
    room: Arc<Room>,
    taken_at: Instant,
    /// Traces the message from its acceptance until its outcome is sent.
    span: tracing::Span,
    /// `None` once it is settled.
    open: Option<(Sender, InFlightGuard, RequestKey)>,
    /// Receives the outcome, if the sender waits for it.
    reply: Option<oneshot::Sender<Result<Stored, SendError>>>,
}

impl PendingAppend {
    pub(crate) fn new(
        shared: Arc<Registry>,
        room: Arc<Room>,
        sender: Sender,
        guard: InFlightGuard,
        key: RequestKey,
        reply: Option<oneshot::Sender<Result<Stored, SendError>>>,
    ) -> Self {
        let span = tracing::trace_span!("message", room = %room.name, seq = Empty);
        let open = Some((sender, guard, key));
        Self { shared, room, taken_at: Instant::now(), span, open, reply }
    }

    /// Sends the outcome.
    pub(crate) fn settle(mut self, outcome: Result<Appended, AppendError>) {
        self.settle_once(outcome);
    }

    fn settle_once(&mut self, outcome: Result<Appended, AppendError>) {
        let Some((sender, guard, key)) = self.open.take() else { return };
        if let Err(AppendError::Unavailable(error)) = &outcome
            && let Some(Passed { suppressed }) = self.shared.append_failures.pass()
        {
            let (room, username) = (&self.room.name, &sender.from.username);
            tracing::warn!(%room, %username, %error, suppressed, "a message could not be stored");
        }
        let meters = &self.shared.context.meters;
        if let Ok(Appended { message, duplicate, recovered, .. }) = &outcome {
            self.span.record("seq", message.seq);
            let new = (!duplicate).then_some(message);
            for message in recovered.iter().chain(new) {
                meters.stored(message);
                if let Some(usage) = &self.shared.usage {
                    usage.stored(message);
                }
            }
        }
        if let Some(reply) = self.reply.take() {
            // if the sender does not wait any more, the message is stored all the same
            let _ = reply.send(self.stored(&outcome, &key));
        }
        self.room.settle(&sender, guard, outcome, key, self.shared.history.durability());
        meters.ack.record(self.taken_at.elapsed());
        self.shared.remove_if_empty(&self.room);
    }
}

impl PendingAppend {
    fn stored(
        &self,
        outcome: &Result<Appended, AppendError>,
        RequestKey { id, .. }: &RequestKey,
    ) -> Result<Stored, SendError> {
        match outcome {
            Ok(Appended { message, .. }) => Ok(Stored {
                seq: message.seq,
                id: id.clone(),
                sent_at: message.sent_at,
                durable: self.shared.history.durability() == Durability::Disk,
            }),
            Err(AppendError::IdReused) => Err(SendError::IdReused),
            Err(AppendError::Unavailable(error)) => Err(SendError::Store(error.clone())),
            Err(other) => Err(SendError::Store(HistoryError::other(other.clone()))),
        }
    }
}

impl Drop for PendingAppend {
    fn drop(&mut self) {
        if self.open.is_some() {
            self.settle_once(Err(HistoryError::other("the message was dropped").into()));
        }
    }
}
