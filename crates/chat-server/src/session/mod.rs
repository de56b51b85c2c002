//! A `chat.v2` session on a connection: a member of any number of rooms.

pub(crate) mod classic;
pub(crate) mod close_reason;
mod commands;
mod invalid_frames;
mod list;
mod mentions;
mod moderation;
pub(crate) mod protocol;
mod replaced;
mod state;
mod submission;

use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;

use chat_access::Denied;
use chat_history::Mentions;
use chat_log::Passed;
use chat_outbox::{BacklogLimits, Outbox};
use chat_protocol::v2::{self, ClientFrame, Command, Error, ErrorCode, Rejected, ServerFrame};
use chat_protocol::{CloseCode, Reference, RoomName, UserId};
use chat_rooms::{FrameSink, JoinError, Membership, Position, ReadError, SendWindow};
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use tokio::time::Instant;

use crate::admission::client_log::LogKind;
use crate::context::Context;
use crate::context::memberships::Memberships;
use crate::context::sessions::End;
use crate::encoding::frames;
use crate::metrics;
use crate::session::close_reason::CloseReason;
use crate::session::commands::hello::{HelloAs, HelloError};
use crate::session::protocol::Protocol;
use crate::transport::drained;
use crate::transport::tcp::Tcp;
use invalid_frames::InvalidFrames;
use state::SessionState;
use submission::Submission;

/// The message of a `store_unavailable` error.
const STORAGE_UNAVAILABLE: &str = "storage is unavailable; try again later";

/// A session and its connection.
pub(crate) struct Session {
    context: Arc<Context>,
    outbox: Arc<Outbox<Tcp>>,
    /// `None` once its user is known: then this takes no space.
    beginning: Option<Box<Beginning>>,
    /// Set once its user is known.
    state: Option<Box<SessionState>>,
    /// What has to be done before the next frame is read.
    busy: Option<Busy>,
    invalid_frames: InvalidFrames,
}

/// What is needed only until the user of a session is known.
struct Beginning {
    /// Whether compression was negotiated.
    deflates: bool,
    /// Address of the client.
    client: IpAddr,
    /// Until when the client has to send `hello`.
    hello_by: Instant,
}

