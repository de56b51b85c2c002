//! `hello`: starts a session, and ends the one that it replaces.

use std::sync::Arc;
use std::time::Duration;

use chat_log::cut;
use chat_protocol::v2::{ErrorCode, Hello, Rejected, ServerFrame, User, Welcome, WelcomeLimits};
use chat_protocol::{CloseCode, GuestToken, Identity, Reference};
use chat_rooms::FrameSink;
use futures::FutureExt;
use tokio::time::Instant;

use crate::admission::rate_limit::RateLimiter;
use crate::context::memberships::Memberships;
use crate::context::sessions::Replaced;
use crate::session::ending::CloseReason;
use crate::session::replaced::ReplacedRooms;
use crate::session::state::SessionState;
use crate::session::{Busy, Done, Session, send_window};

/// How long a new session waits for the one that it replaces to give up its memberships.
const REPLACE_TIMEOUT: Duration = Duration::from_secs(2);

/// How much longer than the ping interval a client should wait before it checks the connection.
const HEARTBEAT_SLACK: Duration = Duration::from_secs(5);

/// A `hello` whose user is known.
pub(in crate::session) struct HelloAs {
    user: Identity,
    /// The token that the server made for a guest that had none.
    guest_token: Option<GuestToken>,
    client: Option<String>,
    render: bool,
}

impl Session {
    pub(super) fn hello(&mut self, hello: Hello, reference: Option<Reference>) -> Option<CloseReason> {
        if self.state.is_some() {
            self.error(reference, ErrorCode::Forbidden, "this session has already sent hello");
            return None;
        }
        let Hello { username, token, guest_token, replaces, client, render } = hello;
        if token.is_some() {
            self.error(reference, ErrorCode::Unauthorized, "this server has no accounts");
            return Some(CloseReason::Failed(CloseCode::NotAccepted));
        }
        let Some(username) = username else {
            let message = "the field \"username\" is missing".to_owned();
            return self.reject(Rejected { reference, code: ErrorCode::MissingField, message });
        };
        let (user, guest_token) = match guest_token {
            Some(token) => (Identity::guest(&token, username), None),
            None => {
                let token = GuestToken::from_random(rand::random());
                (Identity::guest(&token, username), Some(token))
            }
        };
        let replaced = replaces.and_then(|session| self.context.sessions.replace(&user, &session));
        let hello = HelloAs { user, guest_token, client, render };
        match replaced {
            None => self.welcome(hello, reference, Memberships::default()),
            Some(replaced) => {
                self.busy = Some(Busy::Working(replace(replaced, hello, reference).boxed()));
            }
        }
        None
    }

    pub(in crate::session) fn welcome(
        &mut self,
        hello: HelloAs,
        reference: Option<Reference>,
        replaced: Memberships,
    ) {
        let HelloAs { user, guest_token, client, render } = hello;
        let user = Arc::new(user);
        let encodings = self.context.encodings.for_connection(self.deflates);
        let encoding = if render { encodings.v2_html } else { encodings.v2 };
        let outbox: Arc<dyn FrameSink> = Arc::clone(&self.outbox) as _;
        let limits = self.context.config().limits;
        let registration =
            self.context.sessions.register(Arc::clone(&user), limits.sessions, self.client, outbox, encoding);
        let replaced = (!replaced.is_empty())
            .then(|| ReplacedRooms::keep(replaced, self.context.config().timings.replace));
        let heartbeat = self.context.config().timings.ping + HEARTBEAT_SLACK;
        let program = client.as_deref().map(|client| tracing::field::display(cut(client.as_bytes())));
        let username = user.username();
        tracing::debug!(session = %registration.id(), %username, client = program, "session started");
        self.answer(&ServerFrame::Welcome(Welcome {
            reference,
            session: registration.id(),
            user: User::from(&*user),
            guest_token,
            server: concat!("chatd/", env!("CARGO_PKG_VERSION")).to_owned(),
            limits: WelcomeLimits {
                message_bytes: limits.message_bytes as u64,
                messages_per_second: limits.message_rate,
                burst: limits.message_burst,
                rooms: limits.rooms,
                sessions: limits.sessions,
            },
            heartbeat_ms: u64::try_from(heartbeat.as_millis()).unwrap_or(u64::MAX),
        }));
        registration.mark_welcomed();
        self.state = Some(Box::new(SessionState {
            user,
            encoding,
            rooms: Memberships::default(),
            replaced,
            registration,
            window: send_window(self.context.config().backlog),
            joins: RateLimiter::new(Instant::now()),
        }));
    }
}

async fn replace(replaced: Replaced, hello: HelloAs, reference: Option<Reference>) -> Done {
    let memberships = tokio::time::timeout(REPLACE_TIMEOUT, replaced).await;
    // a session that ended in the meantime has left its rooms
    Done::Replaced(hello, reference, memberships.ok().and_then(Result::ok).unwrap_or_default())
}
