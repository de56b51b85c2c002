//! The state of a client: the rooms it is in, the position in each room's stream, the commands
//! without an answer, the frames to write, and the events to deliver. It outlives connections. It
//! does no I/O and has no clock.
//!
//! Commands come in through [`on_request`](Session::on_request) (`commands`), frames of the server
//! through [`on_frame`](Session::on_frame) (`frames`), the end of a connection through
//! [`on_disconnected`](Session::on_disconnected) (`disconnect`). Frames and events go out through
//! [`next_frame`](Session::next_frame) and [`next_event`](Session::next_event).

mod commands;
mod disconnect;
mod durable;
mod frames;
mod joining;
mod own_messages;
mod room;
mod send_queue;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chat_protocol::v2::{
    self, Bye, ClientFrame, Command, ErrorCode, Found, Hello, HistoryPage, MembersPage, Read, RoomListEntry,
    ServerFrame, Welcome,
};
use chat_protocol::{AnnouncementId, Reference, RoomName, UserId, Username};
use tokio::time::Instant;

use crate::command::Responder;
use crate::model::{Ack, CommandError, Connected, CounterCells, Draft, Event, Options, to_json};
use room::Room;

/// The number of frames to write at which no further command is accepted.
const MAX_OUTGOING: usize = 1_024;

/// A command without an answer.
#[derive(Debug)]
enum PendingCall {
    Join(RoomName),
    Leave(RoomName),
    Send(RoomName),
    Change(Responder<Option<u64>>),
    History(Responder<Arc<HistoryPage>>),
    Members(Responder<MembersPage>),
    Search(Responder<Found>),
    Act(Responder<()>),
    /// A command whose answer is a frame of its own.
    Ask(Responder<Box<ServerFrame>>),
    Keep(Responder<Option<RoomListEntry>>),
    MarkRead(Responder<Read>),
    /// With the time at which it was sent.
    Ping(Responder<Duration>, Instant),
}

/// A frame to write.
#[derive(Debug)]
enum Outgoing {
    Command(ClientFrame),
    /// The message under this key in this room, if it still has no answer when it is written. The
    /// room's send queue holds the message itself.
    Send(RoomName, u64),
}

/// The state of a client. It contains secrets, so it has no `Debug`.
pub(crate) struct Session {
    options: Arc<Options>,
    /// Returns a random number between 0 and 1.
    jitter: fn() -> f64,
    counters: Arc<CounterCells>,
    /// The rooms that the user wants to be in.
    rooms: BTreeMap<RoomName, Room>,
    /// The commands without an answer, by the number in their `ref`. Only messages survive a
    /// reconnect.
    pending: HashMap<u64, PendingCall>,
    /// The next `ref`. It is unique across connections.
    next_key: u64,
    /// The frames to write on this connection.
    outgoing: VecDeque<Outgoing>,
    /// The events to deliver.
    events: VecDeque<Event>,
    /// The part of the list of the user's rooms that has arrived.
    list: Vec<RoomListEntry>,
    /// Whom the user has blocked, with the names that are known.
    blocked: BTreeMap<UserId, Option<Username>>,
    /// When the session of the current connection began.
    connected_at: Option<Instant>,
    /// The id of the newest session, which the next one replaces.
    replaces: Option<String>,
    /// The user as whom the newest session acts.
    user: Option<UserId>,
    /// The ids of that user: this one, and those that it had as a guest.
    own_ids: Vec<UserId>,
    /// The id of the current announcement.
    announcement: Option<AnnouncementId>,
    /// Whether the server stores messages, by its last ack.
    stores: bool,
    /// The size of the largest frame that the server accepts.
    max_frame_bytes: usize,
    /// The `bye` that announced the end of the current connection.
    bye: Option<Bye>,
    /// The number of consecutive attempts without a lasting connection.
    attempts: u32,
    /// The earliest time at which something may be due.
    next_deadline: Option<Instant>,
}

impl Session {
    pub(crate) fn new(options: Arc<Options>, counters: Arc<CounterCells>, jitter: fn() -> f64) -> Self {
        Self {
            options,
            jitter,
            counters,
            rooms: BTreeMap::new(),
            pending: HashMap::new(),
            next_key: 1,
            outgoing: VecDeque::new(),
            events: VecDeque::new(),
            list: Vec::new(),
            blocked: BTreeMap::new(),
            connected_at: None,
            replaces: None,
            user: None,
            own_ids: Vec::new(),
            announcement: None,
            stores: true,
            max_frame_bytes: usize::MAX,
            bye: None,
            attempts: 0,
            next_deadline: None,
        }
    }

    /// The `hello` of the next connection, without the token of an account.
    pub(crate) fn hello(&self) -> Hello {
        Hello {
            username: Some(self.options.username.clone()),
            token: None,
            guest_token: self.options.guest_token.clone(),
            replaces: self.replaces.clone(),
            client: self.options.client.clone(),
            render: self.options.render,
        }
    }

