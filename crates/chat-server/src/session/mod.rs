//! A session of `chat.v2` on a connection: a member of any number of rooms.

pub(crate) mod classic;
pub(crate) mod ending;
mod identity;
mod inherited;
pub(crate) mod protocol;
mod wrong_frames;

use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;

use chat_history::Page;
use chat_log::{Passed, cut};
use chat_outbox::{BacklogLimits, Outbox};
use chat_protocol::v2::{
    self, ClientFrame, Command, Error, ErrorCode, Hello, History, Join, LeftReason, Members,
    PAGE_MESSAGES_DEFAULT, Rejected, ServerFrame, Welcome, WelcomeLimits,
};
use chat_protocol::{CloseCode, Reference, RoomName};
use chat_rooms::{
    FrameSink, JoinError, JoinOptions, MembersQuery, Membership, Outgoing, Outlet, ReadError, SendError,
    SendWindow, Sent, count_error,
};
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use tokio::time::{Instant, sleep_until};

use crate::admission::rate_limit::Pace;
use crate::admission::stranger_log::Kind;
use crate::context::Context;
use crate::context::memberships::Seats;
use crate::context::sessions::TakenOver;
use crate::encoding::frames;
use crate::session::ending::Ending;
use crate::session::protocol::Talk;
use crate::transport::drained;
use crate::transport::tcp::Tcp;
use identity::Identity;
use inherited::Inherited;
use wrong_frames::WrongFrames;

/// How long a new connection waits for the earlier one to hand its seats over.
const HAND_OVER: std::time::Duration = std::time::Duration::from_secs(2);

/// When somebody who finds a room full should try again, in milliseconds.
const FULL_ROOM_RETRY_MS: u64 = 10_000;

/// How much longer than the pings come a client should wait before it asks for a sign of life.
const HEARTBEAT_SLACK: std::time::Duration = std::time::Duration::from_secs(5);

/// A session and its connection.
pub(crate) struct Session {
    context: Arc<Context>,
    outbox: Arc<Outbox<Tcp>>,
    /// Whether it takes compressed messages.
    deflates: bool,
    /// Where its client connects from.
    client: IpAddr,
    /// Who it is, once it has said so.
    identity: Option<Box<Identity>>,
    /// Until when it has to say so.
    hello_by: Instant,
    /// What has to be done before the next frame is read.
    busy: Option<Busy>,
    wrong_frames: WrongFrames,
}

enum Busy {
    /// A command that is carried out elsewhere.
    Working(BoxFuture<'static, Done>),
    /// Something to say, once the room takes it.
    Saying(Arc<Membership>, Outgoing),
    /// An answer is on its way: nothing more is read until it is out, since it is not held against the reader's backlog.
    Answering(Arc<Membership>, Sent),
    /// The reader has much to read.
    Draining,
}

/// What came of a command.
enum Done {
    /// Of `hello`.
    TookOver(Hello, Option<Reference>, Seats),
    /// Of `join`.
    Joined(Result<(Membership, Sent), JoinError>, Option<Reference>),
    /// Of `history`.
    Read(Arc<Membership>, Result<Sent, ReadError>, Option<Reference>),
}

impl Session {
    pub(crate) fn new(
        outbox: Arc<Outbox<Tcp>>,
        deflates: bool,
        client: IpAddr,
        context: Arc<Context>,
    ) -> Self {
        let hello_by = Instant::now() + context.config().timings.hello;
        let wrong_frames = WrongFrames::default();
        Self { context, outbox, deflates, client, identity: None, hello_by, busy: None, wrong_frames }
    }

    /// Sends a frame that has no place among a room's events.
    fn answer(&self, frame: &ServerFrame) {
        if let ServerFrame::Error(error) = frame {
            count_error(error.code);
        }
        // an outbox that takes nothing more says so to its own task, which is this one
        let _ = self.outbox.offer(&[frames::v2_frame(frame)]);
    }

