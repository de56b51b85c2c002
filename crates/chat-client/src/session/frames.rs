//! What the server says.

use std::sync::Arc;
use std::time::Duration;

use chat_protocol::v2::{self, Command, Error, ErrorCode, MessageFrame, ServerFrame, StoredMessage};
use chat_protocol::{Reference, RoomName};
use serde::Deserialize;
use tokio::time::Instant;

use super::room::Stage;
use super::stream::Stream;
use super::{Call, Out, Session};
use crate::model::{CommandError, Event, Joined, after};

/// What can be read of a frame that can't be read.
#[derive(Deserialize)]
struct Outline {
    #[serde(rename = "ref")]
    reference: Option<Reference>,
    code: Option<String>,
    message: Option<Arc<str>>,
}

impl Session {
    /// Takes a frame of the server.
    pub(crate) fn frame(&mut self, text: &str, now: Instant) {
        match serde_json::from_str(text) {
            Ok(frame) => self.read(frame, now),
            Err(error) => self.unreadable(text, &error, now),
        }
    }

    /// A newer server may know more types, codes and reasons than this client. Whoever waits for such an answer is told.
    fn unreadable(&mut self, text: &str, error: &serde_json::Error, now: Instant) {
        self.counting.stray();
        tracing::warn!(%error, "cannot read a frame from the server");
        let Ok(Outline { reference: Some(reference), code, message }) = serde_json::from_str(text) else {
            return;
        };
        let message = match (code, message) {
            (Some(code), Some(message)) => format!("{code}: {message}").into(),
            _ => "cannot read the answer of the server".into(),
        };
        let code = ErrorCode::Internal;
        self.error(Error { reference: Some(reference), code, message, retry_after_ms: None }, now);
    }

    fn read(&mut self, frame: ServerFrame, now: Instant) {
        match frame {
            ServerFrame::Message(message) => self.said(message),
            ServerFrame::Ack(ack) => self.acked(ack),
            ServerFrame::Presence(presence) => {
                self.told_in(&presence.room.clone(), Event::Presence(presence));
            }
            ServerFrame::Typing(typing) => self.told_in(&typing.room.clone(), Event::Typing(typing)),
            ServerFrame::Joined(joined) => self.joined(joined),
            ServerFrame::Left(left) => {
                match self.take_call(left.reference.as_ref()) {
                    // by the room it is known who waits for this
                    None | Some((_, Call::Leave(_))) => {}
                    other => self.misplaced(other, "left"),
                }
                self.leave_now(&left.room, left.reason);
            }
            ServerFrame::History(mut page) => match self.take_call(page.reference.take().as_ref()) {
                Some((_, Call::History(reply))) => reply.answer(Ok(page)),
                other => self.misplaced(other, "history"),
            },
            ServerFrame::Members(mut page) => match self.take_call(page.reference.take().as_ref()) {
                Some((_, Call::Members(reply))) => reply.answer(Ok(page)),
                other => self.misplaced(other, "members"),
            },
            // the heartbeat's own has no `ref`
            ServerFrame::Pong { reference: None } => {}
            ServerFrame::Pong { reference } => match self.take_call(reference.as_ref()) {
                Some((_, Call::Ping(reply, since))) => reply.answer(Ok(now.saturating_duration_since(since))),
                other => self.misplaced(other, "pong"),
            },
            ServerFrame::Notice(notice) => self.events.push_back(Event::Notice(notice)),
            ServerFrame::Error(error) => self.error(error, now),
            ServerFrame::Bye(bye) => self.bye = Some(bye),
            _ => self.misplaced(None, "a frame"),
        }
    }

    fn take_call(&mut self, reference: Option<&Reference>) -> Option<(u64, Call)> {
        self.calls.remove_entry(&key(reference?)?)
    }

    /// Something came where it has no place, or as an answer to something else: that goes on waiting.
    fn misplaced(&mut self, call: Option<(u64, Call)>, what: &str) {
        self.counting.stray();
        tracing::warn!("unexpected: {what}");
        self.calls.extend(call);
    }

    /// An event of a room that has to be joined.
    fn told_in(&mut self, room: &RoomName, event: Event) {
        if self.rooms.get(room).is_some_and(|room| room.stage == Stage::In) {
            self.events.push_back(event);
        } else {
            self.misplaced(None, "an event of a room");
        }
    }

    fn said(&mut self, message: MessageFrame) {
        let MessageFrame { room: name, seq, id, from, body, html, sent_at } = message;
        let room = self.rooms.get_mut(&name).filter(|room| room.stage == Stage::In);
        let Some(stream) = room.and_then(|room| room.stream.as_mut()) else {
            self.misplaced(None, "a message");
            return;
        };
        let message = StoredMessage::Said { seq, id, from, body, html, sent_at };
        stream.tell(message, &mut self.events, &self.counting);
    }

