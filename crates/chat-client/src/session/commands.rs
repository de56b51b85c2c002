//! Commands of the user.

use std::sync::Arc;

use chat_protocol::v2::{ClientFrame, Command, ErrorCode, LeftReason};
use chat_protocol::{InviteCode, MessageId, RoomName, Timestamp};
use tokio::time::Instant;

use super::room::{Room, Stage};
use super::{Outgoing, PendingCall, Session};
use crate::command::{Request, Responder};
use crate::model::{Ack, CommandError, Draft, Event, Joined};

impl Session {
    /// Takes a command: answers it at once, or queues a frame and waits for the server's answer.
    pub(crate) fn on_request(&mut self, request: Request, now: Instant) {
        match request {
            Request::Join { room, invite, history, responder } => {
                self.join(&room, invite, history, responder);
            }
            Request::Leave { room, responder } => self.leave(room, responder),
            Request::Send { room, message, id, responder } => self.send(room, message, id, responder),
            Request::Change { command, responder } => {
                if let Some(responder) = self.if_connected(responder) {
                    self.call(PendingCall::Change(responder), command);
                }
            }
            Request::History { query, responder } => {
                if let Some(responder) = self.if_connected(responder) {
                    self.call(PendingCall::History(responder), Command::History(query));
                }
            }
            Request::Members { query, responder } => {
                if let Some(responder) = self.if_connected(responder) {
                    self.call(PendingCall::Members(responder), Command::Members(query));
                }
            }
            Request::Search { query, responder } => {
                if let Some(responder) = self.if_connected(responder) {
                    self.call(PendingCall::Search(responder), Command::Search(query));
                }
            }
            Request::Act { command, responder } => {
                if let Some(responder) = self.if_connected(responder) {
                    self.call(PendingCall::Act(responder), command);
                }
            }
            Request::Ask { command, responder } => {
                if let Some(responder) = self.if_connected(responder) {
                    self.call(PendingCall::Ask(responder), command);
                }
            }
            Request::Keep { change, responder } => {
                if let Some(responder) = self.if_connected(responder) {
                    self.call(PendingCall::Keep(responder), Command::Keep(change));
                }
            }
            Request::MarkRead { mark, responder } => {
                if let Some(responder) = self.if_connected(responder) {
                    self.call(PendingCall::MarkRead(responder), Command::MarkRead(mark));
                }
            }
            Request::Ping { responder } => {
                if let Some(responder) = self.if_connected(responder) {
                    self.call(PendingCall::Ping(responder, now), Command::Ping);
                }
            }
            Request::Typing { room, responder } => {
                if let Some(responder) = self.if_connected(responder) {
                    let command = Command::Typing { room };
                    self.outgoing.push_back(Outgoing::Command(ClientFrame { reference: None, command }));
                    responder.respond(Ok(()));
                }
            }
        }
    }

    /// Commands that belong to one connection fail at once without one.
    fn if_connected<T>(&self, responder: Responder<T>) -> Option<Responder<T>> {
        if self.is_connected() {
            return Some(responder);
        }
        responder.respond(Err(CommandError::Disconnected));
        None
    }

    fn join(
        &mut self,
        name: &RoomName,
        invite: Option<InviteCode>,
        history: u64,
        responder: Responder<Arc<Joined>>,
    ) {
        if let Some(room) = self.rooms.get(name) {
            let why = if room.leaving.is_some() {
                "the session is still leaving this room"
            } else {
                "the session has already joined this room"
            };
            responder.respond(Err(CommandError::refused(ErrorCode::AlreadyInRoom, why)));
            return;
        }
        self.rooms.insert(name.clone(), Room::new(invite, history, responder));
        if self.is_connected() {
            self.request_join(name);
        }
    }

    fn leave(&mut self, name: RoomName, responder: Responder<()>) {
        let Some(room) = self.rooms.get_mut(&name).filter(|room| room.leaving.is_none()) else {
            responder.respond(Err(not_in_room()));
            return;
        };
        room.leaving = Some(responder);
        match room.stage {
            Stage::Joined | Stage::Resyncing(_) | Stage::ResyncAt(_) => {
                if room.stage.retry_at().is_some() {
                    // a room that is left needs no missed events
                    room.stage = Stage::Joined;
                }
                self.call(PendingCall::Leave(name.clone()), Command::Leave { room: name });
            }
            // `leave` follows the messages that wait for `joined`
            Stage::Requested(_) => {}
            _ => self.remove_room(&name, LeftReason::Asked, None),
        }
    }

    fn send(&mut self, name: RoomName, message: Draft, id: MessageId, responder: Responder<Ack>) {
        let key = self.new_key();
        let Some(room) = self.rooms.get_mut(&name).filter(|room| room.leaving.is_none()) else {
            responder.respond(Err(not_in_room()));
            return;
        };
        let is_sent = room.send_queue.push(key, message, id, responder);
        self.pending.insert(key, PendingCall::Send(name.clone()));
        if is_sent {
            self.outgoing.push_back(Outgoing::Send(name, key));
        }
    }

    /// The session has left a room.
    pub(super) fn remove_room(&mut self, name: &RoomName, reason: LeftReason, until: Option<Timestamp>) {
        let Some(room) = self.rooms.remove(name) else { return };
        if room.stream.is_some() {
            self.events.push_back(Event::Left { room: name.clone(), reason, until });
        }
        self.fail_commands(room, &CommandError::LeftRoom);
    }

    /// Answers all commands about a room that has been removed.
    pub(super) fn fail_commands(&mut self, mut room: Room, error: &CommandError) {
        if let Some(leaving) = room.leaving.take() {
            leaving.respond(Ok(()));
        }
        if let Some(joining) = room.joining.take() {
            joining.respond(Err(error.clone()));
        }
        for (key, responder) in room.send_queue.drain() {
            self.pending.remove(&key);
            responder.respond(Err(error.clone()));
        }
    }
}

fn not_in_room() -> CommandError {
    CommandError::refused(ErrorCode::NotInRoom, "the session has not joined this room")
}
