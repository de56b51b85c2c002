//! The options of the server.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chat_accounts::{JwtKeyError, JwtKeys, JwtVerifier};
use chat_history::Retention;
use chat_protocol::{Limits, RoomName, SiteName, WelcomeText};
use chat_server::{
    AbuseLimits, BacklogLimits, Config, Filter, Logo, Origins, Page, Proxies, ProxyHeader, Rate,
    RemoteImages, Site, Timings, TrustedProxies,
};
use clap::{ArgGroup, Args, Command};

use super::database::{Connections, Database};
use super::values::{
    Address, Age, ClientAddressHeader, Count, CreationMode, Fraction, LogFormat, MemoryLimit,
    NewAccountLimits, OrOff, RegistrationMode, Switch, at_least, duration, limit_or_off,
};
use super::{DEFAULT_FILE, LogFilter, Secret, TokenError};

/// The group of the options that a reload (SIGHUP) applies to a running server. An option is in it
/// if its attribute says so; the reload and the documentation read the group with [`reloadable`].
const RELOADABLE: &str = "reloadable";

/// The default address of the admin listener.
pub(crate) const DEFAULT_ADMIN_LISTEN: &str = "127.0.0.1:9000";

/// The headings of the options in `--help`.
mod heading {
    pub(super) const GENERAL: &str = "General";
    pub(super) const NETWORK: &str = "Network";
    pub(super) const TLS: &str = "TLS";
    pub(super) const STORAGE: &str = "Storage";
    pub(super) const USERS: &str = "Users";
    pub(super) const PAGE: &str = "Web page and messages";
    pub(super) const LIMITS: &str = "Limits";
    pub(super) const ADMIN: &str = "Admin";
    pub(super) const LOGGING: &str = "Logging and traces";
    pub(super) const SHUTDOWN: &str = "Shutdown";
}

/// The options of the server. `-h` lists the most common ones, `--help` lists all.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new(RELOADABLE).multiple(true))]
pub(crate) struct Options {
    /// Configuration file [default: chatd.toml in the current folder, if it exists]
    ///
    /// TOML with one key for each of the other options.
    #[arg(long, env = "CHATD_CONFIG", value_name = "PATH", default_value = DEFAULT_FILE, hide_default_value = true, help_heading = heading::GENERAL)]
    pub(crate) config: PathBuf,

    /// Address and port to listen on
    #[arg(long, env = "CHATD_LISTEN", value_name = "HOST:PORT", default_value = "127.0.0.1:8000", help_heading = heading::NETWORK)]
    pub(crate) listen: Address,

    /// Trusted reverse proxies: none, or a comma-separated list of addresses and networks
    ///
    /// chatd believes what these proxies say about a client's address. Example:
    /// 127.0.0.1,10.0.0.0/8.
    #[arg(long, group = RELOADABLE, env = "CHATD_TRUSTED_PROXIES", value_name = "none|LIST", default_value = "none", help_heading = heading::NETWORK)]
    pub(crate) trusted_proxies: TrustedProxies,

