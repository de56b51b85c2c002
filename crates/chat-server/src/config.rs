//! Server configuration.

mod site;

use std::sync::Arc;
use std::time::Duration;

use chat_access::AccessStore;
use chat_history::Retention;
use chat_markdown::RemoteImages;
use chat_outbox::BacklogLimits;
use chat_protocol::{Identity, Limits, Role};

use crate::abuse::AbuseLimits;
use crate::accounts::{Accounts, Registration};
use crate::admission::addresses::{AddressLimits, Loopback};
use crate::admission::origins::Origins;
use crate::admission::proxies::Proxies;
use crate::admission::rate_limit::Rate;
use crate::search::Search;
use crate::transport::tls::Tls;

pub use site::{Logo, LogoError, Site};

/// Maximum size of a request head, in bytes. Browsers send the cookies of the whole domain.
pub(crate) const HEAD_BYTES: usize = 32 * 1024;

/// Configuration of a [`Server`](crate::Server). The defaults are those of the protocol contract.
#[derive(Debug, Clone)]
pub struct Config {
    /// Limits on what a connection may send.
    pub limits: Limits,
    /// Maximum backlog of a slow reader.
    pub backlog: BacklogLimits,
    /// Memory limit, in bytes, for the backlogs of all readers together. Above it, readers that
    /// hold more than their share are disconnected: see
    /// [`BacklogBudget`](chat_rooms::BacklogBudget).
    pub backlog_total_bytes: usize,
    /// Maximum number of chat connections. Further handshakes are answered with 503.
    pub max_connections: usize,
    /// Maximum number of other connections: look-ups, health probes and handshakes in progress. At
    /// the limit, the server accepts nothing until a connection ends.
    pub other_connections: usize,
    /// Maximum number of members of a room. Further joins are refused because the room is full.
    pub members_per_room: usize,
    /// Maximum number of connections from one address (for IPv6: one /64 network). Further
    /// connections are answered with 429. 0 means no limit. Loopback connections are exempt unless
    /// proxies are trusted.
    pub connections_per_address: usize,
    /// Rate at which one session may join rooms; faster joins wait. Also the rate of handshakes
    /// from one address; faster handshakes are answered with 429.
    pub joins: Rate,
    /// Which proxies are trusted to report the client's address.
    pub proxies: Proxies,
    /// Whether messages are compressed for clients that offer `permessage-deflate` (RFC 7692).
    pub deflate: bool,
    /// TLS certificate. If `None`, connections are not encrypted.
    pub tls: Option<Arc<Tls>>,
    /// How long messages are kept.
    pub retention: Retention,
    /// Whether the engine counts room usage. The counts accumulate until
    /// [`Engine::take_usage`](chat_rooms::Engine::take_usage) is called, so it has to be called
    /// regularly.
    pub count_usage: bool,
    /// How images in rendered messages are handled.
    pub remote_images: RemoteImages,
    /// Which web origins may use the server.
    pub origins: Origins,
    /// Whether the web page is served.
    pub page: Page,
    /// What a page shows before its user is known.
    pub site: Site,
    /// The accounts of users. `None`: there are only guests.
    pub accounts: Option<Accounts>,
    /// Who has a role in a room, and who is banned or muted. `None`: a store in memory.
    pub access: Option<Arc<dyn AccessStore>>,
    /// Where messages are searched. `None`: there is no search.
    pub search: Option<Search>,
    /// Who may register an account.
    pub registration: Registration,
    /// Whether users without an account may use the server.
    pub guests: bool,
    /// Limits on what users write.
    pub abuse: AbuseLimits,
    /// Who may create rooms.
    pub room_creation: RoomCreation,
    /// Timeouts and intervals.
    pub timings: Timings,
}

/// Who may create rooms: by joining one that does not exist, by registering one that has a name,
/// and by creating a private one. Only users with an account register rooms and create private
/// ones. The default room of the site always exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RoomCreation {
    /// All users.
    #[default]
    Everyone,
    /// Users with an account.
    Accounts,
    /// Moderators and admins of the server.
    Moderators,
}

