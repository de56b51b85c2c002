//! `join`: joins a room, or sends a session that is in the room what it has missed.

use std::sync::Arc;

use chat_access::Denied;
use chat_log::Passed;
use chat_protocol::Reference;
use chat_protocol::v2::{
    Error, ErrorCode, Join, PAGE_BYTES, PAGE_MEMBERS_DEFAULT, PAGE_MESSAGES, RECOVERED_MESSAGES, ServerFrame,
    Since,
};
use chat_rooms::{CatchUpLimits, JoinError, Membership, Resync, Sink, Subscribe};
use futures::FutureExt;
use tokio::time::sleep_until;

use crate::admission::client_log::LogKind;
use crate::session::{Busy, Done, STORAGE_UNAVAILABLE, Session, denied_frame};

/// When a client that finds a room full should retry, in milliseconds.
const FULL_ROOM_RETRY_MS: u64 = 10_000;

/// The limits on what a session has missed.
const CATCH_UP: CatchUpLimits = CatchUpLimits::new(RECOVERED_MESSAGES, PAGE_BYTES);

impl Session {
    pub(super) fn join(&mut self, Join { room, invite, since, history }: Join, reference: Option<Reference>) {
        let Some(state) = &mut self.state else { return };
        let history = usize::try_from(history).unwrap_or(usize::MAX).min(PAGE_MESSAGES);
        match (state.rooms.get(&room).cloned(), since.clone()) {
            (Some(member), _) if member.was_removed() => drop(state.rooms.remove(&room)),
            (Some(member), Some(since)) => return self.resync(member, since, history, reference),
            (Some(_), None) => {
                let message = format!("you are already in the room \"{room}\"");
                self.error(reference, ErrorCode::AlreadyInRoom, message);
                return;
            }
            (None, _) => {}
        }
        let max = self.context.config().limits.rooms;
        if state.rooms.len() >= max as usize {
            self.error(
                reference,
                ErrorCode::TooManyRooms,
                format!("a session can be in at most {}", room_count(max)),
            );
            return;
        }
        let sink = Sink::Frames { encoding: state.encoding, sink: Arc::clone(&self.outbox) as _ };
        let subscribe = Subscribe::new(sink)
            .since(since)
            .history(history)
            .limits(CATCH_UP)
            .members(PAGE_MEMBERS_DEFAULT)
            .former_ids(state.former_ids.to_vec())
            .network(state.network)
            .reference(reference.clone());
        // the user is in the rooms of a replaced session: joining them costs the store nothing
        let is_replaced = state.replaced.as_ref().is_some_and(|replaced| replaced.contains(&room));
        let not_before = if is_replaced { None } else { state.next_join(self.context.config().joins) };
        let (context, user, window) =
            (Arc::clone(&self.context), Arc::clone(&state.user), state.window.clone());
        let is_account = state.list.is_some();
        // letting in is boxed: it is rare, and its future is larger than the rest
        let joining = async move {
            if let Some(not_before) = not_before {
                sleep_until(not_before).await;
            }
            if !context.may_open(&user, &room).await? {
                return Err(JoinError::Denied(Denied::NotFound));
            }
            context.note_entry(&user, &room).await?;
            let admission = match context.engine.admit(&user, &room).await {
                Err(JoinError::Denied(Denied::NotFound | Denied::JoinNeedsRole))
                    if is_account && context.let_in(&user, &room, invite.as_ref()).boxed().await? =>
                {
                    context.engine.admit(&user, &room).await?
                }
                admitted => {
                    let admission = admitted?;
                    // everyone may join, and who is invited becomes a member by that
                    if is_account && context.is_stranger(&user, &room).await? {
                        context.let_in(&user, &room, invite.as_ref()).boxed().await?;
                    }
                    admission
                }
            };
            admission.with_window(&window).join(subscribe).await
        };
        self.busy = Some(Busy::Working(joining.map(|joined| Done::Joined(joined, reference)).boxed()));
    }

    /// Answers as if the session had joined just now. The others see nothing.
    fn resync(
        &mut self,
        member: Arc<Membership>,
        since: Since,
        history: usize,
        reference: Option<Reference>,
    ) {
        let resync = Resync::new(since)
            .history(history)
            .limits(CATCH_UP)
            .members(PAGE_MEMBERS_DEFAULT)
            .former_ids(self.former_ids())
            .reference(reference.clone());
        let work = async move {
            let sent = member.resync(resync).await;
            Done::Read(member, sent, reference)
        };
        self.busy = Some(Busy::Working(work.boxed()));
    }

    pub(in crate::session) fn refuse_join(&self, error: &JoinError, reference: Option<Reference>) {
        let (code, message, retry_after_ms) = match error {
            JoinError::Denied(denied) => {
                let code = match denied {
                    Denied::NotFound => ErrorCode::NotFound,
                    _ => ErrorCode::Forbidden,
                };
                return self.answer(&denied_frame(reference, code, *denied));
            }
            JoinError::NameTaken => {
                (ErrorCode::UsernameTaken, "this name is already in use in this room", None)
            }
            JoinError::RoomFull => {
                (ErrorCode::RateLimited, "the room is full; try again later", Some(FULL_ROOM_RETRY_MS))
            }
            JoinError::Closing => (ErrorCode::StoreUnavailable, "the server is shutting down", None),
            _ => {
                let username =
                    self.state.as_ref().map(|state| tracing::field::display(state.user.username()));
                if let Some(Passed { suppressed }) = self.context.log.pass(LogKind::Join) {
                    tracing::warn!(username, %error, suppressed, "a user could not join a room");
                }
                (ErrorCode::StoreUnavailable, STORAGE_UNAVAILABLE, None)
            }
        };
        let message = message.into();
        let error = Error { reference, code, message, retry_after_ms, denied: None, until: None };
        self.answer(&ServerFrame::Error(error));
    }
}

/// A number of rooms, for a person.
fn room_count(rooms: u32) -> String {
    if rooms == 1 { "1 room".to_owned() } else { format!("{rooms} rooms") }
}