    /// How trusted proxies send the client's address
    ///
    /// x-forwarded-for: in the handshake's X-Forwarded-For header. proxy-protocol: by the PROXY
    /// protocol (version 1 or 2) at the start of each connection.
    #[arg(
        long,
        group = RELOADABLE,
        env = "CHATD_PROXY_HEADER",
        value_name = "x-forwarded-for|proxy-protocol",
        default_value = "x-forwarded-for",
        hide_possible_values = true,
        hide_short_help = true,
        help_heading = heading::NETWORK
    )]
    pub(crate) proxy_header: ClientAddressHeader,

    /// Origins whose pages may connect: own, any, or a comma-separated list
    ///
    /// own: this server's own page; pages of any origin may use the classic protocol. any: every
    /// page. A list of origins (scheme, host, and port if it is not the scheme's default) applies
    /// to both protocols and to look-ups. Programs outside a browser are not affected.
    #[arg(long, group = RELOADABLE, env = "CHATD_ALLOWED_ORIGINS", value_name = "own|any|LIST", default_value = "own", help_heading = heading::NETWORK)]
    pub(crate) allowed_origins: Origins,

    /// Compression of messages for clients that offer it (permessage-deflate): on or off
    ///
    /// Browsers offer it. It saves a quarter of the bytes of short messages and two thirds of lists
    /// and pages of history, and costs processor time.
    #[arg(long, group = RELOADABLE, env = "CHATD_COMPRESSION", value_name = "on|off", default_value = "off", hide_short_help = true, help_heading = heading::NETWORK)]
    pub(crate) compression: Switch,

    /// Guests, who choose a name and have no account: on or off
    ///
    /// off admits only users who sign in, and no client of the classic protocol.
    #[arg(long, group = RELOADABLE, env = "CHATD_GUESTS", value_name = "on|off", default_value = "on", hide_short_help = true, help_heading = heading::USERS)]
    pub(crate) guests: Switch,

    /// Who may register an account: open (everyone), invite, or closed
    ///
    /// invite: users with a code of "chatd account invite". closed: only "chatd account add"
    /// creates accounts.
    #[arg(long, group = RELOADABLE, env = "CHATD_REGISTRATION", value_name = "open|invite|closed", default_value = "open", hide_short_help = true, help_heading = heading::USERS)]
    pub(crate) registration: RegistrationMode,

    /// Who may create rooms: everyone, users with an account, or moderators of the server
    ///
    /// A room is created by joining one that does not exist yet. Users who may not create rooms
    /// join those that have members, messages or an owner, and the default room of the site.
    /// Registering a room and creating a private one needs an account, too.
    #[arg(long, group = RELOADABLE, env = "CHATD_ROOM_CREATION", value_name = "everyone|accounts|moderators", default_value = "everyone", hide_short_help = true, help_heading = heading::USERS)]
    pub(crate) room_creation: CreationMode,

    /// Limits for new users: for how long an account is new, and how many messages a minute it may
    /// send (off: no limits)
    ///
    /// New users cannot post links. Guests are always new. The limits do not concern moderators.
    #[arg(long, group = RELOADABLE, env = "CHATD_NEW_ACCOUNT_LIMITS", value_name = "TIME:MESSAGES", default_value = "off", hide_short_help = true, help_heading = heading::USERS)]
    pub(crate) new_account_limits: OrOff<NewAccountLimits>,

    /// File with words and links that are not allowed in messages (off: none)
    ///
    /// Each line is a rule: "deny word NAME", "allow word NAME", "deny link HOST" or "allow link
    /// HOST". chatd reads the file again on SIGHUP. It does not concern moderators.
    #[arg(long, group = RELOADABLE, env = "CHATD_FILTER", value_name = "PATH", default_value = "off", hide_short_help = true, help_heading = heading::USERS)]
    pub(crate) filter: OrOff<PathBuf>,

    /// How often a user may send the same text within a minute, in all rooms together (off: as
    /// often as they like)
    ///
    /// All guests together may send it four times as often. Texts of fewer than 12 letters do not
    /// count, and neither do those of moderators.
    #[arg(long, group = RELOADABLE, env = "CHATD_REPEATED_MESSAGES", value_name = "NUMBER", default_value = "off", hide_short_help = true, help_heading = heading::USERS)]
    pub(crate) repeated_messages: OrOff<NonZeroU32>,

    /// URL of the keys of an identity provider (JWKS), whose tokens (JWT) are accepted
    ///
    /// chatd reads the keys again every ten minutes, and when a token has an unknown key. Needs
    /// jwt-issuer and jwt-audience.
    #[arg(long, env = "CHATD_JWT_JWKS_URL", value_name = "URL", default_value = "off", hide_short_help = true, help_heading = heading::USERS)]
    pub(crate) jwt_jwks_url: OrOff<String>,

    /// File with the keys of an identity provider (JWKS)
    ///
    /// chatd reads the file again on SIGHUP.
    #[arg(long, env = "CHATD_JWT_JWKS_FILE", value_name = "PATH", default_value = "off", hide_short_help = true, help_heading = heading::USERS)]
    pub(crate) jwt_jwks_file: OrOff<PathBuf>,

    /// File with the key of an identity provider: a public key (PEM), or a shared secret of at
    /// least 32 bytes
    ///
    /// chatd reads the file again on SIGHUP.
    #[arg(long, env = "CHATD_JWT_KEY_FILE", value_name = "PATH", default_value = "off", hide_short_help = true, help_heading = heading::USERS)]
    pub(crate) jwt_key_file: OrOff<PathBuf>,

    /// Issuer that tokens of the identity provider must have (iss)
    #[arg(long, env = "CHATD_JWT_ISSUER", value_name = "ISSUER", default_value = "off", hide_short_help = true, help_heading = heading::USERS)]
    pub(crate) jwt_issuer: OrOff<String>,

    /// Audience that tokens of the identity provider must have (aud)
    #[arg(long, env = "CHATD_JWT_AUDIENCE", value_name = "AUDIENCE", default_value = "off", hide_short_help = true, help_heading = heading::USERS)]
    pub(crate) jwt_audience: OrOff<String>,

    /// Claim with the name that a new user gets if the client chooses none
    #[arg(long, env = "CHATD_JWT_USERNAME_CLAIM", value_name = "CLAIM", default_value = "preferred_username", hide_short_help = true, help_heading = heading::USERS)]
    pub(crate) jwt_username_claim: String,

    /// Certificate file (PEM), including the chain; off: connections are not encrypted
    ///
    /// chatd reads the file again on SIGHUP.
    #[arg(long, env = "CHATD_TLS_CERT", value_name = "PATH", default_value = "off", help_heading = heading::TLS)]
    pub(crate) tls_cert: OrOff<PathBuf>,

    /// Private key file (PEM) of the certificate, not encrypted
    #[arg(long, env = "CHATD_TLS_KEY", value_name = "PATH", default_value = "off", help_heading = heading::TLS)]
    pub(crate) tls_key: OrOff<PathBuf>,

    /// Database file, created if it does not exist, or the URL of a PostgreSQL database
    ///
    /// ":memory:" stores nothing on disk: everything is lost when the server ends.
    ///
    /// A URL is "postgres://user@host/database". PostgreSQL has to be of version 15 or newer, and
    /// the database has to exist. Options follow a "?": "sslmode=verify-full" encrypts the
    /// connection and verifies the server, and "sslrootcert=PATH" names the certificates to trust.
    /// Other users of this machine can see a password on the command line: set it in the
    /// environment or in a file.
    #[arg(long, env = "CHATD_DATABASE", value_name = "PATH|URL", default_value = "./chatd.sqlite3", help_heading = heading::STORAGE)]
    pub(crate) database: Database,

    /// File with the password for PostgreSQL (off: in the URL, or in the variable PGPASSWORD)
    #[arg(long, env = "CHATD_DATABASE_PASSWORD_FILE", value_name = "PATH", default_value = "off", hide_short_help = true, help_heading = heading::STORAGE)]
    pub(crate) database_password_file: OrOff<PathBuf>,

    /// Connections to PostgreSQL, at most
    ///
    /// The smallest value is 5.
    #[arg(long, env = "CHATD_DATABASE_CONNECTIONS", value_name = "N", default_value = "11", hide_short_help = true, help_heading = heading::STORAGE)]
    pub(crate) database_connections: Connections,

    /// Storing of messages before they are delivered: on or off
    ///
    /// off keeps only the newest messages of each room, in memory. Without a database messages are
    /// not stored.
    #[arg(long, env = "CHATD_HISTORY", value_name = "on|off", default_value = "on", hide_short_help = true, help_heading = heading::STORAGE)]
    pub(crate) history: Switch,

    /// Search for messages: on or off
    ///
    /// on keeps an index of all stored messages, in a file beside the database file, or in tables
    /// of PostgreSQL. The file has about four times the size of their texts. Without an index the
    /// command search is refused.
    #[arg(long, env = "CHATD_SEARCH", value_name = "on|off", default_value = "on", hide_short_help = true, help_heading = heading::STORAGE)]
    pub(crate) search: Switch,

    /// Remove messages that are older than this, for example 30days (off: keep all)
    ///
    /// The smallest value is 1s.
    #[arg(long, group = RELOADABLE, env = "CHATD_HISTORY_MAX_AGE", value_name = "AGE", default_value = "off", help_heading = heading::STORAGE)]
    pub(crate) history_max_age: OrOff<Age>,

    /// Keep only the newest N messages of each room (off: keep all)
    ///
    /// The smallest value is 1.
    #[arg(long, group = RELOADABLE, env = "CHATD_HISTORY_MAX_COUNT", value_name = "N", default_value = "off", hide_short_help = true, help_heading = heading::STORAGE)]
    pub(crate) history_max_count: OrOff<Count>,

    /// Remove usage statistics that are older than this (off: keep all)
    ///
    /// The statistics have, for each room and day, the members at peak, the messages and their
    /// bytes. The age is rounded up to whole days; the smallest value is 1s.
    #[arg(long, env = "CHATD_USAGE_MAX_AGE", value_name = "AGE", default_value = "400days", hide_short_help = true, help_heading = heading::STORAGE)]
    pub(crate) usage_max_age: OrOff<Age>,

    /// Web page for chatting, at / and /r/ROOM, and the JavaScript client at /client.js: on or off
    #[arg(long, env = "CHATD_PAGE", value_name = "on|off", default_value = "on", hide_short_help = true, help_heading = heading::PAGE)]
    pub(crate) page: Switch,

    /// Name of the site, which the page shows
    ///
    /// One line of at most 50 characters.
    #[arg(long, group = RELOADABLE, env = "CHATD_SITE_NAME", value_name = "NAME", default_value = "chatd", hide_short_help = true, help_heading = heading::PAGE)]
    pub(crate) site_name: SiteName,

    /// Logo on the first view of the page: an http or https URL, or a path on the same site such as
    /// /logo.svg (off: the logo of chatd)
    ///
    /// The page's Content-Security-Policy allows this image and no other of its server. chatd does
    /// not serve the file: a path is for a reverse proxy that does.
    #[arg(long, group = RELOADABLE, env = "CHATD_SITE_LOGO", value_name = "URL|PATH", default_value = "off", hide_short_help = true, help_heading = heading::PAGE)]
    pub(crate) site_logo: OrOff<Logo>,

    /// Text on the first view of the page, in Markdown (off: none)
    ///
    /// At most 2,000 characters.
    #[arg(long, group = RELOADABLE, env = "CHATD_SITE_WELCOME", value_name = "TEXT", default_value = "off", hide_short_help = true, help_heading = heading::PAGE)]
    pub(crate) site_welcome: OrOff<WelcomeText>,

    /// Room that the page proposes to new users
    #[arg(long, group = RELOADABLE, env = "CHATD_DEFAULT_ROOM", value_name = "ROOM", default_value = "lobby", hide_short_help = true, help_heading = heading::PAGE)]
    pub(crate) default_room: RoomName,

    /// Images from other servers in rendered messages: on or off
    ///
    /// off shows links to the images instead, so that nobody's browser tells other servers who
    /// reads what.
    #[arg(long, env = "CHATD_REMOTE_IMAGES", value_name = "on|off", default_value = "off", hide_short_help = true, help_heading = heading::PAGE)]
    pub(crate) remote_images: Switch,

    /// Maximum number of chat connections
    ///
    /// Further connections are answered with 503.
    #[arg(long, env = "CHATD_MAX_CONNECTIONS", value_name = "N", default_value_t = Config::default().max_connections, value_parser = at_least::<usize, 1>, help_heading = heading::LIMITS)]
    pub(crate) max_connections: usize,

    /// Maximum memory of the process, in bytes; auto: the limit of the container or service; off:
    /// no limit
    ///
    /// When the process is close to the limit, new connections are answered with 503.
    #[arg(long, env = "CHATD_MAX_MEMORY", value_name = "auto|off|BYTES", default_value = "auto", hide_short_help = true, help_heading = heading::LIMITS)]
    pub(crate) max_memory: MemoryLimit,

    /// Maximum number of members of a room
    #[arg(long, group = RELOADABLE, env = "CHATD_MEMBERS_PER_ROOM", value_name = "N", default_value_t = Config::default().members_per_room, value_parser = at_least::<usize, 1>, hide_short_help = true, help_heading = heading::LIMITS)]
    pub(crate) members_per_room: usize,

    /// Maximum number of rooms that one chat.v2 session may be in
    #[arg(long, group = RELOADABLE, env = "CHATD_ROOMS_PER_SESSION", value_name = "N", default_value_t = Limits::default().rooms, value_parser = at_least::<u32, 1>, hide_short_help = true, help_heading = heading::LIMITS)]
    pub(crate) rooms_per_session: u32,
    /// Maximum number of chat.v2 sessions of one user; with more, the one that was silent for
    /// longest is closed
    #[arg(long, group = RELOADABLE, env = "CHATD_SESSIONS_PER_USER", value_name = "N", default_value_t = Limits::default().sessions, value_parser = at_least::<u32, 1>, hide_short_help = true, help_heading = heading::LIMITS)]
    pub(crate) sessions_per_user: u32,

    /// Let users edit a message only for this long after it was sent, for example 15min (off:
    /// always)
    ///
    /// The smallest value is 1s.
    #[arg(long, group = RELOADABLE, env = "CHATD_EDIT_WINDOW", value_name = "AGE", default_value = "off", hide_short_help = true, help_heading = heading::LIMITS)]
    pub(crate) edit_window: OrOff<Age>,

    /// Maximum number of connections from one address, or from one /64 network of IPv6 (0 or off:
    /// no limit)
    ///
    /// Further connections are answered with 429. Connections from this machine itself are not
    /// limited unless proxies are trusted.
    #[arg(long, group = RELOADABLE, env = "CHATD_CONNECTIONS_PER_ADDRESS", value_name = "N", default_value_t = Config::default().connections_per_address, value_parser = limit_or_off::<usize>, hide_short_help = true, help_heading = heading::LIMITS)]
    pub(crate) connections_per_address: usize,

    /// Rate limit for joins: rooms per second for a session, and handshakes per second for an
    /// address (0 or off: no limit)
    ///
    /// Joins above the rate wait; handshakes above the rate are answered with 429.
    #[arg(long, group = RELOADABLE, env = "CHATD_JOIN_RATE", value_name = "N", default_value_t = Config::default().joins.per_second, value_parser = limit_or_off::<u32>, hide_short_help = true, help_heading = heading::LIMITS)]
    pub(crate) join_rate: u32,

    /// Number of joins, or handshakes, that are allowed at once before the rate limit applies
    #[arg(long, group = RELOADABLE, env = "CHATD_JOIN_BURST", value_name = "N", default_value_t = Config::default().joins.burst, value_parser = at_least::<u32, 1>, hide_short_help = true, help_heading = heading::LIMITS)]
    pub(crate) join_burst: u32,

    /// Maximum size of a frame and of a message from a client, in bytes
    #[arg(long, group = RELOADABLE, env = "CHATD_MESSAGE_BYTES", value_name = "BYTES", default_value_t = Limits::default().message_bytes, value_parser = at_least::<usize, 256>, hide_short_help = true, help_heading = heading::LIMITS)]
    pub(crate) message_bytes: usize,

    /// Rate limit for frames from a client, per second (0 or off: no limit)
    ///
    /// chatd reads a faster client more slowly.
    #[arg(long, group = RELOADABLE, env = "CHATD_MESSAGE_RATE", value_name = "N", default_value_t = Limits::default().message_rate, value_parser = limit_or_off::<u32>, hide_short_help = true, help_heading = heading::LIMITS)]
    pub(crate) message_rate: u32,

    /// Number of frames that a client may send at once before the rate limit applies
    #[arg(long, group = RELOADABLE, env = "CHATD_MESSAGE_BURST", value_name = "N", default_value_t = Limits::default().message_burst, value_parser = at_least::<u32, 1>, hide_short_help = true, help_heading = heading::LIMITS)]
    pub(crate) message_burst: u32,

    /// Maximum number of frames in the queue of a slow client; above it the client is disconnected
    #[arg(long, group = RELOADABLE, env = "CHATD_BACKLOG_FRAMES", value_name = "N", default_value_t = BacklogLimits::default().frames, value_parser = at_least::<usize, 1>, hide_short_help = true, help_heading = heading::LIMITS)]
    pub(crate) backlog_frames: usize,

    /// Maximum number of bytes in the queue of a slow client; above it the client is disconnected
    #[arg(long, group = RELOADABLE, env = "CHATD_BACKLOG_BYTES", value_name = "BYTES", default_value_t = BacklogLimits::default().bytes, value_parser = at_least::<usize, 1>, hide_short_help = true, help_heading = heading::LIMITS)]
    pub(crate) backlog_bytes: usize,

    /// Maximum number of bytes in the queues of all slow clients together
    ///
    /// Above it the clients with the longest queues are disconnected.
    #[arg(long, env = "CHATD_BACKLOG_TOTAL_BYTES", value_name = "BYTES", default_value_t = Config::default().backlog_total_bytes, value_parser = at_least::<usize, 1>, hide_short_help = true, help_heading = heading::LIMITS)]
    pub(crate) backlog_total_bytes: usize,

    /// Address and port of the admin listener (health, metrics, admin commands); off: there is none
    ///
    /// It speaks plain HTTP and is not meant for the internet. If the default port is in use, chatd
    /// takes the next free one and prints it.
    #[arg(long, env = "CHATD_ADMIN_LISTEN", value_name = "HOST:PORT", default_value = DEFAULT_ADMIN_LISTEN, help_heading = heading::ADMIN)]
    pub(crate) admin_listen: OrOff<Address>,

    /// File with the token for the admin commands (/v1 on the admin listener); off: admin commands
    /// are refused
    #[arg(long, env = "CHATD_ADMIN_TOKEN_FILE", value_name = "PATH", default_value = "off", help_heading = heading::ADMIN)]
    pub(crate) admin_token_file: OrOff<PathBuf>,

    /// The token itself, instead of a file
    ///
    /// Better in the environment than in a flag: other users of the machine can read the flags of a
    /// process.
    #[arg(
        long,
        env = "CHATD_ADMIN_TOKEN",
        value_name = "TOKEN",
        default_value = "off",
        hide_env_values = true,
        hide_short_help = true,
        help_heading = heading::ADMIN
    )]
    pub(crate) admin_token: OrOff<Secret>,

    /// Log level: off, error, warn, info, debug or trace; or levels for parts, such as
    /// warn,chat_server=debug
    ///
    /// The log goes to standard error. Lines that standard error does not take in time are dropped
    /// and counted. Parts that are not named have the level info, unless another level is named.
    #[arg(long, group = RELOADABLE, env = "CHATD_LOG", value_name = "LEVEL", default_value = "info", help_heading = heading::LOGGING)]
    pub(crate) log: LogFilter,

    /// Format of log lines: text, json, or auto (text on a terminal, json elsewhere)
    #[arg(
        long,
        env = "CHATD_LOG_FORMAT",
        value_name = "FORMAT",
        value_enum,
        hide_possible_values = true,
        default_value = "auto",
        hide_short_help = true,
        help_heading = heading::LOGGING
    )]
    pub(crate) log_format: LogFormat,

    /// URL of an OpenTelemetry collector that takes OTLP over HTTP; off: no traces
    ///
    /// Example: http://127.0.0.1:4318/v1/traces. Available only where chatd was built with the
    /// feature opentelemetry.
    #[arg(long, env = "CHATD_TRACE_ENDPOINT", value_name = "URL", default_value = "off", hide_short_help = true, help_heading = heading::LOGGING)]
    pub(crate) trace_endpoint: OrOff<String>,

    /// Share of the traces that is sent, from 0 (none) to 1 (all)
    #[arg(long, env = "CHATD_TRACE_SAMPLE", value_name = "SHARE", default_value = "0.01", hide_short_help = true, help_heading = heading::LOGGING)]
    pub(crate) trace_sample: Fraction,

    /// How long to keep accepting connections after SIGTERM while /readyz already reports "not
    /// ready" (0s: end at once)
    ///
    /// Load balancers have this time to stop sending traffic.
    #[arg(long, env = "CHATD_SHUTDOWN_NOTICE", value_name = "TIME", default_value = "0s", value_parser = duration, hide_short_help = true, help_heading = heading::SHUTDOWN)]
    pub(crate) shutdown_notice: Duration,

    /// How long to spread the closing of connections over when the server ends with 100 or more
    /// (0s: close all at once)
    ///
    /// Clients are asked to reconnect later, and not all at once.
    #[arg(long, env = "CHATD_SHUTDOWN_DRAIN", value_name = "TIME", default_value = "2s", value_parser = duration, hide_short_help = true, help_heading = heading::SHUTDOWN)]
    pub(crate) shutdown_drain: Duration,
}