    fn error(&self, reference: Option<Reference>, code: ErrorCode, message: impl Into<Arc<str>>) {
        let message = message.into();
        self.answer(&ServerFrame::Error(Error { reference, code, message, retry_after_ms: None }));
    }

    /// Answers a frame that was no command.
    fn reject(&mut self, Rejected { reference, code, message }: Rejected) -> Option<Ending> {
        self.error(reference, code, message);
        if self.identity.is_none() && code == ErrorCode::InvalidUsername {
            return Some(Ending::Failed(CloseCode::NotAccepted));
        }
        let too_many = code.is_wrong_frame() && self.wrong_frames.note(Instant::now());
        too_many.then_some(Ending::Failed(CloseCode::WrongFrames))
    }

    fn carry_out(&mut self, ClientFrame { reference, command }: ClientFrame) -> Option<Ending> {
        match command {
            Command::Hello(hello) => self.hello(hello, reference),
            Command::Ping => self.answer(&ServerFrame::Pong { reference }),
            Command::Join(join) => self.join(join, reference),
            Command::Leave { room } => self.leave(&room, reference),
            Command::Send(v2::Send { room, body, id }) => {
                if let Some(member) = self.member(&room, reference.as_ref()) {
                    self.busy = Some(Busy::Saying(member, Outgoing { body, id, reference }));
                }
            }
            Command::History(history) => self.history(&history, reference),
            Command::Members(Members { room, after, prefix, limit }) => {
                if let Some(member) = self.member(&room, reference.as_ref()) {
                    let limit = limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
                    let told = member.members_page(&MembersQuery { after, prefix, limit }, reference);
                    return self.answered(member, told, None);
                }
            }
            Command::Typing { room } => {
                if let Some(member) = self.member(&room, reference.as_ref()) {
                    member.typing();
                }
            }
            _ => self.error(reference, ErrorCode::UnknownType, "this server does not support this command"),
        }
        None
    }

    /// The session's seat in a room; none, and an error, where it has none.
    fn member(&self, room: &RoomName, reference: Option<&Reference>) -> Option<Arc<Membership>> {
        let member = self.identity.as_ref().and_then(|identity| identity.rooms.get(room));
        if member.is_none() {
            self.error(
                reference.cloned(),
                ErrorCode::NotInRoom,
                format!("you are not in the room \"{room}\""),
            );
        }
        member.cloned()
    }

    /// A member is not in any more: the operator has put it out, and the session goes on without that room; or it read too slowly.
    fn out(&mut self, member: &Membership, reference: Option<Reference>) -> Option<Ending> {
        if !member.is_ousted() {
            return Some(Ending::TooSlow);
        }
        let room = &member.member().room;
        if let Some(identity) = &mut self.identity {
            identity.rooms.remove_ousted();
        }
        self.error(reference, ErrorCode::NotInRoom, format!("you are not in the room \"{room}\""));
        None
    }

    fn hello(&mut self, hello: Hello, reference: Option<Reference>) {
        if self.identity.is_some() {
            self.error(reference, ErrorCode::Forbidden, "this session has already sent hello");
            return;
        }
        let earlier =
            hello.resume.as_deref().and_then(|s| self.context.sessions.take_over(s, &hello.username));
        match earlier {
            None => self.welcome(&hello, reference, Seats::default()),
            Some(handing_over) => {
                self.busy = Some(Busy::Working(take_over(handing_over, hello, reference).boxed()));
            }
        }
    }