    /// A session began: requests to join every room.
    pub(crate) fn on_connected(&mut self, welcome: Welcome, now: Instant) {
        self.counters.session();
        self.connected_at = Some(now);
        self.replaces = Some(welcome.session.clone());
        self.user = Some(welcome.user.id.clone());
        self.own_ids = [&welcome.user.id].into_iter().chain(&welcome.user.was).cloned().collect();
        self.max_frame_bytes = usize::try_from(welcome.limits.message_bytes).unwrap_or(usize::MAX);
        self.events.push_back(Event::Connected(Connected {
            session: welcome.session,
            user: welcome.user,
            server: welcome.server,
            limits: welcome.limits,
        }));
        self.set_announcement(welcome.announcement);
        let rooms: Vec<_> = self.rooms.keys().cloned().collect();
        for room in rooms {
            self.request_join(&room);
        }
    }

    /// The next frame to write.
    pub(crate) fn next_frame(&mut self) -> Option<String> {
        while let Some(outgoing) = self.outgoing.pop_front() {
            let frame = match outgoing {
                Outgoing::Command(frame) => Some(to_json(&frame)),
                Outgoing::Send(room, key) => self.message(&room, key),
            };
            if frame.is_some() {
                return frame;
            }
        }
        None
    }

    /// The next event to deliver.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether there are events to deliver.
    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Discards the events: the user has dropped the stream of events.
    pub(crate) fn discard_events(&mut self) {
        self.events.clear();
    }

    /// Whether another command may be accepted.
    pub(crate) fn accepts_requests(&self) -> bool {
        self.outgoing.len() < MAX_OUTGOING
    }

    /// Queues a `ping` of the heartbeat.
    pub(crate) fn ping(&mut self) {
        self.outgoing.push_back(Outgoing::Command(ClientFrame { reference: None, command: Command::Ping }));
    }

    /// When to call [`on_deadline`](Self::on_deadline).
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.next_deadline
    }

    /// Does what is due.
    pub(crate) fn on_deadline(&mut self, now: Instant) {
        let mut rejoin = Vec::new();
        for (name, room) in &mut self.rooms {
            if room.stage.retry_at().is_some_and(|at| at <= now) {
                rejoin.push(name.clone());
            }
            if let Some(key) = room.send_queue.due(now) {
                self.outgoing.push_back(Outgoing::Send(name.clone(), key));
            }
        }
        for room in rejoin {
            self.request_join(&room);
        }
        self.next_deadline = self.rooms.values().filter_map(Room::deadline).min();
    }

    fn is_connected(&self) -> bool {
        self.connected_at.is_some()
    }

    fn schedule(&mut self, at: Instant) {
        self.next_deadline = Some(self.next_deadline.map_or(at, |deadline| deadline.min(at)));
    }

    fn delay(&self, attempt: u32) -> Duration {
        self.options.backoff.delay(attempt, (self.jitter)())
    }

    fn new_key(&mut self) -> u64 {
        let key = self.next_key;
        self.next_key += 1;
        key
    }

    /// Queues a command, and records who waits for the answer.
    fn call(&mut self, call: PendingCall, command: Command) -> u64 {
        let key = self.new_key();
        self.pending.insert(key, call);
        self.outgoing.push_back(Outgoing::Command(ClientFrame { reference: reference(key), command }));
        key
    }

    fn request_join(&mut self, name: &RoomName) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        let since = room.stream.as_mut().map(stream::Stream::request);
        let (invite, history) = (room.invite, room.history);
        let join = v2::Join { room: name.clone(), invite, since, history };
        let key = self.call(PendingCall::Join(name.clone()), Command::Join(join));
        if let Some(room) = self.rooms.get_mut(name) {
            room.stage = room.stage.requested(key);
        }
    }

    /// The frame of a message. `None` if the message has been answered meanwhile. A frame that is
    /// too large is refused here: the server would end the connection, and the message would end
    /// the next one as well.
    fn message(&mut self, room: &RoomName, key: u64) -> Option<String> {
        let (Draft { body, reply_to }, id) = self.rooms.get(room)?.send_queue.get(key)?;
        let (body, id) = (Arc::clone(body), Some(id.clone()));
        let send = v2::Send { room: room.clone(), body, reply_to: *reply_to, id };
        let frame = to_json(&ClientFrame { reference: reference(key), command: Command::Send(send) });
        if frame.len() <= self.max_frame_bytes {
            return Some(frame);
        }
        let too_large = format!(
            "a frame of {} bytes is too large: the server takes {}",
            frame.len(),
            self.max_frame_bytes
        );
        self.settle(room, key, Err(CommandError::refused(ErrorCode::MessageTooLarge, &too_large)));
        None
    }

    /// Answers a message, and sends those that waited for it.
    fn settle(&mut self, room: &RoomName, key: u64, answer: Result<Ack, CommandError>) {
        let settled = self.rooms.get_mut(room).and_then(|room| room.send_queue.settle(key));
        let Some((responder, to_send)) = settled else { return };
        self.pending.remove(&key);
        responder.respond(answer);
        self.outgoing.extend(to_send.into_iter().map(|key| Outgoing::Send(room.clone(), key)));
    }
}

fn reference(key: u64) -> Option<Reference> {
    // a number has at most 20 digits, which a reference may have
    key.to_string().parse().ok()
}