impl Options {
    /// The admin token, from the file or the option that sets it. `None` if neither is set.
    pub(crate) fn admin_token(&self) -> Result<Option<Secret>, TokenError> {
        Secret::configured(self.admin_token_file.0.as_deref(), self.admin_token.0.as_ref())
    }

    /// For how many seconds a message may be edited; 0 if it always may.
    fn edit_window_s(&self) -> u32 {
        self.edit_window.0.map_or(0, |Age(age)| u32::try_from(age.as_secs()).unwrap_or(u32::MAX))
    }

    /// The number of days after which usage statistics are removed; `None` if they are kept
    /// forever.
    pub(crate) fn usage_days(&self) -> Option<u32> {
        let days = |Age(age): Age| age.as_secs().div_ceil(24 * 60 * 60);
        self.usage_max_age.0.map(|age| u32::try_from(days(age)).unwrap_or(u32::MAX))
    }

    /// What verifies the tokens of the identity provider. `None` if there is none.
    pub(crate) fn jwt(&self) -> Result<Option<JwtVerifier>, JwtOptionsError> {
        let sources = [
            self.jwt_jwks_url.0.as_ref().map(JwtKeys::url),
            self.jwt_jwks_file.0.as_ref().map(|path| Ok(JwtKeys::jwks_file(path))),
            self.jwt_key_file.0.as_ref().map(|path| Ok(JwtKeys::key_file(path))),
        ];
        let mut sources = sources.into_iter().flatten();
        let keys = sources.next().transpose().map_err(|error| JwtOptionsError::Url(Box::new(error)))?;
        match (keys, sources.next(), &self.jwt_issuer.0, &self.jwt_audience.0) {
            (None, _, None, None) => Ok(None),
            (Some(keys), None, Some(issuer), Some(audience)) => {
                let verifier = JwtVerifier::new(keys, issuer.as_str(), audience.as_str());
                Ok(Some(verifier.username_claim(self.jwt_username_claim.as_str())))
            }
            (_, Some(_), ..) => Err(JwtOptionsError::SeveralKeys),
            (None, ..) => Err(JwtOptionsError::NoKeys),
            (Some(_), None, ..) => Err(JwtOptionsError::NoIssuer),
        }
    }