impl RoomCreation {
    /// The name of the value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Everyone => "everyone",
            Self::Accounts => "accounts",
            Self::Moderators => "moderators",
        }
    }

    /// Whether this user may.
    pub(crate) fn admits(self, user: &Identity) -> bool {
        match self {
            Self::Everyone => true,
            Self::Accounts => !user.id().is_guest(),
            Self::Moderators => user.role() >= Role::Moderator,
        }
    }
}

/// Whether the web page for chatting is served, at `/` and `/r/{room}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Page {
    /// The page is served.
    #[default]
    Served,
    /// The page is not served, and neither is the JavaScript client.
    None,
}

impl Config {
    /// The limits for each address.
    pub(crate) fn address_limits(&self) -> AddressLimits {
        let loopback = if self.proxies.trusted.is_empty() { Loopback::Exempt } else { Loopback::Limited };
        AddressLimits { connections: self.connections_per_address, handshakes: self.joins, loopback }
    }
}

impl Default for Config {
    /// A backlog of 512 MiB in all, 50,000 chat connections and 1,024 others, 100,000 members per
    /// room, 200 connections from one address, 10 joins a second with a burst of 200, no proxies,
    /// no compression, no TLS, unlimited retention, no accounts, guests, and the defaults of the
    /// other types.
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            backlog: BacklogLimits::default(),
            backlog_total_bytes: 512 << 20,
            max_connections: 50_000,
            other_connections: 1_024,
            members_per_room: 100_000,
            connections_per_address: 200,
            joins: Rate { per_second: 10, burst: 200 },
            proxies: Proxies::default(),
            deflate: false,
            tls: None,
            retention: Retention::default(),
            count_usage: false,
            remote_images: RemoteImages::default(),
            origins: Origins::default(),
            page: Page::default(),
            site: Site::default(),
            accounts: None,
            access: None,
            search: None,
            registration: Registration::default(),
            guests: true,
            abuse: AbuseLimits::default(),
            room_creation: RoomCreation::default(),
            timings: Timings::default(),
        }
    }
}

/// Timeouts and intervals. The defaults are those of the protocol contract; tests use shorter ones.
#[derive(Debug, Clone)]
pub struct Timings {
    /// Time for a request head to arrive in full, counted from the connection's start or from the
    /// previous response.
    pub head: Duration,
    /// Interval between pings.
    pub ping: Duration,
    /// A connection that sends not a single byte for this long is closed.
    pub silence: Duration,
    /// Time after the handshake within which a session has to send `hello`.
    pub hello: Duration,
    /// How long a replaced session keeps the rooms that the new session has not joined yet.
    pub replace: Duration,
    /// Time for a member to show a sign of life after another client asked for its name.
    pub probe: Duration,
    /// Time for a message to arrive in full, counted from its first byte. It is checked at every
    /// ping at the latest.
    pub message: Duration,
    /// How long data that arrived before the client hung up, and was not read because of the rate
    /// limit, is still processed.
    pub hang_up: Duration,
    /// Time for closing a connection, including everything that has to be sent first.
    pub close: Duration,
    /// How long a server that is about to shut down reports that it is not ready but still admits
    /// clients, so that load balancers stop sending new ones.
    pub notice: Duration,
    /// Period over which a server that shuts down closes its connections, if there are many.
    pub drain: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            ping: Duration::from_secs(20),
            silence: Duration::from_secs(50),
            hello: Duration::from_secs(10),
            replace: Duration::from_secs(10),
            probe: Duration::from_secs(10),
            message: Duration::from_secs(30),
            hang_up: Duration::from_secs(5),
            close: Duration::from_secs(5),
            notice: Duration::ZERO,
            drain: Duration::from_secs(2),
        }
    }
}
