//! Counters, gauges and histograms of the server, for a recorder of the [`metrics`] facade that was
//! installed before the server was built. Labels are codes and reasons from fixed sets: their
//! number does not grow with users, rooms or client input.

use std::time::Duration;

use chat_protocol::{CloseCode, ErrorCode};
use metrics::{Gauge, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

/// Prefix of all metric names, including those of the engine.
pub(crate) const PREFIX: &str = "chatd";

const ERRORS: &str = "chatd_errors_total";
const HANDSHAKE: &str = "chatd_handshake_seconds";
const REFUSED: &str = "chatd_refused_handshakes_total";
const CONNECTIONS: &str = "chatd_connections";
const CLOSES: &str = "chatd_closes_total";
const RATE_LIMITED: &str = "chatd_rate_limited_total";
const SIGN_INS: &str = "chatd_sign_ins_total";
const REFUSED_MESSAGES: &str = "chatd_refused_messages_total";
const REGISTRATIONS: &str = "chatd_registrations_total";
const HASHES_WAITING: &str = "chatd_password_hashes_waiting";
const SLOW: &str = "chatd_slow_clients_total";

/// Gauges that are updated only on request.
const ROOMS: &str = "chatd_rooms";
const SESSIONS: &str = "chatd_sessions";
const BACKLOG: &str = "chatd_backlog_bytes";
const MAX_CONNECTIONS: &str = "chatd_connections_limit";
const READY: &str = "chatd_ready";

/// Describes the metrics, and sets counters to 0 that an alert may query before the first event.
pub(crate) fn describe(refusals: impl Iterator<Item = &'static str>) {
    describe_histogram!(
        HANDSHAKE,
        Unit::Seconds,
        "Time from accepting a connection until its WebSocket handshake succeeded"
    );
    describe_counter!(REFUSED, "Refused WebSocket handshakes and unreadable requests, by reason");
    describe_gauge!(CONNECTIONS, "Open WebSocket connections, by dialect");
    describe_counter!(
        CLOSES,
        "Closed WebSocket connections, by closing side and close code (1006: no close frame)"
    );
    describe_counter!(RATE_LIMITED, "How often a client was throttled because it sent frames too fast");
    describe_counter!(SLOW, "Clients that were disconnected because they read too slowly");
    describe_counter!(SIGN_INS, "Attempts to sign in with a password, and refused tokens, by result");
    describe_counter!(REFUSED_MESSAGES, "Messages and edits that the filter or a limit refused, by reason");
    describe_counter!(REGISTRATIONS, "Accounts that users have registered");
    describe_gauge!(HASHES_WAITING, "Passwords that wait to be hashed");
    describe_gauge!(ROOMS, "Rooms with at least one member, joining members included");
    describe_gauge!(SESSIONS, "Open chat.v2 sessions");
    describe_gauge!(BACKLOG, Unit::Bytes, "Data queued for clients, each shared buffer counted once");
    describe_gauge!(MAX_CONNECTIONS, "Maximum number of WebSocket connections");
    describe_gauge!(READY, "1 while the server accepts new clients, else 0");
    drop((counter!(RATE_LIMITED), counter!(SLOW), counter!(REGISTRATIONS)));
    for reason in RefusedText::ALL {
        drop(counter!(REFUSED_MESSAGES, "reason" => reason.name()));
    }
    for result in SignIn::ALL {
        drop(counter!(SIGN_INS, "result" => result.name()));
    }
    for code in CloseCode::ALL {
        drop(counter!(CLOSES, "by" => "server", "code" => code.code().to_string()));
    }
    for reason in refusals {
        drop(counter!(REFUSED, "reason" => reason));
    }
}

/// Counts a message or an edit that the filter or a limit has refused.
pub(crate) fn message_refused(reason: RefusedText) {
    counter!(REFUSED_MESSAGES, "reason" => reason.name()).increment(1);
}

/// Why a text is not allowed: the label of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefusedText {
    Filter,
    NewUserLink,
    NewUserRate,
    Repeated,
}

impl RefusedText {
    pub(crate) const ALL: [Self; 4] = [Self::Filter, Self::NewUserLink, Self::NewUserRate, Self::Repeated];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::NewUserLink => "new_user_link",
            Self::NewUserRate => "new_user_rate",
            Self::Repeated => "repeated",
        }
    }
}

/// Values of the gauges.
#[derive(Debug)]
pub(crate) struct Gauges {
    pub(crate) rooms: usize,
    pub(crate) sessions: usize,
    pub(crate) backlog_bytes: usize,
    pub(crate) hashes_waiting: usize,
    pub(crate) max_connections: usize,
    pub(crate) is_ready: bool,
}

impl Gauges {
    pub(crate) fn record(&self) {
        let count = |name: &'static str, count: usize| gauge!(name).set(count as f64);
        count(ROOMS, self.rooms);
        count(SESSIONS, self.sessions);
        count(BACKLOG, self.backlog_bytes);
        count(HASHES_WAITING, self.hashes_waiting);
        count(MAX_CONNECTIONS, self.max_connections);
        count(READY, usize::from(self.is_ready));
    }
}

/// Counts an open connection until it is dropped.
pub(crate) struct Connected(Gauge);

impl Connected {
    pub(crate) fn by(dialect: &'static str) -> Self {
        let connections = gauge!(CONNECTIONS, "dialect" => dialect);
        connections.increment(1);
        Self(connections)
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

/// Records how long a successful handshake took.
pub(crate) fn handshake_completed(after: Duration) {
    histogram!(HANDSHAKE).record(after);
}

/// Counts a refused handshake.
pub(crate) fn handshake_refused(reason: &'static str) {
    counter!(REFUSED, "reason" => reason).increment(1);
}

/// Counts a client that is throttled: its next frames are read later.
pub(crate) fn rate_limited() {
    counter!(RATE_LIMITED).increment(1);
}

/// How an attempt to sign in ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SignIn {
    SignedIn,
    WrongPassword,
    TokenRefused,
}

impl SignIn {
    const ALL: [Self; 3] = [Self::SignedIn, Self::WrongPassword, Self::TokenRefused];

    fn name(self) -> &'static str {
        match self {
            Self::SignedIn => "signed_in",
            Self::WrongPassword => "wrong_password",
            Self::TokenRefused => "token_refused",
        }
    }
}

/// Counts an attempt to sign in.
pub(crate) fn sign_in(result: SignIn) {
    counter!(SIGN_INS, "result" => result.name()).increment(1);
}

/// Counts a user who has registered.
pub(crate) fn registered() {
    counter!(REGISTRATIONS).increment(1);
}

/// Which side closed a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ClosedBy {
    Client,
    Server,
}

impl ClosedBy {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// Counts a closed connection by its close code.
pub(crate) fn closed(by: ClosedBy, code: u16) {
    /// RFC 6455, section 7.4.1: a close frame without a code, and an end without a close frame.
    const NO_CODE: [u16; 2] = [1005, 1006];
    // a client may send any number, so unknown codes share one label
    let is_known = NO_CODE.contains(&code) || CloseCode::ALL.iter().any(|known| known.code() == code);
    let code = if is_known { code.to_string() } else { "other".to_owned() };
    counter!(CLOSES, "by" => by.name(), "code" => code).increment(1);
}

/// Counts a client that was disconnected because it read too slowly.
pub(crate) fn too_slow() {
    counter!(SLOW).increment(1);
}

/// Counts an error sent for a command that did not reach the engine. The engine counts its own
/// errors under the same name.
pub(crate) fn count_error(code: ErrorCode) {
    counter!(ERRORS, "code" => code.name()).increment(1);
}
