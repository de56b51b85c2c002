//! The answer to `join`: for the first one, after a reconnect, and for a resync.

use std::sync::Arc;

use chat_protocol::RoomName;
use chat_protocol::v2::{self, Command, ErrorCode};
use tokio::time::Instant;

use super::frames::key;
use super::room::Stage;
use super::stream::Stream;
use super::{Outgoing, PendingCall, Session};
use crate::model::{CommandError, Event, Joined, after};

impl Session {
    pub(super) fn on_joined(&mut self, frame: v2::Joined) {
        let requested = frame.reference.as_ref().and_then(key);
        let room = self.rooms.get(&frame.room);
        let Some(key) = requested.filter(|key| room.is_some_and(|room| room.stage.waits_for(*key))) else {
            self.on_unwanted_join(requested, frame.room);
            return;
        };
        self.pending.remove(&key);
        self.settle_stored(&frame.room, frame.messages.iter().chain(frame.changed.iter().flatten()));
        self.enter(frame);
    }

    /// Opens or continues a room's stream, and its send queue.
    fn enter(&mut self, frame: v2::Joined) {
        let v2::Joined {
            room: name, epoch, seq, oldest, info, members, member_count, first, messages, ..
        } = frame;
        let Some(room) = self.rooms.get_mut(&name) else { return };
        let is_resync = room.stage.is_joined();
        room.stage = Stage::Joined;
        room.attempts = 0;

        let since = room.stream.as_ref().map(Stream::cursor);
        let continued = room.stream.as_mut().filter(|stream| stream.is_continued_by(&epoch, seq));
        let continued = continued.filter(|_| frame.recovered);
        let mut joined = Joined {
            room: name.clone(),
            epoch: epoch.clone(),
            seq,
            oldest,
            topic_html: info.topic_html,
            info: info.settings,
            standing: info.standing,
            members,
            member_count,
            first,
            messages: Vec::new(),
            recovered: continued.is_some(),
            since,
        };
        let recovered = joined.recovered;
        if let Some(stream) = continued {
            self.events.push_back(Event::Joined(Arc::new(joined)));
            let changed = frame.changed.unwrap_or_default();
            let count = stream.recover(seq, messages, changed, &mut self.events, &self.counters);
            self.events.push_back(Event::Recovered { room: name.clone(), count });
        } else {
            room.stream = Some(Stream::new(name.clone(), epoch, seq));
            joined.messages = messages;
            let joined = Arc::new(joined);
            if let Some(joining) = room.joining.take() {
                joining.respond(Ok(Arc::clone(&joined)));
            }
            self.events.push_back(Event::Joined(joined));
        }

        let to_send = match (is_resync, recovered) {
            (false, _) => room.send_queue.open(),
            // it is open, or waits for the store
            (true, true) => Vec::new(),
            // what is in flight may be in the part of the history that was lost
            (true, false) => {
                room.send_queue.close();
                room.send_queue.open()
            }
        };
        let leaves = room.leaving.is_some() && !is_resync;
        self.outgoing.extend(to_send.into_iter().map(|key| Outgoing::Send(name.clone(), key)));
        if leaves {
            self.call(PendingCall::Leave(name.clone()), Command::Leave { room: name });
        }
    }

    /// A `joined` that no room waits for. If it answers a resync that crossed the session's removal
    /// from the room, the session is in the room again, against the program's will.
    fn on_unwanted_join(&mut self, requested: Option<u64>, name: RoomName) {
        let is_resync =
            |key: &u64| matches!(self.pending.get(key), Some(PendingCall::Join(room)) if *room == name);
        match requested.filter(is_resync) {
            Some(key) if !self.rooms.contains_key(&name) => {
                self.pending.remove(&key);
                self.call(PendingCall::Leave(name.clone()), Command::Leave { room: name });
            }
            _ => self.unexpected(None, "joined"),
        }
    }

    pub(super) fn join_refused(&mut self, name: &RoomName, key: u64, error: &CommandError, now: Instant) {
        let CommandError::Refused { code, message, retry_after, .. } = error else { return };
        let code = *code;
        let Some(room) = self.rooms.get_mut(name).filter(|room| room.stage.waits_for(key)) else { return };
        let is_resync = room.stage.is_joined();
        if is_resync && room.leaving.is_some() {
            room.stage = Stage::Joined;
            return;
        }
        if is_resync || (room.is_rejoin() && room.leaving.is_none() && is_temporary(code)) {
            let attempt = room.attempts;
            room.attempts = room.attempts.saturating_add(1);
            let retry_in = self.delay(attempt).max(retry_after.unwrap_or_default());
            let at = after(now, retry_in);
            if let Some(room) = self.rooms.get_mut(name) {
                room.stage = room.stage.refused_until(at);
            }
            self.schedule(at);
            let (room, message) = (name.clone(), Arc::clone(message));
            self.events.push_back(Event::RejoinDelayed { room, code, message, retry_in });
            return;
        }
        let Some(room) = self.rooms.remove(name) else { return };
        if room.stream.is_some() {
            let (room, message) = (name.clone(), Arc::clone(message));
            self.events.push_back(Event::RejoinRefused { room, code, message });
        }
        self.fail_commands(room, error);
    }
}

/// Whether a rejoin that was refused with this code may succeed later.
fn is_temporary(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::UsernameTaken | ErrorCode::RateLimited | ErrorCode::StoreUnavailable | ErrorCode::Internal
    )
}
