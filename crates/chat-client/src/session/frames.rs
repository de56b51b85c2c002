//! Frames of the server.

use std::sync::Arc;
use std::time::Duration;

use chat_protocol::v2::{self, Command, Error, ErrorCode, MessageFrame, ServerFrame, StoredMessage};
use chat_protocol::{Reference, RoomName};
use serde::Deserialize;
use tokio::time::Instant;

use super::room::Stage;
use super::stream::Stream;
use super::{Outgoing, PendingCall, Session};
use crate::model::{CommandError, Event, Joined, after};

/// The fields that a frame of unknown type may have.
#[derive(Deserialize)]
struct Outline {
    #[serde(rename = "ref")]
    reference: Option<Reference>,
    code: Option<String>,
    message: Option<Arc<str>>,
}

impl Session {
    /// Takes a frame of the server.
    pub(crate) fn on_frame(&mut self, text: &str, now: Instant) {
        match serde_json::from_str(text) {
            Ok(frame) => self.dispatch(frame, now),
            Err(error) => self.on_unknown(text, &error, now),
        }
    }

    /// A newer server may use types, codes and reasons that this client does not know. A command
    /// whose answer cannot be read fails.
    fn on_unknown(&mut self, text: &str, error: &serde_json::Error, now: Instant) {
        self.counters.unexpected_frame();
        tracing::warn!(%error, "cannot read a frame from the server");
        let Ok(Outline { reference: Some(reference), code, message }) = serde_json::from_str(text) else {
            return;
        };
        let message = match (code, message) {
            (Some(code), Some(message)) => format!("{code}: {message}").into(),
            _ => "cannot read the answer of the server".into(),
        };
        let code = ErrorCode::Internal;
        self.on_error(Error { reference: Some(reference), code, message, retry_after_ms: None }, now);
    }

    fn dispatch(&mut self, frame: ServerFrame, now: Instant) {
        match frame {
            ServerFrame::Message(message) => self.on_message(message),
            ServerFrame::Ack(ack) => self.on_ack(ack),
            ServerFrame::Presence(presence) => {
                self.room_event(&presence.room.clone(), Event::Presence(presence));
            }
            ServerFrame::Typing(typing) => self.room_event(&typing.room.clone(), Event::Typing(typing)),
            ServerFrame::Joined(joined) => self.on_joined(joined),
            ServerFrame::Left(left) => {
                match self.take_pending(left.reference.as_ref()) {
                    // the room knows the command that waits for this
                    None | Some((_, PendingCall::Leave(_))) => {}
                    other => self.unexpected(other, "left"),
                }
                self.remove_room(&left.room, left.reason);
            }
            ServerFrame::History(mut page) => match self.take_pending(page.reference.take().as_ref()) {
                Some((_, PendingCall::History(responder))) => responder.respond(Ok(page)),
                other => self.unexpected(other, "history"),
            },
            ServerFrame::Members(mut page) => match self.take_pending(page.reference.take().as_ref()) {
                Some((_, PendingCall::Members(responder))) => responder.respond(Ok(page)),
                other => self.unexpected(other, "members"),
            },
            // the answer to a `ping` of the heartbeat has no `ref`
            ServerFrame::Pong { reference: None } => {}
            ServerFrame::Pong { reference } => match self.take_pending(reference.as_ref()) {
                Some((_, PendingCall::Ping(responder, since))) => {
                    responder.respond(Ok(now.saturating_duration_since(since)));
                }
                other => self.unexpected(other, "pong"),
            },
            ServerFrame::Notice(notice) => self.events.push_back(Event::Notice(notice)),
            ServerFrame::Error(error) => self.on_error(error, now),
            ServerFrame::Bye(bye) => self.bye = Some(bye),
            _ => self.unexpected(None, "a frame"),
        }
    }

    fn take_pending(&mut self, reference: Option<&Reference>) -> Option<(u64, PendingCall)> {
        self.pending.remove_entry(&key(reference?)?)
    }

    /// A frame was not expected, or answers another kind of command. That command keeps waiting.
    fn unexpected(&mut self, call: Option<(u64, PendingCall)>, what: &str) {
        self.counters.unexpected_frame();
        tracing::warn!("unexpected: {what}");
        self.pending.extend(call);
    }