    /// The configuration of the server.
    pub(crate) fn config(&self) -> Config {
        Config {
            limits: Limits {
                message_bytes: self.message_bytes,
                message_rate: self.message_rate,
                message_burst: self.message_burst,
                rooms: self.rooms_per_session,
                sessions: self.sessions_per_user,
                edit_window_s: self.edit_window_s(),
            },
            backlog: BacklogLimits { frames: self.backlog_frames, bytes: self.backlog_bytes },
            backlog_total_bytes: self.backlog_total_bytes,
            max_connections: self.max_connections,
            members_per_room: self.members_per_room,
            connections_per_address: self.connections_per_address,
            joins: Rate { per_second: self.join_rate, burst: self.join_burst },
            proxies: Proxies {
                trusted: self.trusted_proxies.clone(),
                header: match self.proxy_header {
                    ClientAddressHeader::ForwardedFor => ProxyHeader::ForwardedFor,
                    ClientAddressHeader::ProxyProtocol => ProxyHeader::ProxyProtocol,
                },
            },
            retention: Retention::new(
                self.history_max_age.0.map(|Age(age)| age),
                self.history_max_count.0.map(|Count(count)| count),
            ),
            deflate: self.compression == Switch::On,
            remote_images: match self.remote_images {
                Switch::On => RemoteImages::Shown,
                Switch::Off => RemoteImages::AsLinks,
            },
            origins: self.allowed_origins.clone(),
            page: match self.page {
                Switch::On => Page::Served,
                Switch::Off => Page::None,
            },
            site: Site {
                name: Some(self.site_name.clone()),
                logo: self.site_logo.0.clone(),
                welcome: self.site_welcome.0.clone(),
                default_room: Some(self.default_room.clone()),
            },
            registration: self.registration.0,
            guests: self.guests == Switch::On,
            room_creation: self.room_creation.0,
            abuse: AbuseLimits {
                // read when the configuration takes effect, because that can fail
                filter: None,
                new_users: self.new_account_limits.0.map(|NewAccountLimits(limits)| limits),
                repeats: self.repeated_messages.0.map(NonZeroU32::get),
            },
            timings: Timings {
                notice: self.shutdown_notice,
                drain: self.shutdown_drain,
                ..Timings::default()
            },
            // usage statistics are stored in the database
            count_usage: self.database != Database::Memory,
            ..Config::default()
        }
    }
}

