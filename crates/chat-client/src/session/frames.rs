//! Frames of the server.

use std::sync::Arc;
use std::time::Duration;

use chat_protocol::v2::{
    self, Announcement, AnnouncementFrame, AuditPage, Blocked, BlockedUser, DirectRoom, DirectoryPage,
    Dropped, Error, ErrorCode, InviteLinkFrame, Kept, Read, ReportsPage, RolesPage, ServerFrame, Since,
};
use chat_protocol::{Reference, RoomName};
use serde::Deserialize;
use tokio::time::Instant;

use super::{Outgoing, PendingCall, Session};
use crate::model::{CommandError, Event};

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
            Ok(frame) => self.dispatch(frame, text, now),
            Err(error) => self.on_unknown(text, &error, now),
        }
    }

    /// A newer server may use types that this client does not know. A command whose answer cannot
    /// be read fails. An event has its place in the room's stream nevertheless.
    fn on_unknown(&mut self, text: &str, error: &serde_json::Error, now: Instant) {
        self.counters.unexpected_frame();
        tracing::warn!(%error, "cannot read a frame from the server");
        self.on_unknown_event(text);
        let Ok(Outline { reference: Some(reference), code, message }) = serde_json::from_str(text) else {
            return;
        };
        let message = match (code, message) {
            (Some(code), Some(message)) => format!("{code}: {message}").into(),
            _ => "cannot read the answer of the server".into(),
        };
        let code = ErrorCode::Internal;
        self.on_error(
            Error {
                reference: Some(reference),
                code,
                message,
                retry_after_ms: None,
                denied: None,
                until: None,
            },
            now,
        );
    }

    fn dispatch(&mut self, frame: ServerFrame, text: &str, now: Instant) {
        match frame {
            ServerFrame::Message(message) => self.on_message(message, text),
            ServerFrame::Edited(edited) => self.on_edited(edited, text),
            ServerFrame::Reactions(reactions) => self.on_reactions(reactions, text),
            ServerFrame::Deleted(deleted) => self.on_deleted(deleted, text),
            ServerFrame::RoomChanged(changed) => self.on_room_changed(changed, text),
            ServerFrame::Sync(sync) => self.on_sync(sync),
            ServerFrame::Ack(ack) => self.on_ack(ack),
            ServerFrame::Presence(presence) => {
                self.room_event(&presence.room.clone(), Event::Presence(presence));
            }
            ServerFrame::Typing(typing) => self.room_event(&typing.room.clone(), Event::Typing(typing)),
            ServerFrame::Joined(joined) => self.on_joined(joined),
            ServerFrame::Left(left) => {
                match self.take_pending(left.reference.as_ref()) {
                    // a room that was joined again meanwhile
                    Some((_, PendingCall::Leave(_))) if !self.is_leaving(&left.room) => return,
                    // the room knows the command that waits for this
                    None | Some((_, PendingCall::Leave(_))) => {}
                    other => self.unexpected(other, "left"),
                }
                self.remove_room(&left.room, left.reason, left.until);
            }
            ServerFrame::History(mut page) => match self.take_pending(page.reference.take().as_ref()) {
                Some((_, PendingCall::History(responder))) => {
                    let page = Arc::new(page);
                    self.on_history(&page);
                    responder.respond(Ok(page));
                }
                other => self.unexpected(other, "history"),
            },
            ServerFrame::Members(mut page) => match self.take_pending(page.reference.take().as_ref()) {
                Some((_, PendingCall::Members(responder))) => responder.respond(Ok(page)),
                other => self.unexpected(other, "members"),
            },
            ServerFrame::Found(mut found) => match self.take_pending(found.reference.take().as_ref()) {
                Some((_, PendingCall::Search(responder))) => responder.respond(Ok(found)),
                other => self.unexpected(other, "found"),
            },
            ServerFrame::You(you) => {
                let event = Event::StandingChanged { room: you.room.clone(), standing: you.standing };
                self.room_event(&you.room, event);
            }
            ServerFrame::Warned(warned) => self.events.push_back(Event::Warned(warned)),
            ServerFrame::Done(done) => match self.take_pending(done.reference.as_ref()) {
                Some((_, PendingCall::Act(responder))) => responder.respond(Ok(())),
                other => self.unexpected(other, "done"),
            },
            ServerFrame::Roles(RolesPage { ref reference, .. })
            | ServerFrame::Reports(ReportsPage { ref reference, .. })
            | ServerFrame::Audit(AuditPage { ref reference, .. })
            | ServerFrame::InviteLink(InviteLinkFrame { ref reference, .. })
            | ServerFrame::Directory(DirectoryPage { ref reference, .. })
            | ServerFrame::Room(DirectRoom { ref reference, .. }) => {
                match self.take_pending(reference.as_ref()) {
                    Some((_, PendingCall::Ask(responder))) => responder.respond(Ok(Box::new(frame))),
                    other => self.unexpected(other, "an answer"),
                }
            }
            ServerFrame::Invited(invited) => self.events.push_back(Event::Invited(invited)),
            ServerFrame::Rooms(mut list) => {
                self.list.append(&mut list.entries);
                if !list.more {
                    self.events.push_back(Event::Rooms(std::mem::take(&mut self.list)));
                    let blocked = std::mem::take(&mut list.blocked).into_iter();
                    self.blocked = blocked.map(|blocked| (blocked.user, blocked.username)).collect();
                    self.events.push_back(Event::Blocked(self.blocked.clone()));
                }
            }
            ServerFrame::Kept(Kept { reference, entry }) => {
                match self.take_pending(reference.as_ref()) {
                    None => {}
                    Some((_, PendingCall::Keep(responder))) => responder.respond(Ok(Some(entry.clone()))),
                    other => self.unexpected(other, "kept"),
                }
                self.events.push_back(Event::Kept(entry));
            }
            ServerFrame::Dropped(Dropped { reference, room }) => {
                match self.take_pending(reference.as_ref()) {
                    None => {}
                    Some((_, PendingCall::Keep(responder))) => responder.respond(Ok(None)),
                    other => self.unexpected(other, "dropped"),
                }
                self.events.push_back(Event::Dropped(room));
            }
            ServerFrame::Read(Read { username: Some(username), room, epoch, up_to, .. }) => {
                self.events.push_back(Event::Seen { room, username, up_to: Since { epoch, seq: up_to } });
            }
            ServerFrame::Read(mut read) => {
                match self.take_pending(read.reference.take().as_ref()) {
                    None => {}
                    Some((_, PendingCall::MarkRead(responder))) => responder.respond(Ok(read.clone())),
                    other => self.unexpected(other, "read"),
                }
                self.events.push_back(Event::Read(read));
            }
            ServerFrame::Blocked(Blocked { user: BlockedUser { user, username }, on }) => {
                if on {
                    self.blocked.insert(user, username);
                } else {
                    self.blocked.remove(&user);
                }
                self.events.push_back(Event::Blocked(self.blocked.clone()));
            }
            ServerFrame::Inbox(inbox) => self.events.push_back(Event::Inbox(inbox)),
            // the answer to a `ping` of the heartbeat has no `ref`
            ServerFrame::Pong { reference: None } => {}
            ServerFrame::Pong { reference } => match self.take_pending(reference.as_ref()) {
                Some((_, PendingCall::Ping(responder, since))) => {
                    responder.respond(Ok(now.saturating_duration_since(since)));
                }
                other => self.unexpected(other, "pong"),
            },
            ServerFrame::Notice(notice) => self.events.push_back(Event::Notice(notice)),
            ServerFrame::Announcement(frame) => self.on_announcement(frame),
            ServerFrame::Error(error) => self.on_error(error, now),
            ServerFrame::Bye(bye) => self.bye = Some(bye),
            _ => {
                self.unexpected(None, "a frame");
                self.on_unknown_event(text);
            }
        }
    }

    /// An announcement was made or withdrawn.
    fn on_announcement(&mut self, frame: AnnouncementFrame) {
        if frame.withdrawn {
            if self.announcement.as_ref() == Some(&frame.id) {
                self.set_announcement(None);
            }
            return;
        }
        match frame.announcement() {
            Some(announcement) => self.set_announcement(Some(announcement)),
            None => self.unexpected(None, "an announcement without a text"),
        }
    }

    /// This is the announcement from now on. It is reported unless it is the one before.
    pub(super) fn set_announcement(&mut self, announcement: Option<Announcement>) {
        let id = announcement.as_ref().map(|announcement| announcement.id.clone());
        if self.announcement != id {
            self.announcement = id;
            self.events.push_back(Event::Announcement(announcement));
        }
    }

    fn take_pending(&mut self, reference: Option<&Reference>) -> Option<(u64, PendingCall)> {
        self.pending.remove_entry(&key(reference?)?)
    }

    /// A frame was not expected, or answers another kind of command. That command keeps waiting.
    pub(super) fn unexpected(&mut self, call: Option<(u64, PendingCall)>, what: &str) {
        self.counters.unexpected_frame();
        tracing::warn!("unexpected: {what}");
        self.pending.extend(call);
    }

    fn is_leaving(&self, room: &RoomName) -> bool {
        self.rooms.get(room).is_some_and(|room| room.leaving.is_some())
    }

    /// Delivers an event of a room, if the room is joined.
    fn room_event(&mut self, room: &RoomName, event: Event) {
        if self.is_joined(room) {
            self.events.push_back(event);
        } else {
            self.unexpected(None, "an event of a room");
        }
    }

    fn on_error(&mut self, error: Error, now: Instant) {
        let Error { reference, code, message, retry_after_ms, denied, until } = error;
        let retry_after = retry_after_ms.map(Duration::from_millis);
        let Some(key) = reference.as_ref().and_then(key) else {
            // for a command without an answer, such as `typing`
            tracing::debug!(?code, %message, "the server refused a command");
            return;
        };
        let refused =
            || CommandError::Refused { code, message: Arc::clone(&message), retry_after, denied, until };
        match self.pending.remove(&key) {
            Some(PendingCall::Send(room)) if code == ErrorCode::StoreUnavailable => {
                self.postpone(&room, key, retry_after.unwrap_or_default(), now);
            }
            Some(PendingCall::Send(room)) => self.settle(&room, key, Err(refused())),
            Some(PendingCall::Join(room)) => self.join_refused(&room, key, &refused(), now),
            Some(PendingCall::Leave(room)) => {
                // `None` if the server has removed the session meanwhile
                let leaving = self.rooms.get_mut(&room).and_then(|room| room.leaving.take());
                let Some(leaving) = leaving else { return };
                if code == ErrorCode::NotInRoom {
                    leaving.respond(Ok(()));
                    self.remove_room(&room, v2::LeftReason::Asked, None);
                } else {
                    leaving.respond(Err(refused()));
                }
            }
            Some(PendingCall::Change(responder)) => responder.respond(Err(refused())),
            Some(PendingCall::History(responder)) => responder.respond(Err(refused())),
            Some(PendingCall::Members(responder)) => responder.respond(Err(refused())),
            Some(PendingCall::Search(responder)) => responder.respond(Err(refused())),
            Some(PendingCall::Act(responder)) => responder.respond(Err(refused())),
            Some(PendingCall::Ask(responder)) => responder.respond(Err(refused())),
            Some(PendingCall::Keep(responder)) => responder.respond(Err(refused())),
            Some(PendingCall::MarkRead(responder)) => responder.respond(Err(refused())),
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
}

pub(super) fn key(reference: &Reference) -> Option<u64> {
    reference.as_str().parse().ok()
}