    /// Delivers an event of a room, if the room is joined.
    fn room_event(&mut self, room: &RoomName, event: Event) {
        if self.rooms.get(room).is_some_and(|room| room.stage == Stage::Joined) {
            self.events.push_back(event);
        } else {
            self.unexpected(None, "an event of a room");
        }
    }

    fn on_message(&mut self, message: MessageFrame) {
        let MessageFrame { room: name, seq, id, from, user, body, html, sent_at } = message;
        if self.rooms.get(&name).is_none_or(|room| room.stage != Stage::Joined) {
            self.unexpected(None, "a message");
            return;
        }
        let message = StoredMessage::Text { seq, id, from, user, body, html, sent_at };
        let ack = self.ack_by_message(&name, &message);
        let Some(stream) = self.rooms.get_mut(&name).and_then(|room| room.stream.as_mut()) else { return };
        stream.deliver(message, &mut self.events, &self.counters);
        if let Some((key, ack)) = ack {
            self.settle(&name, key, Ok(ack));
        }
    }

    /// The ack that a message stands for: it is the user's own, under the id of a pending message
    /// that the server may have stored before. The ack of that message may have been lost.
    fn ack_by_message(&self, name: &RoomName, message: &StoredMessage) -> Option<(u64, v2::Ack)> {
        let StoredMessage::Text { seq, id, user, sent_at, .. } = message else { return None };
        if self.user.as_ref() != Some(user) {
            return None;
        }
        let key = self.rooms.get(name)?.send_queue.find_sent(id)?;
        let (seq, id, sent_at) = (*seq, id.clone(), *sent_at);
        let ack = v2::Ack { reference: None, room: name.clone(), seq, id, sent_at, stored: self.stores };
        Some((key, ack))
    }

    fn on_ack(&mut self, mut ack: v2::Ack) {
        let Some(key) = ack.reference.take().and_then(|reference| key(&reference)) else {
            self.unexpected(None, "an ack");
            return;
        };
        self.stores = ack.stored;
        // a message that was sent again may be acked twice
        self.settle(&ack.room.clone(), key, Ok(ack));
    }

    fn on_joined(&mut self, joined: v2::Joined) {
        let requested = joined.reference.as_ref().and_then(key);
        let room = self.rooms.get(&joined.room);
        let room = room.filter(|room| requested.is_some_and(|key| room.stage == Stage::Requested(key)));
        let (Some(_), Some(key)) = (room, requested) else {
            self.unexpected(None, "joined");
            return;
        };
        self.pending.remove(&key);
        // before the queue opens, so that they are not sent again
        for message in &joined.messages {
            if let Some((key, ack)) = self.ack_by_message(&joined.room, message) {
                self.settle(&joined.room, key, Ok(ack));
            }
        }
        let Some(room) = self.rooms.get_mut(&joined.room) else { return };
        room.stage = Stage::Joined;
        room.attempts = 0;
        let mut answer = Joined {
            room: joined.room.clone(),
            epoch: joined.epoch.clone(),
            seq: joined.seq,
            members: joined.members.clone(),
            member_count: joined.member_count,
            messages: Vec::new(),
            rejoined: room.stream.is_some(),
        };
        let name = joined.room.clone();
        let to_send = room.send_queue.open();
        if let Some(stream) = &mut room.stream {
            self.events.push_back(Event::Joined(Arc::new(answer)));
            stream.catch_up(joined, &mut self.events, &self.counters);
        } else {
            room.stream = Some(Stream::new(name.clone(), joined.epoch, joined.seq));
            answer.messages = joined.messages;
            let answer = Arc::new(answer);
            if let Some(joining) = room.joining.take() {
                joining.respond(Ok(Arc::clone(&answer)));
            }
            self.events.push_back(Event::Joined(answer));
        }
        let leaves = room.leaving.is_some();
        self.outgoing.extend(to_send.into_iter().map(|key| Outgoing::Send(name.clone(), key)));
        if leaves {
            self.call(PendingCall::Leave(name.clone()), Command::Leave { room: name });
        }
    }

