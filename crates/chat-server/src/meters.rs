//! What the server counts and times, for whoever has installed a recorder of the [`metrics`] facade before it was built. Labels are
//! codes and reasons that the server knows: none grows with users, rooms or what clients send.

use std::time::Duration;

use chat_protocol::CloseCode;
use metrics::{Gauge, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::admission::Refusal;

const HANDSHAKE: &str = "chatd_handshake_seconds";
const REFUSED: &str = "chatd_refused_handshakes_total";
const CONNECTIONS: &str = "chatd_connections";
const CLOSES: &str = "chatd_closes_total";
const PACED: &str = "chatd_rate_limited_total";
const SLOW: &str = "chatd_slow_clients_total";

/// What is there at this moment, found out when somebody asks.
const ROOMS: &str = "chatd_rooms";
const SESSIONS: &str = "chatd_sessions";
const BACKLOG: &str = "chatd_backlog_bytes";
const MOST_CONNECTIONS: &str = "chatd_connections_limit";
const READY: &str = "chatd_ready";

/// Says what each is, and lets begin at 0 what an alert may ask for before it has happened.
pub(crate) fn describe() {
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
    describe_counter!(PACED, "How often a client was throttled because it sent frames too fast");
    describe_counter!(SLOW, "Clients that were disconnected because they read too slowly");
    describe_gauge!(ROOMS, "Rooms with at least one member, joining members included");
    describe_gauge!(SESSIONS, "Open chat.v2 sessions");
    describe_gauge!(BACKLOG, Unit::Bytes, "Data queued for clients, each shared buffer counted once");
    describe_gauge!(MOST_CONNECTIONS, "Maximum number of WebSocket connections");
    describe_gauge!(READY, "1 while the server accepts new clients, else 0");
    drop((counter!(PACED), counter!(SLOW)));
    for code in CloseCode::ALL {
        drop(counter!(CLOSES, "by" => "server", "code" => code.code().to_string()));
    }
    for refusal in Refusal::ALL {
        drop(counter!(REFUSED, "reason" => refusal.name()));
    }
}

/// What is there now.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) rooms: usize,
    pub(crate) sessions: usize,
    pub(crate) backlog_bytes: usize,
    pub(crate) most_connections: usize,
    pub(crate) is_ready: bool,
}

impl Standing {
    pub(crate) fn note(&self) {
        let count = |name: &'static str, count: usize| gauge!(name).set(count as f64);
        count(ROOMS, self.rooms);
        count(SESSIONS, self.sessions);
        count(BACKLOG, self.backlog_bytes);
        count(MOST_CONNECTIONS, self.most_connections);
        count(READY, usize::from(self.is_ready));
    }
}

/// Counts a connection for as long as it is held.
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

/// A handshake has taken so long, and was answered.
pub(crate) fn let_in(after: Duration) {
    histogram!(HANDSHAKE).record(after);
}

/// A handshake was refused.
pub(crate) fn refused(refusal: Refusal) {
    counter!(REFUSED, "reason" => refusal.name()).increment(1);
}

/// What a client sends is read later.
pub(crate) fn paced() {
    counter!(PACED).increment(1);
}

/// Who closed a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum By {
    Client,
    Server,
}

impl By {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// A connection has ended, with this close code.
pub(crate) fn closed(by: By, code: u16) {
    /// RFC 6455, section 7.4.1: a close frame without a code, and an end without a close frame.
    const WITHOUT: [u16; 2] = [1005, 1006];
    // a client may send any number
    let is_known = WITHOUT.contains(&code) || CloseCode::ALL.iter().any(|known| known.code() == code);
    let code = if is_known { code.to_string() } else { "other".to_owned() };
    counter!(CLOSES, "by" => by.name(), "code" => code).increment(1);
}

/// Somebody read too slowly.
pub(crate) fn too_slow() {
    counter!(SLOW).increment(1);
}
