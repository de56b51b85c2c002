//! What a client knows: the rooms it is in, how far their streams were told, what was asked and is not answered, what is to be
//! written next and told next. It outlives connections, does no I/O and has no clock of its own.

mod commands;
mod disconnect;
mod frames;
mod room;
mod send_queue;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chat_protocol::v2::{
    self, Bye, ClientFrame, Command, ErrorCode, Hello, HistoryPage, MembersPage, Welcome,
};
use chat_protocol::{Reference, RoomName};
use serde::Serialize;
use tokio::time::Instant;

use crate::command::Reply;
use crate::model::{CommandError, Connected, Counting, Event, Options};
use room::{Room, Stage};

/// With so many frames to write no further command is taken.
const MOST_OUT: usize = 1_024;

/// A command that is not answered.
#[derive(Debug)]
enum Call {
    Join(RoomName),
    Leave(RoomName),
    Send(RoomName),
    History(Reply<HistoryPage>),
    Members(Reply<MembersPage>),
    /// Since when.
    Ping(Reply<Duration>, Instant),
}

/// Something to write.
#[derive(Debug)]
enum Out {
    Command(ClientFrame),
    /// The message under this key in this room, if it still has no answer by then: it is kept once, where it waits for its ack.
    Send(RoomName, u64),
}

/// What a client knows. It holds secrets, so it can't be printed.
pub(crate) struct Session {
    options: Arc<Options>,
    /// Draws from 0 to 1.
    jitter: fn() -> f64,
    counting: Arc<Counting>,
    /// The rooms to be in.
    rooms: BTreeMap<RoomName, Room>,
    /// What is not answered, by the number in its `ref`. Messages stay over a reconnect, everything else does not.
    calls: HashMap<u64, Call>,
    /// The next `ref`. None is used twice, on whatever connection.
    next_key: u64,
    /// What is to be written on this connection.
    out: VecDeque<Out>,
    /// What is to be told.
    events: VecDeque<Event>,
    /// Since when the present connection has a session.
    began_at: Option<Instant>,
    /// The secret of the last `welcome`.
    resume: Option<String>,
    /// The largest frame that the server takes, in bytes.
    largest: usize,
    /// What the server said before the end that is to come.
    bye: Option<Bye>,
    /// How often in a row there was no lasting connection.
    attempts: u32,
    /// When there may be something to do without being told; never too late.
    due: Option<Instant>,
}

impl Session {
    pub(crate) fn new(options: Arc<Options>, counting: Arc<Counting>, jitter: fn() -> f64) -> Self {
        Self {
            options,
            jitter,
            counting,
            rooms: BTreeMap::new(),
            calls: HashMap::new(),
            next_key: 1,
            out: VecDeque::new(),
            events: VecDeque::new(),
            began_at: None,
            resume: None,
            largest: usize::MAX,
            bye: None,
            attempts: 0,
            due: None,
        }
    }

    /// What the next connection begins with, all but the token.
    pub(crate) fn hello(&self) -> Hello {
        Hello {
            username: self.options.username.clone(),
            resume: self.resume.clone(),
            token: None,
            client: self.options.client.clone(),
            render: self.options.render,
        }
    }

    /// A session began: every room is joined, again or for the first time.
    pub(crate) fn connected(&mut self, welcome: Welcome, now: Instant) {
        self.counting.session();
        self.began_at = Some(now);
        self.resume = Some(welcome.resume);
        self.largest = usize::try_from(welcome.limits.message_bytes).unwrap_or(usize::MAX);
        self.events.push_back(Event::Connected(Connected {
            session: welcome.session,
            username: welcome.username,
            server: welcome.server,
            limits: welcome.limits,
        }));
        let rooms: Vec<_> = self.rooms.keys().cloned().collect();
        for room in rooms {
            self.ask_to_join(&room);
        }
    }

    /// The next frame to write.
    pub(crate) fn next_frame(&mut self) -> Option<String> {
        while let Some(out) = self.out.pop_front() {
            let frame = match out {
                Out::Command(frame) => Some(json(&frame)),
                Out::Send(room, key) => self.message(&room, key),
            };
            if frame.is_some() {
                return frame;
            }
        }
        None
    }

