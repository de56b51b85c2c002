//! The user's own messages, whose acks may have been lost.

use chat_protocol::RoomName;
use chat_protocol::v2::{self, StoredMessage};

use super::{PendingCall, Session};
use crate::model::Ack;

impl Session {
    pub(super) fn on_ack(&mut self, mut ack: v2::Ack) {
        let Some(key) = ack.reference.take().as_ref().and_then(super::frames::key) else {
            self.unexpected(None, "an ack");
            return;
        };
        if matches!(self.pending.get(&key), Some(PendingCall::Change(_)))
            && let Some(PendingCall::Change(responder)) = self.pending.remove(&key)
        {
            responder.respond(Ok(ack.seq));
            return;
        }
        if matches!(self.pending.get(&key), Some(PendingCall::Ask(_)))
            && let Some(PendingCall::Ask(responder)) = self.pending.remove(&key)
        {
            responder.respond(Ok(Box::new(v2::ServerFrame::Ack(ack))));
            return;
        }
        let Some(ack) = Ack::of_message(ack) else {
            self.unexpected(None, "an ack without the fields of a message");
            return;
        };
        self.stores = ack.stored;
        // a message that was sent again may be acked twice
        self.settle(&ack.room.clone(), key, Ok(ack));
    }

    /// The messages of a list are stored: answers those that wait for their acks. If the room is
    /// joined by this list, it must come before the send queue opens, so that they are not sent
    /// again.
    pub(super) fn settle_stored<'m>(
        &mut self,
        name: &RoomName,
        messages: impl IntoIterator<Item = &'m StoredMessage>,
    ) {
        for message in messages {
            if let Some((key, ack)) = self.ack_by_message(name, message) {
                self.settle(name, key, Ok(ack));
            }
        }
    }

    /// The ack that a message stands for: it is the user's own, under the id of a pending message
    /// that the server may have stored before. The ack of that message may have been lost.
    fn ack_by_message(&self, name: &RoomName, message: &StoredMessage) -> Option<(u64, Ack)> {
        let StoredMessage::Text { seq, id, user, sent_at, .. } = message else { return None };
        if self.user.as_ref() != Some(user) {
            return None;
        }
        let key = self.rooms.get(name)?.send_queue.find_sent(id)?;
        let (seq, id, sent_at) = (*seq, id.clone(), *sent_at);
        Some((key, Ack::new(name.clone(), seq, id, sent_at, self.stores)))
    }
}
