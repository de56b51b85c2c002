//! `hello`: starts a session, or takes over an earlier one.

use std::sync::Arc;
use std::time::Duration;

use chat_log::cut;
use chat_protocol::Reference;
use chat_protocol::v2::{ErrorCode, Hello, ServerFrame, Welcome, WelcomeLimits};
use chat_rooms::FrameSink;
use futures::FutureExt;
use tokio::time::Instant;

use crate::admission::rate_limit::RateLimiter;
use crate::context::memberships::Memberships;
use crate::context::sessions::Takeover;
use crate::session::identity::Identity;
use crate::session::inherited::InheritedMemberships;
use crate::session::{Busy, Done, Session, send_window};

/// How long a new connection waits for the earlier one to hand over its memberships.
const HAND_OVER_TIMEOUT: Duration = Duration::from_secs(2);

/// How much longer than the ping interval a client should wait before it checks the connection.
const HEARTBEAT_SLACK: Duration = Duration::from_secs(5);

impl Session {
    pub(super) fn hello(&mut self, hello: Hello, reference: Option<Reference>) {
        if self.identity.is_some() {
            self.error(reference, ErrorCode::Forbidden, "this session has already sent hello");
            return;
        }
        let takeover =
            hello.resume.as_deref().and_then(|s| self.context.sessions.take_over(s, &hello.username));
        match takeover {
            None => self.welcome(&hello, reference, Memberships::default()),
            Some(takeover) => {
                self.busy = Some(Busy::Working(take_over(takeover, hello, reference).boxed()));
            }
        }
    }

    pub(in crate::session) fn welcome(
        &mut self,
        hello: &Hello,
        reference: Option<Reference>,
        inherited: Memberships,
    ) {
        let Hello { username, client, render, .. } = hello;
        let encodings = self.context.encodings.for_connection(self.deflates);
        let encoding = if *render { encodings.v2_html } else { encodings.v2 };
        let outbox: Arc<dyn FrameSink> = Arc::clone(&self.outbox) as _;
        let registration = self.context.sessions.register(username.clone(), self.client, outbox, encoding);
        let inherited = (!inherited.is_empty())
            .then(|| InheritedMemberships::keep(inherited, self.context.config().timings.takeover));
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
        registration.mark_welcomed();
        self.identity = Some(Box::new(Identity {
            username: username.clone(),
            encoding,
            rooms: Memberships::default(),
            inherited,
            registration,
            window: send_window(self.context.config().backlog),
            joins: RateLimiter::new(Instant::now()),
        }));
    }
}

pub(in crate::session) async fn take_over(
    takeover: Takeover,
    hello: Hello,
    reference: Option<Reference>,
) -> Done {
    let memberships = tokio::time::timeout(HAND_OVER_TIMEOUT, takeover).await;
    // an earlier session that ended in the meantime has left its rooms
    Done::TookOver(hello, reference, memberships.ok().and_then(Result::ok).unwrap_or_default())
}