    fn on_error(&mut self, error: Error, now: Instant) {
        let Error { reference, code, message, retry_after_ms } = error;
        let retry_after = retry_after_ms.map(Duration::from_millis);
        let Some(key) = reference.as_ref().and_then(key) else {
            // for a command without an answer, such as `typing`
            tracing::debug!(?code, %message, "the server refused a command");
            return;
        };
        let refused = || CommandError::Refused { code, message: Arc::clone(&message), retry_after };
        match self.pending.remove(&key) {
            Some(PendingCall::Send(room)) if code == ErrorCode::StoreUnavailable => {
                self.postpone(&room, key, retry_after.unwrap_or_default(), now);
            }
            Some(PendingCall::Send(room)) => self.settle(&room, key, Err(refused())),
            Some(PendingCall::Join(room)) => self.join_refused(&room, key, code, &message, retry_after, now),
            Some(PendingCall::Leave(room)) => {
                // `None` if the server has removed the session meanwhile
                let leaving = self.rooms.get_mut(&room).and_then(|room| room.leaving.take());
                let Some(leaving) = leaving else { return };
                if code == ErrorCode::NotInRoom {
                    leaving.respond(Ok(()));
                    self.remove_room(&room, v2::LeftReason::Asked);
                } else {
                    leaving.respond(Err(refused()));
                }
            }
            Some(PendingCall::History(responder)) => responder.respond(Err(refused())),
            Some(PendingCall::Members(responder)) => responder.respond(Err(refused())),
            Some(PendingCall::Ping(responder, _)) => responder.respond(Err(refused())),
            None => tracing::debug!(?code, %message, "the server refused a command that is answered already"),
        }
    }

    /// The store could not take a message, and may have stored it: sends it again later, under the
    /// same id.
    fn postpone(&mut self, name: &RoomName, key: u64, at_least: Duration, now: Instant) {
        let (backoff, jitter) = (self.options.backoff, (self.jitter)());
        let delay = |failures| backoff.delay(failures, jitter).max(at_least);
        let Some(room) = self.rooms.get_mut(name) else { return };
        self.pending.insert(key, PendingCall::Send(name.clone()));
        if let Some(until) = room.send_queue.postpone(key, now, delay) {
            self.schedule(until);
        }
        // this was perhaps the last message in flight, and the delay is over
        if let Some(key) = self.rooms.get_mut(name).and_then(|room| room.send_queue.due(now)) {
            self.outgoing.push_back(Outgoing::Send(name.clone(), key));
        }
    }

    fn join_refused(
        &mut self,
        name: &RoomName,
        key: u64,
        code: ErrorCode,
        message: &Arc<str>,
        retry_after: Option<Duration>,
        now: Instant,
    ) {
        let delay = |session: &Self, attempts| session.delay(attempts).max(retry_after.unwrap_or_default());
        let Some(room) = self.rooms.get(name).filter(|room| room.stage == Stage::Requested(key)) else {
            return;
        };
        if room.is_rejoin() && room.leaving.is_none() && is_temporary(code) {
            let retry_in = delay(self, room.attempts);
            if let Some(room) = self.rooms.get_mut(name) {
                room.attempts = room.attempts.saturating_add(1);
                room.stage = Stage::RetryAt(after(now, retry_in));
            }
            self.schedule(after(now, retry_in));
            let (room, message) = (name.clone(), Arc::clone(message));
            self.events.push_back(Event::RejoinDelayed { room, code, message, retry_in });
            return;
        }
        let Some(room) = self.rooms.remove(name) else { return };
        if room.stream.is_some() {
            let (room, message) = (name.clone(), Arc::clone(message));
            self.events.push_back(Event::RejoinRefused { room, code, message });
        }
        self.fail_commands(room, &CommandError::Refused { code, message: Arc::clone(message), retry_after });
    }
}

/// Whether a rejoin that was refused with this code may succeed later.
fn is_temporary(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::UsernameTaken | ErrorCode::RateLimited | ErrorCode::StoreUnavailable | ErrorCode::Internal
    )
}

fn key(reference: &Reference) -> Option<u64> {
    reference.as_str().parse().ok()
}