enum Busy {
    /// A command that is being carried out.
    Working(BoxFuture<'static, Done>),
    /// It is being found out whom a text addresses.
    Addressing(Arc<Membership>, BoxFuture<'static, Submission>),
    /// A message or a change to send once the room accepts it.
    Sending(Arc<Membership>, Submission),
    /// A reply is being written. Nothing more is read until it is sent, since replies do not count
    /// towards the reader's backlog.
    Replying(Arc<Membership>, Position),
    /// A large answer is being written, as in `Replying`.
    Flushing,
    /// The client has to read part of its backlog first.
    Draining,
}

/// Result of a command.
enum Done {
    /// Of `hello`: who the user is.
    Identified(Result<HelloAs, HelloError>, Option<Reference>),
    /// Of `hello`: what the session takes over.
    Replaced(HelloAs, Option<Reference>, Memberships),
    /// Of a command with one answer.
    Answered(Box<ServerFrame>),
    /// Of a command whose answer may be large. It does not count towards the reader's backlog.
    Found(Box<ServerFrame>),
    /// Of `delete`: it is recorded, and can be submitted.
    Recorded(Arc<Membership>, Submission),
    /// Of `join`.
    Joined(Result<(Membership, Position), JoinError>, Option<Reference>),
    /// Of `history`, and of a `join` of a session that is in the room.
    Read(Arc<Membership>, Result<Position, ReadError>, Option<Reference>),
}

impl Session {
    pub(crate) fn new(
        outbox: Arc<Outbox<Tcp>>,
        deflates: bool,
        client: IpAddr,
        context: Arc<Context>,
    ) -> Self {
        let hello_by = Instant::now() + context.config().timings.hello;
        let beginning = Some(Box::new(Beginning { deflates, client, hello_by }));
        let invalid_frames = InvalidFrames::default();
        Self { context, outbox, beginning, state: None, busy: None, invalid_frames }
    }

    /// Sends a frame that is not one of a room's events.
    fn answer(&self, frame: &ServerFrame) {
        if let ServerFrame::Error(error) = frame {
            metrics::count_error(error.code);
        }
        // an outbox that no longer accepts frames signals that to its own task, which is this one
        let _ = self.outbox.offer(&[frames::v2_frame(frame)]);
    }

    fn error(&self, reference: Option<Reference>, code: ErrorCode, message: impl Into<Arc<str>>) {
        let message = message.into();
        self.answer(&error_frame(reference, code, message));
    }

    /// Replies to a frame that was not a valid command.
    fn reject(&mut self, Rejected { reference, code, message }: Rejected) -> Option<CloseReason> {
        self.error(reference, code, message);
        let too_many = code.is_wrong_frame() && self.invalid_frames.record(Instant::now());
        too_many.then_some(CloseReason::Failed(CloseCode::InvalidFrames))
    }

    /// The session's membership in a room. If there is none, sends an error and returns `None`.
    fn member(&self, room: &RoomName, reference: Option<&Reference>) -> Option<Arc<Membership>> {
        let member = self.state.as_ref().and_then(|state| state.rooms.get(room));
        if member.is_none() {
            self.error(
                reference.cloned(),
                ErrorCode::NotInRoom,
                format!("you are not in the room \"{room}\""),
            );
        }
        member.cloned()
    }

    /// The ids that the user had as a guest.
    fn former_ids(&self) -> Vec<UserId> {
        self.state.as_ref().map_or_else(Vec::new, |state| state.former_ids.to_vec())
    }

    /// Submits a text once it is known whom it addresses. Most texts address nobody.
    fn address(
        &mut self,
        member: Arc<Membership>,
        body: &str,
        submission: impl FnOnce(Mentions) -> Submission + Send + 'static,
    ) {
        let places = chat_markdown::mentions(body);
        if places.is_empty() {
            self.busy = Some(Busy::Sending(member, submission(Mentions::default())));
            return;
        }
        let (context, to) = (Arc::clone(&self.context), Arc::clone(&member));
        let work = async move { submission(mentions::resolve(places, &to, &context).await) };
        self.busy = Some(Busy::Addressing(member, work.boxed()));
    }

    /// The number of the session in the table.
    fn number(&self) -> u64 {
        self.state.as_ref().map_or(0, |state| state.registration.number())
    }

    /// Handles a member that is no longer in its room. If an admin removed it, the session
    /// continues without that room; otherwise it read too slowly, and the connection ends.
    fn handle_removed(&mut self, member: &Membership, reference: Option<Reference>) -> Option<CloseReason> {
        if !member.was_removed() {
            return Some(CloseReason::TooSlow);
        }
        let room = &member.member().room;
        if let Some(state) = &mut self.state {
            state.rooms.drop_removed();
            state.note_rooms();
        }
        self.error(reference, ErrorCode::NotInRoom, format!("you are not in the room \"{room}\""));
        None
    }

    /// Waits for a reply that is being delivered, or reports the error.
    fn wait_for_reply(
        &mut self,
        member: Arc<Membership>,
        result: Result<Position, ReadError>,
        reference: Option<Reference>,
    ) -> Option<CloseReason> {
        match result {
            Ok(position) => {
                self.busy = Some(Busy::Replying(member, position));
                None
            }
            Err(ReadError::History(error)) => {
                if let Some(Passed { suppressed }) = self.context.log.pass(LogKind::History) {
                    let member = member.member();
                    tracing::warn!(room = %member.room, username = %member.username, %error, suppressed, "history can't be read");
                }
                self.error(reference, ErrorCode::StoreUnavailable, STORAGE_UNAVAILABLE);
                None
            }
            Err(_) => self.handle_removed(&member, reference),
        }
    }

    fn finish(&mut self, done: Done) -> Option<CloseReason> {
        match done {
            Done::Identified(Ok(hello), reference) => return self.identified(hello, reference),
            Done::Identified(Err(error), reference) => return self.refuse_hello(error, reference),
            Done::Replaced(hello, reference, memberships) => {
                return self.welcome(hello, reference, memberships);
            }
            Done::Answered(answer) => self.answer(&answer),
            Done::Recorded(member, submission) => self.busy = Some(Busy::Sending(member, submission)),
            Done::Found(answer) => {
                // as for any other answer
                let _ = self.outbox.offer(&[frames::v2_frame(&answer).as_reply()]);
                self.busy = Some(Busy::Flushing);
            }
            Done::Read(member, result, reference) => return self.wait_for_reply(member, result, reference),
            Done::Joined(Ok((member, position)), _) => {
                let state = self.state.as_mut()?;
                let member = Arc::new(member);
                if let Some(replaced) = &state.replaced {
                    replaced.leave(&member.member().room);
                }
                state.rooms.insert(Arc::clone(&member));
                state.note_rooms();
                self.busy = Some(Busy::Replying(member, position));
            }
            Done::Joined(Err(error), reference) => self.refuse_join(&error, reference),
        }
        None
    }

    /// After a frame: stops reading if the client has much of its backlog left to read.
    fn pause_if_behind(&mut self) {
        if self.busy.is_none() && drained(&self.outbox).now_or_never().is_none() {
            self.busy = Some(Busy::Draining);
        }
    }
}

/// An `error` frame.
fn error_frame(reference: Option<Reference>, code: ErrorCode, message: impl Into<Arc<str>>) -> ServerFrame {
    let message = message.into();
    ServerFrame::Error(Error { reference, code, message, retry_after_ms: None, denied: None, until: None })
}

/// An `error` frame for what the rules of a room have against it.
fn denied_frame(reference: Option<Reference>, code: ErrorCode, denied: Denied) -> ServerFrame {
    let until = match denied {
        Denied::Banned { until } => until,
        _ => None,
    };
    let (message, denied) = (denied.to_string().into(), denied.reason());
    ServerFrame::Error(Error { reference, code, message, retry_after_ms: None, denied, until })
}

fn hello_first(reference: Option<Reference>) -> Rejected {
    let message = "the first frame must be hello".to_owned();
    Rejected { reference, code: ErrorCode::HelloFirst, message }
}

impl Protocol for Session {
    fn on_text(&mut self, text: &str) -> Option<CloseReason> {
        if let Some(state) = &self.state {
            state.registration.mark_heard();
        }
        let reason = match v2::read(text) {
            Err(Rejected { reference, code: ErrorCode::UnknownType, .. }) if self.state.is_none() => {
                self.reject(hello_first(reference))
            }
            Err(rejected) => self.reject(rejected),
            Ok(ClientFrame { reference, command })
                if self.state.is_none() && !matches!(command, Command::Hello(_)) =>
            {
                self.reject(hello_first(reference))
            }
            Ok(frame) => self.run(frame),
        };
        // usually it completes at once
        let reason = reason.or_else(|| self.proceed().now_or_never().and_then(Result::err));
        self.pause_if_behind();
        reason
    }

    fn is_busy(&self) -> bool {
        self.busy.is_some()
    }

    async fn proceed(&mut self) -> Result<(), CloseReason> {
        while let Some(busy) = &mut self.busy {
            match busy {
                Busy::Working(work) => {
                    let done = work.await;
                    self.busy = None;
                    self.finish(done).map_or(Ok(()), Err)?;
                }
                Busy::Addressing(member, work) => {
                    let submission = work.await;
                    self.busy = Some(Busy::Sending(Arc::clone(member), submission));
                }
                Busy::Sending(member, submission) => {
                    drained(&self.outbox).await;
                    let result = submission.submit(member).await;
                    let busy = self.busy.take();
                    if let (Err(_), Some(Busy::Sending(member, submission))) = (result, busy) {
                        self.handle_removed(&member, submission.reference()).map_or(Ok(()), Err)?;
                    }
                }
                Busy::Replying(member, position) => {
                    member.delivered(*position).await;
                    self.busy = Some(Busy::Flushing);
                }
                Busy::Flushing => {
                    poll_fn(|_| match self.outbox.queued_reply_bytes() {
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
        self.beginning.as_ref().map(|beginning| beginning.hello_by)
    }

    fn on_probe(&mut self) -> Option<CloseReason> {
        let state = self.state.as_mut()?;
        // pending work on such a membership notices the removal by itself
        state.rooms.drop_removed();
        state.note_rooms();
        match state.registration.take_end()? {
            End::Close(code) => Some(CloseReason::Failed(code)),
            End::SignIn => Some(CloseReason::SignInAgain),
            End::Expired => {
                self.error(None, ErrorCode::Expired, "the token has expired");
                Some(CloseReason::SignInAgain)
            }
            End::Replace(successor) => {
                // pending work may hold a membership: it is abandoned to give that up
                self.busy = None;
                let mut memberships = std::mem::take(&mut state.rooms);
                if let Some(replaced) = state.replaced.take() {
                    memberships.extend(replaced.take());
                }
                // this connection may be dead: the user must not be removed for reading too slowly
                memberships.iter().for_each(|member| member.detach());
                // if the other connection is gone, the memberships are dropped
                let _ = successor.send(memberships);
                Some(CloseReason::Failed(CloseCode::Replaced))
            }
        }
    }

    async fn settle(&mut self) {
        if let Some(Busy::Addressing(member, work)) = &mut self.busy {
            let submission = work.await;
            self.busy = Some(Busy::Sending(Arc::clone(member), submission));
        }
        if let Some(Busy::Sending(member, submission)) = self.busy.take() {
            // it fails only if the member has been removed, and that is reported anyway
            let _ = submission.submit(&member).await;
        }
        if let Some(state) = &self.state {
            join_all(state.rooms.iter().map(|member| member.idle())).await;
        }
    }

    fn log(&self, what: &str, reason: Option<CloseReason>) {
        let (by, code) = CloseReason::fields(reason);
        match &self.state {
            None => tracing::debug!(by, code, "{what}"),
            Some(state) => {
                let SessionState { user, registration, rooms, .. } = &**state;
                let (connection, username) = (registration.id(), user.username());
                tracing::debug!(%connection, %username, rooms = rooms.len(), by, code, "{what}");
            }
        }
    }
}

/// How much a connection may have in flight. A session reads only while its backlog is at most half
/// full, so this much still fits.
pub(crate) fn send_window(backlog: BacklogLimits) -> SendWindow {
    SendWindow::new((backlog.frames / 4).clamp(1, 64), (backlog.bytes / 4).clamp(1, 1 << 20))
}