/// Why the file of a filter can't be used.
#[derive(Debug, thiserror::Error)]
#[error("--filter {path:?}: {source}")]
pub(crate) struct FilterFileError {
    path: PathBuf,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl Options {
    /// Reads the filter of words and links.
    ///
    /// # Errors
    /// [`FilterFileError`] if the file cannot be read, or has a mistake.
    pub(crate) fn read_filter(&self) -> Result<Option<Arc<Filter>>, FilterFileError> {
        let Some(path) = &self.filter.0 else { return Ok(None) };
        let failed = |source| FilterFileError { path: path.clone(), source };
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.into()))?;
        let filter = text.parse::<Filter>().map_err(|error| failed(error.into()))?;
        Ok(Some(Arc::new(filter)))
    }
}

/// Why the options for an identity provider can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JwtOptionsError {
    #[error("--jwt-jwks-url: {0}")]
    Url(#[source] Box<JwtKeyError>),
    #[error("set one of --jwt-jwks-url, --jwt-jwks-file and --jwt-key-file, not several")]
    SeveralKeys,
    #[error(
        "--jwt-issuer and --jwt-audience need keys: set --jwt-jwks-url, --jwt-jwks-file or --jwt-key-file"
    )]
    NoKeys,
    #[error("keys of an identity provider need --jwt-issuer and --jwt-audience")]
    NoIssuer,
}