    fn welcome(&mut self, hello: &Hello, reference: Option<Reference>, inherited: Seats) {
        let Hello { username, client, render, .. } = hello;
        let encodings = self.context.encodings.of(self.deflates);
        let encoding = if *render { encodings.v2_html } else { encodings.v2 };
        let outbox: Arc<dyn FrameSink> = Arc::clone(&self.outbox) as _;
        let registration = self.context.sessions.register(username.clone(), self.client, outbox, encoding);
        let inherited = (!inherited.is_empty())
            .then(|| Inherited::keep(inherited, self.context.config().timings.takeover));
        let limits = self.context.config().limits;
        let heartbeat = self.context.config().timings.ping + HEARTBEAT_SLACK;
        let program = client.as_deref().map(|client| tracing::field::display(cut(client.as_bytes())));
        tracing::debug!(session = %registration.id(), %username, client = program, "session started");
        self.answer(&ServerFrame::Welcome(Welcome {
            reference,
            session: registration.id(),
            resume: registration.secret(),
            username: username.clone(),
            server: concat!("chatd/", env!("CARGO_PKG_VERSION")).to_owned(),
            limits: WelcomeLimits {
                message_bytes: limits.message_bytes as u64,
                messages_per_second: limits.message_rate,
                burst: limits.message_burst,
                rooms: limits.rooms,
            },
            heartbeat_ms: u64::try_from(heartbeat.as_millis()).unwrap_or(u64::MAX),
        }));
        registration.note_welcome();
        self.identity = Some(Box::new(Identity {
            username: username.clone(),
            encoding,
            rooms: Seats::default(),
            inherited,
            registration,
            window: send_window(self.context.config().backlog),
            joins: Pace::new(Instant::now()),
        }));
    }

    fn join(&mut self, Join { room, since, history }: Join, reference: Option<Reference>) {
        let Some(identity) = &mut self.identity else { return };
        if let Some(is_ousted) = identity.rooms.get(&room).map(|member| member.is_ousted()) {
            if !is_ousted {
                let message = format!("you are already in the room \"{room}\"");
                self.error(reference, ErrorCode::AlreadyInRoom, message);
                return;
            }
            identity.rooms.remove(&room);
        }
        let most = self.context.config().limits.rooms;
        if identity.rooms.len() >= most as usize {
            self.error(
                reference,
                ErrorCode::TooManyRooms,
                format!("a session can be in at most {}", counted(most)),
            );
            return;
        }
        let history = usize::try_from(history).unwrap_or(usize::MAX);
        let options = JoinOptions { since, history, reference: reference.clone() };
        let outlet = Outlet::Frames { encoding: identity.encoding, sink: Arc::clone(&self.outbox) as _ };
        let inherited = identity.inherited.as_ref().and_then(|seats| seats.claim(&room));
        // who takes seats over is in already, and costs the room and the store nothing
        let not_before =
            if inherited.is_none() { identity.next_join(self.context.config().joins) } else { None };
        let (engine, username, window) =
            (self.context.engine.clone(), identity.username.clone(), identity.window.clone());
        let joining = async move {
            if let Some(not_before) = not_before {
                sleep_until(not_before).await;
            }
            if let Some(mut seat) = inherited.and_then(Arc::into_inner) {
                match seat.rejoin(outlet.clone(), options.clone(), &window).await {
                    Ok(sent) => return Ok((seat, sent)),
                    Err(ReadError::History(error)) => return Err(error.into()),
                    // it was put out meanwhile
                    Err(ReadError::NotAMember) => drop(seat),
                }
            }
            let seat = engine.admit(&room, &username).await?.with_window(&window);
            Ok(seat.join(outlet, options).await?)
        };
        self.busy = Some(Busy::Working(joining.map(|joined| Done::Joined(joined, reference)).boxed()));
    }

    fn leave(&mut self, room: &RoomName, reference: Option<Reference>) {
        // nobody else has it: while a command is carried out no other is read
        let member = self.identity.as_mut().and_then(|identity| identity.rooms.remove(room));
        match member.and_then(Arc::into_inner).filter(|member| !member.is_ousted()) {
            Some(member) => member.leave_telling(LeftReason::Asked, reference),
            None => {
                self.error(reference, ErrorCode::NotInRoom, format!("you are not in the room \"{room}\""));
            }
        }
    }

