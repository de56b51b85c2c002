//! What the user asks for.

use std::sync::Arc;

use chat_protocol::v2::{Ack, ClientFrame, Command, ErrorCode, LeftReason};
use chat_protocol::{MessageId, RoomName};
use tokio::time::Instant;

use super::room::{Room, Stage};
use super::{Call, Out, Session};
use crate::command::{Reply, Request};
use crate::model::{CommandError, Event, Joined};

impl Session {
    /// Takes a command: it is answered at once, or what it needs is written and somebody's answer is waited for.
    pub(crate) fn request(&mut self, request: Request, now: Instant) {
        match request {
            Request::Join { room, history, reply } => self.join(&room, history, reply),
            Request::Leave { room, reply } => self.leave(room, reply),
            Request::Send { room, body, id, reply } => self.send(room, body, id, reply),
            Request::History { query, reply } => {
                if let Some(reply) = self.only_up(reply) {
                    self.ask(Call::History(reply), Command::History(query));
                }
            }
            Request::Members { query, reply } => {
                if let Some(reply) = self.only_up(reply) {
                    self.ask(Call::Members(reply), Command::Members(query));
                }
            }
            Request::Ping { reply } => {
                if let Some(reply) = self.only_up(reply) {
                    self.ask(Call::Ping(reply, now), Command::Ping);
                }
            }
            Request::Typing { room, reply } => {
                if let Some(reply) = self.only_up(reply) {
                    let command = Command::Typing { room };
                    self.out.push_back(Out::Command(ClientFrame { reference: None, command }));
                    reply.answer(Ok(()));
                }
            }
        }
    }

    /// What belongs to one connection fails at once where there is none.
    fn only_up<T>(&self, reply: Reply<T>) -> Option<Reply<T>> {
        if self.is_up() {
            return Some(reply);
        }
        reply.answer(Err(CommandError::Disconnected));
        None
    }

    fn join(&mut self, name: &RoomName, history: u64, reply: Reply<Arc<Joined>>) {
        if let Some(room) = self.rooms.get(name) {
            let why = if room.leaving.is_some() {
                "the session is still leaving this room"
            } else {
                "the session has already joined this room"
            };
            reply.answer(Err(CommandError::refused(ErrorCode::AlreadyInRoom, why)));
            return;
        }
        self.rooms.insert(name.clone(), Room::new(history, reply));
        if self.is_up() {
            self.ask_to_join(name);
        }
    }

    fn leave(&mut self, name: RoomName, reply: Reply<()>) {
        let Some(room) = self.rooms.get_mut(&name).filter(|room| room.leaving.is_none()) else {
            reply.answer(Err(CommandError::refused(
                ErrorCode::NotInRoom,
                "the session has not joined this room",
            )));
            return;
        };
        room.leaving = Some(reply);
        match room.stage {
            Stage::In => {
                self.ask(Call::Leave(name.clone()), Command::Leave { room: name });
            }
            // behind what was said before, which waits for `joined`
            Stage::Asked(_) => {}
            _ => self.leave_now(&name, LeftReason::Asked),
        }
    }

    fn send(&mut self, name: RoomName, body: Arc<str>, id: MessageId, reply: Reply<Ack>) {
        let key = self.new_key();
        let Some(room) = self.rooms.get_mut(&name).filter(|room| room.leaving.is_none()) else {
            reply.answer(Err(CommandError::refused(
                ErrorCode::NotInRoom,
                "the session has not joined this room",
            )));
            return;
        };
        let may_go = room.lane.add(key, body, id, reply);
        self.calls.insert(key, Call::Send(name.clone()));
        if may_go {
            self.out.push_back(Out::Send(name, key));
        }
    }

    /// The session is not in a room any more.
    pub(super) fn leave_now(&mut self, name: &RoomName, reason: LeftReason) {
        let Some(room) = self.rooms.remove(name) else { return };
        if room.stream.is_some() {
            self.events.push_back(Event::Left { room: name.clone(), reason });
        }
        self.abandon(room, &CommandError::LeftRoom);
    }

    /// Answers whoever waits for something in a room that is given up.
    pub(super) fn abandon(&mut self, mut room: Room, why: &CommandError) {
        if let Some(leaving) = room.leaving.take() {
            leaving.answer(Ok(()));
        }
        if let Some(joining) = room.joining.take() {
            joining.answer(Err(why.clone()));
        }
        for (key, reply) in room.lane.drain() {
            self.calls.remove(&key);
            reply.answer(Err(why.clone()));
        }
    }
}