/// The names of the options that a reload applies to a running server. All other options need a
/// restart. The files of the certificate are read again in any case.
pub(crate) fn reloadable() -> BTreeSet<String> {
    let mut command = Options::augment_args(Command::new("options"));
    // adds each option to the groups that its attribute names
    command.build();
    let groups = command.get_groups().filter(|group| group.get_id() == RELOADABLE);
    let ids: Vec<_> = groups.flat_map(ArgGroup::get_args).collect();
    let options = command.get_arguments().filter(|arg| ids.contains(&arg.get_id()));
    options.filter_map(|arg| arg.get_long().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Alone {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn every_flag_has_a_variable_and_a_default() {
        for argument in Alone::command().get_arguments() {
            let name = argument.get_long().unwrap().to_uppercase().replace('-', "_");
            assert_eq!(argument.get_env().unwrap().to_str().unwrap(), format!("CHATD_{name}"));
            assert!(!argument.get_default_values().is_empty(), "{name} has a default");
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_server() {
        let config = Alone::parse_from(["chatd", "--database", ":memory:"]).options.config();
        assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
    }

    #[test]
    fn an_option_is_reloadable_if_its_attribute_says_so() {
        let reloadable = reloadable();
        assert!(reloadable.contains("message-rate") && reloadable.contains("log"), "{reloadable:?}");
        assert!(!reloadable.contains("listen") && !reloadable.contains("database"), "{reloadable:?}");
    }
}