    fn history(&mut self, asked: &History, reference: Option<Reference>) {
        let History { room, before, after, limit } = asked;
        let Some(member) = self.member(room, reference.as_ref()) else { return };
        let limit = limit.map_or(PAGE_MESSAGES_DEFAULT, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let page = match (after, before) {
            (Some(seq), _) => Page::After { seq: *seq, limit },
            (None, before) => Page::Before { seq: before.unwrap_or(u64::MAX), limit },
        };
        let reading = async move {
            let read = member.history(page, reference.clone()).await;
            Done::Read(member, read, reference)
        };
        self.busy = Some(Busy::Working(reading.boxed()));
    }

    /// What was asked for is on its way, or is not.
    fn answered(
        &mut self,
        member: Arc<Membership>,
        told: Result<Sent, ReadError>,
        reference: Option<Reference>,
    ) -> Option<Ending> {
        match told {
            Ok(sent) => {
                self.busy = Some(Busy::Answering(member, sent));
                None
            }
            Err(ReadError::History(error)) => {
                if let Some(Passed { suppressed }) = self.context.log.at_all(Kind::History) {
                    let who = member.member();
                    tracing::warn!(room = %who.room, username = %who.username, %error, suppressed, "history can't be read");
                }
                self.error(reference, ErrorCode::StoreUnavailable, "storage is unavailable; try again later");
                None
            }
            Err(ReadError::NotAMember) => self.out(&member, reference),
        }
    }

    fn finish(&mut self, done: Done) -> Option<Ending> {
        match done {
            Done::TookOver(hello, reference, seats) => self.welcome(&hello, reference, seats),
            Done::Read(member, told, reference) => return self.answered(member, told, reference),
            Done::Joined(Ok((member, sent)), _) => {
                let identity = self.identity.as_mut()?;
                let member = Arc::new(member);
                identity.rooms.insert(Arc::clone(&member));
                self.busy = Some(Busy::Answering(member, sent));
            }
            Done::Joined(Err(error), reference) => self.refuse_join(&error, reference),
        }
        None
    }

    fn refuse_join(&self, error: &JoinError, reference: Option<Reference>) {
        let (code, message, retry_after_ms) = match error {
            JoinError::NameTaken => {
                (ErrorCode::UsernameTaken, "this name is already in use in this room", None)
            }
            JoinError::RoomFull => {
                (ErrorCode::RateLimited, "the room is full; try again later", Some(FULL_ROOM_RETRY_MS))
            }
            JoinError::Closing => (ErrorCode::StoreUnavailable, "the server is shutting down", None),
            JoinError::Store(_) | JoinError::History(_) => {
                let username =
                    self.identity.as_ref().map(|identity| tracing::field::display(&identity.username));
                if let Some(Passed { suppressed }) = self.context.log.at_all(Kind::Join) {
                    tracing::warn!(username, %error, suppressed, "a user could not join a room");
                }
                (ErrorCode::StoreUnavailable, "storage is unavailable; try again later", None)
            }
        };
        let message = message.into();
        self.answer(&ServerFrame::Error(Error { reference, code, message, retry_after_ms }));
    }

    /// After a frame: if its reader has much to read, nothing more is read from it.
    fn hold_if_behind(&mut self) {
        if self.busy.is_none() && drained(&self.outbox).now_or_never().is_none() {
            self.busy = Some(Busy::Draining);
        }
    }
}

/// How many rooms that is, for a person.
fn counted(rooms: u32) -> String {
    if rooms == 1 { "1 room".to_owned() } else { format!("{rooms} rooms") }
}

fn hello_first(reference: Option<Reference>) -> Rejected {
    let message = "the first frame must be hello".to_owned();
    Rejected { reference, code: ErrorCode::HelloFirst, message }
}

async fn take_over(handing_over: TakenOver, hello: Hello, reference: Option<Reference>) -> Done {
    let seats = tokio::time::timeout(HAND_OVER, handing_over).await;
    // an earlier session that ended by itself meanwhile has left its rooms
    Done::TookOver(hello, reference, seats.ok().and_then(Result::ok).unwrap_or_default())
}

impl Talk for Session {
    fn hear(&mut self, text: &str) -> Option<Ending> {
        let ending = match v2::read(text) {
            Err(Rejected { reference, code: ErrorCode::UnknownType, .. }) if self.identity.is_none() => {
                self.reject(hello_first(reference))
            }
            Err(rejected) => self.reject(rejected),
            Ok(ClientFrame { reference, command })
                if self.identity.is_none() && !matches!(command, Command::Hello(_)) =>
            {
                self.reject(hello_first(reference))
            }
            Ok(frame) => self.carry_out(frame),
        };
        // mostly it is done at once
        let ending = ending.or_else(|| self.proceed().now_or_never().and_then(Result::err));
        self.hold_if_behind();
        ending
    }