    /// The next event to tell.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether there is something to tell.
    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Nobody wants to be told anything any more.
    pub(crate) fn forget_events(&mut self) {
        self.events.clear();
    }

    /// Whether more commands may come.
    pub(crate) fn takes_requests(&self) -> bool {
        self.out.len() < MOST_OUT
    }

    /// Asks for a sign of life.
    pub(crate) fn ping(&mut self) {
        self.out.push_back(Out::Command(ClientFrame { reference: None, command: Command::Ping }));
    }

    /// When to call [`time`](Self::time).
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Does what is due.
    pub(crate) fn time(&mut self, now: Instant) {
        let mut rejoin = Vec::new();
        for (name, room) in &mut self.rooms {
            if matches!(room.stage, Stage::Later(until) if until <= now) {
                rejoin.push(name.clone());
            }
            if let Some(key) = room.lane.due(now) {
                self.out.push_back(Out::Send(name.clone(), key));
            }
        }
        for room in rejoin {
            self.ask_to_join(&room);
        }
        self.due = self.rooms.values().filter_map(Room::deadline).min();
    }

    fn is_up(&self) -> bool {
        self.began_at.is_some()
    }

    fn schedule(&mut self, at: Instant) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    fn pause(&self, attempt: u32) -> Duration {
        self.options.backoff.delay(attempt, (self.jitter)())
    }

    fn new_key(&mut self) -> u64 {
        let key = self.next_key;
        self.next_key += 1;
        key
    }

    /// Writes a command, and notes who waits for the answer.
    fn ask(&mut self, call: Call, command: Command) -> u64 {
        let key = self.new_key();
        self.calls.insert(key, call);
        self.out.push_back(Out::Command(ClientFrame { reference: reference(key), command }));
        key
    }

    fn ask_to_join(&mut self, name: &RoomName) {
        let Some(room) = self.rooms.get(name) else { return };
        let since = room.stream.as_ref().map(stream::Stream::since);
        let join = v2::Join { room: name.clone(), since, history: room.history };
        let key = self.ask(Call::Join(name.clone()), Command::Join(join));
        if let Some(room) = self.rooms.get_mut(name) {
            room.stage = Stage::Asked(key);
        }
    }

    /// The frame of a message. None when it has its answer by now; one that the server would not take gets it here: the server would
    /// end the connection, and the message would end the next one, too.
    fn message(&mut self, room: &RoomName, key: u64) -> Option<String> {
        let (body, id) = self.rooms.get(room)?.lane.get(key)?;
        let send = v2::Send { room: room.clone(), body: Arc::clone(body), id: Some(id.clone()) };
        let frame = json(&ClientFrame { reference: reference(key), command: Command::Send(send) });
        if frame.len() <= self.largest {
            return Some(frame);
        }
        let too_large =
            format!("a frame of {} bytes is too large: the server takes {}", frame.len(), self.largest);
        self.settle(room, key, Err(CommandError::refused(ErrorCode::MessageTooLarge, &too_large)));
        None
    }

    /// Gives a message its answer, and lets those go that waited for it.
    fn settle(&mut self, room: &RoomName, key: u64, answer: Result<v2::Ack, CommandError>) {
        let Some((reply, now_out)) = self.rooms.get_mut(room).and_then(|room| room.lane.settle(key)) else {
            return;
        };
        self.calls.remove(&key);
        reply.answer(answer);
        self.out.extend(now_out.into_iter().map(|key| Out::Send(room.clone(), key)));
    }
}

fn reference(key: u64) -> Option<Reference> {
    // a number has at most 20 digits
    key.to_string().parse().ok()
}

/// What goes over the wire.
pub(crate) fn json(frame: &impl Serialize) -> String {
    // structs of strings and numbers cannot fail to serialize
    let written = serde_json::to_string(frame);
    debug_assert!(written.is_ok());
    written.unwrap_or_default()
}
