//! `join`: joins a room.

use std::sync::Arc;

use chat_log::Passed;
use chat_protocol::Reference;
use chat_protocol::v2::{
    Error, ErrorCode, Join, PAGE_BYTES, PAGE_MEMBERS_DEFAULT, PAGE_MESSAGES, RECOVERED_MESSAGES, ServerFrame,
};
use chat_rooms::{CatchUpLimits, JoinError, Sink, Subscribe};
use futures::FutureExt;
use tokio::time::sleep_until;

use crate::admission::client_log::LogKind;
use crate::session::{Busy, Done, Session};

/// When a client that finds a room full should retry, in milliseconds.
const FULL_ROOM_RETRY_MS: u64 = 10_000;

impl Session {
    pub(super) fn join(&mut self, Join { room, since, history }: Join, reference: Option<Reference>) {
        let Some(state) = &mut self.state else { return };
        if let Some(was_removed) = state.rooms.get(&room).map(|member| member.was_removed()) {
            if !was_removed {
                let message = format!("you are already in the room \"{room}\"");
                self.error(reference, ErrorCode::AlreadyInRoom, message);
                return;
            }
            state.rooms.remove(&room);
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
        let history = usize::try_from(history).unwrap_or(usize::MAX);
        let sink = Sink::Frames { encoding: state.encoding, sink: Arc::clone(&self.outbox) as _ };
        let subscribe = Subscribe::new(sink)
            .since(since)
            .history(history.min(PAGE_MESSAGES))
            .limits(CatchUpLimits::new(RECOVERED_MESSAGES, PAGE_BYTES))
            .members(PAGE_MEMBERS_DEFAULT)
            .reference(reference.clone());
        // the user is in the rooms of a replaced session: joining them costs the store nothing
        let is_replaced = state.replaced.as_ref().is_some_and(|replaced| replaced.contains(&room));
        let not_before = if is_replaced { None } else { state.next_join(self.context.config().joins) };
        let (engine, user, window) =
            (self.context.engine.clone(), Arc::clone(&state.user), state.window.clone());
        let joining = async move {
            if let Some(not_before) = not_before {
                sleep_until(not_before).await;
            }
            let admission = engine.admit(&user, &room).await?.with_window(&window);
            admission.join(subscribe).await
        };
        self.busy = Some(Busy::Working(joining.map(|joined| Done::Joined(joined, reference)).boxed()));
    }

    pub(in crate::session) fn refuse_join(&self, error: &JoinError, reference: Option<Reference>) {
        let (code, message, retry_after_ms) = match error {
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
                (ErrorCode::StoreUnavailable, "storage is unavailable; try again later", None)
            }
        };
        let message = message.into();
        self.answer(&ServerFrame::Error(Error { reference, code, message, retry_after_ms }));
    }
}

/// A number of rooms, for a person.
fn room_count(rooms: u32) -> String {
    if rooms == 1 { "1 room".to_owned() } else { format!("{rooms} rooms") }
}