    fn is_busy(&self) -> bool {
        self.busy.is_some()
    }

    async fn proceed(&mut self) -> Result<(), Ending> {
        while let Some(busy) = &mut self.busy {
            match busy {
                Busy::Working(work) => {
                    let done = work.await;
                    self.busy = None;
                    self.finish(done).map_or(Ok(()), Err)?;
                }
                Busy::Saying(member, outgoing) => {
                    drained(&self.outbox).await;
                    let sent = member.send(outgoing.clone()).await;
                    let said = self.busy.take();
                    if let (Err(SendError::NotAMember), Some(Busy::Saying(member, outgoing))) = (sent, said) {
                        self.out(&member, outgoing.reference).map_or(Ok(()), Err)?;
                    }
                }
                Busy::Answering(member, sent) => {
                    member.offered(*sent).await;
                    poll_fn(|_| match self.outbox.waiting_answers() {
                        0 => Poll::Ready(()),
                        _ => Poll::Pending,
                    })
                    .await;
                    self.busy = None;
                }
                Busy::Draining => {
                    drained(&self.outbox).await;
                    self.busy = None;
                }
            }
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        self.identity.is_none().then_some(self.hello_by)
    }

    fn knocked(&mut self) -> Option<Ending> {
        let identity = self.identity.as_mut()?;
        if identity.registration.is_closed() {
            return Some(Ending::Failed(CloseCode::Forbidden));
        }
        // what it is in the middle of hears of it by itself
        identity.rooms.remove_ousted();
        let taker = identity.registration.taker()?;
        // what is in the middle of something gives up its seat
        self.busy = None;
        let mut seats = std::mem::take(&mut identity.rooms);
        if let Some(inherited) = identity.inherited.take() {
            seats.extend(inherited.take());
        }
        seats.iter().for_each(|member| member.park());
        // a taker that has gone by now leaves the seats to be dropped
        let _ = taker.send(seats);
        Some(Ending::Failed(CloseCode::TakenOver))
    }

    async fn settle(&mut self) {
        if let Some(Busy::Saying(member, outgoing)) = self.busy.take() {
            // it fails only for one who is out, and hears of that anyway
            let _ = member.send(outgoing).await;
        }
        if let Some(identity) = &self.identity {
            join_all(identity.rooms.iter().map(|member| member.settled())).await;
        }
    }

    fn log(&self, what: &str, ending: Option<Ending>) {
        let (by, code) = Ending::fields(ending);
        match &self.identity {
            None => tracing::debug!(by, code, "{what}"),
            Some(identity) => {
                let Identity { username, registration, rooms, .. } = &**identity;
                let connection = registration.id();
                tracing::debug!(%connection, %username, rooms = rooms.len(), by, code, "{what}");
            }
        }
    }
}

/// What a connection may have on its way: with what waits for it already, a half of its backlog at most, it still fits.
pub(crate) fn send_window(backlog: BacklogLimits) -> SendWindow {
    SendWindow::new((backlog.frames / 4).clamp(1, 64), (backlog.bytes / 4).clamp(1, 1 << 20))
}