    fn acked(&mut self, mut ack: v2::Ack) {
        let Some(key) = ack.reference.take().and_then(|reference| key(&reference)) else {
            self.misplaced(None, "an ack");
            return;
        };
        // what was sent again may be acked twice
        self.settle(&ack.room.clone(), key, Ok(ack));
    }

    fn joined(&mut self, joined: v2::Joined) {
        let asked = joined.reference.as_ref().and_then(key);
        let room = self.rooms.get_mut(&joined.room);
        let room = room.filter(|room| asked.is_some_and(|key| room.stage == Stage::Asked(key)));
        let (Some(room), Some(key)) = (room, asked) else {
            self.misplaced(None, "joined");
            return;
        };
        self.calls.remove(&key);
        room.stage = Stage::In;
        room.attempts = 0;
        room.may_be_seated = false;
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
        let now_out = room.lane.open();
        if let Some(stream) = &mut room.stream {
            self.events.push_back(Event::Joined(Arc::new(answer)));
            stream.catch_up(joined, &mut self.events, &self.counting);
        } else {
            room.stream = Some(Stream::new(name.clone(), joined.epoch, joined.seq));
            answer.messages = joined.messages;
            let answer = Arc::new(answer);
            if let Some(joining) = room.joining.take() {
                joining.answer(Ok(Arc::clone(&answer)));
            }
            self.events.push_back(Event::Joined(answer));
        }
        let leaves = room.leaving.is_some();
        self.out.extend(now_out.into_iter().map(|key| Out::Send(name.clone(), key)));
        if leaves {
            self.ask(Call::Leave(name.clone()), Command::Leave { room: name });
        }
    }

    fn error(&mut self, error: Error, now: Instant) {
        let Error { reference, code, message, retry_after_ms } = error;
        let retry_after = retry_after_ms.map(Duration::from_millis);
        let Some(key) = reference.as_ref().and_then(key) else {
            // of what is not answered, such as `typing`
            tracing::debug!(?code, %message, "the server refused something");
            return;
        };
        let refused = || CommandError::Refused { code, message: Arc::clone(&message), retry_after };
        match self.calls.remove(&key) {
            Some(Call::Send(room)) if code == ErrorCode::StoreUnavailable => {
                self.put_off(&room, key, retry_after.unwrap_or_default(), now);
            }
            Some(Call::Send(room)) => self.settle(&room, key, Err(refused())),
            Some(Call::Join(room)) => self.join_refused(&room, key, code, &message, retry_after, now),
            Some(Call::Leave(room)) => {
                // none where the server put the session out meanwhile
                let leaving = self.rooms.get_mut(&room).and_then(|room| room.leaving.take());
                let Some(leaving) = leaving else { return };
                if code == ErrorCode::NotInRoom {
                    leaving.answer(Ok(()));
                    self.leave_now(&room, v2::LeftReason::Asked);
                } else {
                    leaving.answer(Err(refused()));
                }
            }
            Some(Call::History(reply)) => reply.answer(Err(refused())),
            Some(Call::Members(reply)) => reply.answer(Err(refused())),
            Some(Call::Ping(reply, _)) => reply.answer(Err(refused())),
            None => tracing::debug!(?code, %message, "the server refused what is answered already"),
        }
    }

    /// The store could not take a message, and its fate is not known: it goes again under the same id.
    fn put_off(&mut self, name: &RoomName, key: u64, at_least: Duration, now: Instant) {
        let (backoff, jitter) = (self.options.backoff, (self.jitter)());
        let pause = |failures| backoff.delay(failures, jitter).max(at_least);
        let Some(room) = self.rooms.get_mut(name) else { return };
        self.calls.insert(key, Call::Send(name.clone()));
        if let Some(until) = room.lane.put_off(key, now, pause) {
            self.schedule(until);
        }
        // it may have been the last on its way after the pause was over
        if let Some(key) = self.rooms.get_mut(name).and_then(|room| room.lane.due(now)) {
            self.out.push_back(Out::Send(name.clone(), key));
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
        let pause = |session: &Self, attempts| session.pause(attempts).max(retry_after.unwrap_or_default());
        let Some(room) = self.rooms.get(name).filter(|room| room.stage == Stage::Asked(key)) else { return };
        if room.is_rejoin() && room.leaving.is_none() && may_change(code) {
            let retry_in = pause(self, room.attempts);
            if let Some(room) = self.rooms.get_mut(name) {
                room.attempts = room.attempts.saturating_add(1);
                room.stage = Stage::Later(after(now, retry_in));
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
        self.abandon(room, &CommandError::Refused { code, message: Arc::clone(message), retry_after });
    }
}

/// Whether a room that one was in may let one in again later.
fn may_change(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::UsernameTaken | ErrorCode::RateLimited | ErrorCode::StoreUnavailable | ErrorCode::Internal
    )
}

fn key(reference: &Reference) -> Option<u64> {
    reference.as_str().parse().ok()
}
