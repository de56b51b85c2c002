//! The end of a connection: whether and when to reconnect, and what happens to commands without an
//! answer.

use std::time::Duration;

use chat_protocol::CloseCode;
use chat_protocol::v2::{Bye, LeftReason};
use tokio::time::Instant;

use super::{PendingCall, Session};
use crate::model::{Closed, CommandError, ConnectError, Disconnect, Event};

impl Session {
    /// The connection ended. Returns the delay before the next one. `None`: the client is closed.
    pub(crate) fn on_disconnected(&mut self, end: Disconnect, now: Instant) -> Option<Duration> {
        let reason = self.bye.take().map_or(end, Disconnect::Bye);
        let lasted = self.connected_at.take().map_or(Duration::ZERO, |connected_at| now - connected_at);
        if lasted > self.options.backoff.cap() {
            self.attempts = 0;
        }
        self.reset_connection();
        self.reconnect(reason)
    }

    /// An attempt to connect failed. Returns the delay before the next one. `None`: the client is
    /// closed.
    pub(crate) fn on_connect_failed(&mut self, error: ConnectError) -> Option<Duration> {
        let reason = match error {
            ConnectError::Bye(bye) => Disconnect::Bye(bye),
            error => Disconnect::Unreachable(error),
        };
        self.reconnect(reason)
    }

    /// The user has closed the client. Commands without an answer fail when the session is dropped.
    pub(crate) fn on_closed(&mut self) {
        self.events.push_back(Event::Closed(Closed::Requested));
    }

    /// Fails the commands that the next connection does not answer. Joins and messages are sent
    /// again there.
    fn reset_connection(&mut self) {
        self.outgoing.clear();
        self.list.clear();
        self.next_deadline = None;
        let (messages, others) =
            self.pending.drain().partition(|(_, call)| matches!(call, PendingCall::Send(_)));
        self.pending = messages;
        for call in others.into_values() {
            match call {
                PendingCall::Change(responder) => responder.respond(Err(CommandError::Disconnected)),
                PendingCall::History(responder) => responder.respond(Err(CommandError::Disconnected)),
                PendingCall::Members(responder) => responder.respond(Err(CommandError::Disconnected)),
                PendingCall::Search(responder) => responder.respond(Err(CommandError::Disconnected)),
                PendingCall::Act(responder) => responder.respond(Err(CommandError::Disconnected)),
                PendingCall::Ask(responder) => responder.respond(Err(CommandError::Disconnected)),
                PendingCall::Keep(responder) => responder.respond(Err(CommandError::Disconnected)),
                PendingCall::MarkRead(responder) => responder.respond(Err(CommandError::Disconnected)),
                PendingCall::Ping(responder, _) => responder.respond(Err(CommandError::Disconnected)),
                PendingCall::Join(_) | PendingCall::Leave(_) | PendingCall::Send(_) => {}
            }
        }
        // the end of a connection is the end of its memberships
        let leaving = self.rooms.iter().filter(|(_, room)| room.leaving.is_some());
        let leaving: Vec<_> = leaving.map(|(name, _)| name.clone()).collect();
        for name in leaving {
            self.remove_room(&name, LeftReason::Asked, None);
        }
        for room in self.rooms.values_mut() {
            room.on_disconnected();
        }
    }

    fn reconnect(&mut self, reason: Disconnect) -> Option<Duration> {
        if let Some(closed) = final_reason(&reason) {
            tracing::info!(?closed, "the client is closed");
            self.events.push_back(Event::Closed(closed));
            return None;
        }
        // jitter in addition to the server's delay, which is the same for many clients
        let retry_in = server_delay(&reason) + self.delay(self.attempts);
        self.attempts = self.attempts.saturating_add(1);
        tracing::info!(?reason, ?retry_in, "disconnected");
        self.events.push_back(Event::Disconnected { reason, retry_in });
        Some(retry_in)
    }
}

/// Why the client is closed for good, if it is. A `bye` decides it. Without one the client
/// reconnects, unless the close code is final.
fn final_reason(reason: &Disconnect) -> Option<Closed> {
    const FINAL_CODES: [CloseCode; 3] = [CloseCode::NotAccepted, CloseCode::Forbidden, CloseCode::Replaced];
    match reason {
        Disconnect::Bye(bye) if !bye.reconnect => Some(Closed::Bye(bye.clone())),
        Disconnect::Closed { code, reason } if FINAL_CODES.iter().any(|known| known.code() == *code) => {
            Some(Closed::Forbidden { code: *code, reason: reason.clone() })
        }
        Disconnect::Unreachable(error) if error.is_final() => Some(Closed::Refused(error.clone())),
        _ => None,
    }
}

fn server_delay(reason: &Disconnect) -> Duration {
    match reason {
        Disconnect::Bye(Bye { after_ms: Some(after), .. }) => Duration::from_millis(*after),
        Disconnect::Unreachable(ConnectError::Refused { retry_after: Some(after), .. }) => *after,
        _ => Duration::ZERO,
    }
}
