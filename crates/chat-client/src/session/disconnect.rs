//! What the end of a connection means: whether to come back and when, and what becomes of what was under way.

use std::time::Duration;

use chat_protocol::CloseCode;
use chat_protocol::v2::{Bye, LeftReason};
use tokio::time::Instant;

use super::{Call, Session};
use crate::model::{Closed, CommandError, ConnectError, Disconnect, Event};

impl Session {
    /// The connection ended. How long to wait before the next one; none where there is to be none.
    pub(crate) fn disconnected(&mut self, end: Disconnect, now: Instant) -> Option<Duration> {
        let reason = self.bye.take().map_or(end, Disconnect::Bye);
        let lasted = self.began_at.take().map_or(Duration::ZERO, |began_at| now - began_at);
        if lasted > self.options.backoff.cap() {
            self.attempts = 0;
        }
        self.forget_connection();
        self.come_back(reason)
    }

    /// A connection did not come about. How long to wait before the next try; none where there is to be none.
    pub(crate) fn unreachable(&mut self, error: ConnectError) -> Option<Duration> {
        let reason = match error {
            ConnectError::Bye(bye) => Disconnect::Bye(bye),
            error => Disconnect::Unreachable(error),
        };
        self.come_back(reason)
    }

    /// The user wants no more of it. Whoever waits for something learns that when the session is dropped.
    pub(crate) fn closed(&mut self) {
        self.events.push_back(Event::Closed(Closed::Asked));
    }

    /// What was asked on a connection is not answered on the next one, but for joins and messages: those are asked again there.
    fn forget_connection(&mut self) {
        self.out.clear();
        self.due = None;
        let (messages, others) = self.calls.drain().partition(|(_, call)| matches!(call, Call::Send(_)));
        self.calls = messages;
        for call in others.into_values() {
            match call {
                Call::History(reply) => reply.answer(Err(CommandError::Disconnected)),
                Call::Members(reply) => reply.answer(Err(CommandError::Disconnected)),
                Call::Ping(reply, _) => reply.answer(Err(CommandError::Disconnected)),
                Call::Join(_) | Call::Leave(_) | Call::Send(_) => {}
            }
        }
        // a connection that is gone is in no room
        let leaving = self.rooms.iter().filter(|(_, room)| room.leaving.is_some());
        let leaving: Vec<_> = leaving.map(|(name, _)| name.clone()).collect();
        for name in leaving {
            self.leave_now(&name, LeftReason::Asked);
        }
        for room in self.rooms.values_mut() {
            room.shut();
        }
    }

    fn come_back(&mut self, reason: Disconnect) -> Option<Duration> {
        if let Some(closed) = for_good(&reason) {
            tracing::info!(?closed, "the client is closed");
            self.events.push_back(Event::Closed(closed));
            return None;
        }
        // on top of what the server asks for: everyone whom it says the same to would come at the same moment
        let retry_in = not_before(&reason) + self.pause(self.attempts);
        self.attempts = self.attempts.saturating_add(1);
        tracing::info!(?reason, ?retry_in, "disconnected");
        self.events.push_back(Event::Disconnected { reason, retry_in });
        Some(retry_in)
    }
}

/// Whether an end is one for good. A `bye` says so itself; an end without one means to come back, unless its code leaves no hope.
fn for_good(reason: &Disconnect) -> Option<Closed> {
    const NO_HOPE: [CloseCode; 3] = [CloseCode::NotAccepted, CloseCode::Forbidden, CloseCode::TakenOver];
    match reason {
        Disconnect::Bye(bye) if !bye.reconnect => Some(Closed::Bye(bye.clone())),
        Disconnect::Closed { code, reason } if NO_HOPE.iter().any(|hopeless| hopeless.code() == *code) => {
            Some(Closed::Forbidden { code: *code, reason: reason.clone() })
        }
        Disconnect::Unreachable(error) if error.is_final() => Some(Closed::Refused(error.clone())),
        _ => None,
    }
}

fn not_before(reason: &Disconnect) -> Duration {
    match reason {
        Disconnect::Bye(Bye { after_ms: Some(after), .. }) => Duration::from_millis(*after),
        Disconnect::Unreachable(ConnectError::Refused { retry_after: Some(after), .. }) => *after,
        _ => Duration::ZERO,
    }
}
