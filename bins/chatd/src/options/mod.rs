//! What can be set about a server.

mod values;

use std::path::PathBuf;

use chat_history::Retention;
use chat_protocol::Limits;
use chat_rooms::outbox::BacklogLimits;
use chat_server::{Config, Origins, Page, Proxies, ProxyHeader, Rate, RemoteImages, Timings, TrustedProxies};
use clap::Args;

use crate::admin::Secret;
use crate::config::USUAL_FILE;
use crate::log::LogFormat;
pub(crate) use values::{Bound, Database, MemoryLimit, Switch};
use values::{HeaderOfProxies, Part, at_least};

/// What can be set about a server.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Configuration file: TOML, with one key for each of the other options [default: chatd.toml in the current folder, if there is one]
    #[arg(long, env = "CHATD_CONFIG", value_name = "PATH", default_value = USUAL_FILE, hide_default_value = true)]
    pub(crate) config: PathBuf,

    /// Address and port to listen on
    #[arg(long, env = "CHATD_LISTEN", value_name = "HOST:PORT", default_value = "127.0.0.1:8000")]
    pub(crate) listen: String,

    /// Address and port for the operator: health, figures and what can be done, over plain HTTP. Not for the internet; off: there is none
    #[arg(long, env = "CHATD_ADMIN_LISTEN", value_name = "HOST:PORT", default_value = "127.0.0.1:9000")]
    pub(crate) admin_listen: Bound<String>,

    /// File with the token that lets the operator do things under /v1 of that listener; off: nothing can be done there
    #[arg(long, env = "CHATD_ADMIN_TOKEN_FILE", value_name = "PATH", default_value = "off")]
    pub(crate) admin_token_file: Bound<PathBuf>,

    /// That token itself, in place of a file; better in the environment than in a flag, which others on the machine can read
    #[arg(
        long,
        env = "CHATD_ADMIN_TOKEN",
        value_name = "TOKEN",
        default_value = "off",
        hide_env_values = true
    )]
    pub(crate) admin_token: Bound<Secret>,

    /// PEM file with the certificate to show, and the chain behind it: connections are encrypted then; off: they are not. Read anew on SIGHUP
    #[arg(long, env = "CHATD_TLS_CERT", value_name = "PATH", default_value = "off")]
    pub(crate) tls_cert: Bound<PathBuf>,

    /// PEM file with the key of that certificate
    #[arg(long, env = "CHATD_TLS_KEY", value_name = "PATH", default_value = "off")]
    pub(crate) tls_key: Bound<PathBuf>,

    /// Database file, made if there is none; ":memory:" keeps everything in memory and forgets it at the end
    #[arg(long, env = "CHATD_DATABASE", value_name = "PATH", default_value = "./chatd.sqlite3")]
    pub(crate) database: Database,

    /// Whether messages are stored before they are shown: on, or off to keep only the newest of each room in memory. Without a
    /// database file they are not
    #[arg(long, env = "CHATD_HISTORY", value_name = "on|off", default_value = "on")]
    pub(crate) history: Switch,

    /// Messages older than this are removed, for example 30days; off keeps them
    #[arg(long, env = "CHATD_HISTORY_MAX_AGE", value_name = "AGE", default_value = "off")]
    pub(crate) history_max_age: Bound<humantime::Duration>,

    /// All but so many of the newest messages of each room are removed; off keeps them
    #[arg(long, env = "CHATD_HISTORY_MAX_COUNT", value_name = "COUNT", default_value = "off")]
    pub(crate) history_max_count: Bound<u64>,

    /// How much each room was used on each day (members at peak, messages, bytes) is forgotten after so long; off keeps it
    #[arg(long, env = "CHATD_USAGE_MAX_AGE", value_name = "AGE", default_value = "400days")]
    pub(crate) usage_max_age: Bound<humantime::Duration>,

    /// For so long a server that is told to end says on /readyz that it is not ready, and lets people in all the same: as long as a load balancer
    /// takes to notice
    #[arg(long, env = "CHATD_SHUTDOWN_NOTICE", value_name = "TIME", default_value = "0s")]
    pub(crate) shutdown_notice: humantime::Duration,

    /// Over so long the connections of a server that ends are closed, where they are 100 or more; they are asked to come back later, and not
    /// all at once
    #[arg(long, env = "CHATD_SHUTDOWN_DRAIN", value_name = "TIME", default_value = "2s")]
    pub(crate) shutdown_drain: humantime::Duration,

    /// Pages of which origins may chat here: own (this server's; classic clients may live anywhere), any, or a list of origins (scheme, host,
    /// and port if it is not the scheme's own) with commas between them, which holds for both dialects and for look-ups
    #[arg(long, env = "CHATD_ALLOWED_ORIGINS", value_name = "own|any|LIST", default_value = "own")]
    pub(crate) allowed_origins: Origins,

    /// Whether there is a page to chat in, at / and /r/ROOM, and the client for JavaScript at /client.js
    #[arg(long, env = "CHATD_PAGE", value_name = "on|off", default_value = "on")]
    pub(crate) page: Switch,

    /// Whether images in messages are shown where they are rendered: on, or off to show links to them, so that nobody's browser
    /// tells other servers who reads what
    #[arg(long, env = "CHATD_REMOTE_IMAGES", value_name = "on|off", default_value = "off")]
    pub(crate) remote_images: Switch,

    /// Whether messages are compressed on connections whose clients offer it, as browsers do (permessage-deflate): on saves a
    /// quarter of the bytes of short messages, two thirds of lists and pages of history, and costs processor time
    #[arg(long, env = "CHATD_COMPRESSION", value_name = "on|off", default_value = "off")]
    pub(crate) compression: Switch,

    /// What to log, to standard error: error, warn, info, debug, trace, or directives such as chat_server=debug
    #[arg(long, env = "CHATD_LOG", value_name = "FILTER", default_value = "info")]
    pub(crate) log: String,

    /// How a line of the log looks; auto: text on a terminal, one JSON object a line elsewhere
    #[arg(
        long,
        env = "CHATD_LOG_FORMAT",
        value_name = "FORMAT",
        value_enum,
        hide_possible_values = true,
        default_value = "auto"
    )]
    pub(crate) log_format: LogFormat,

    /// Where traces go: the URL of a collector that takes OTLP over HTTP, for example http://127.0.0.1:4318/v1/traces; off: nowhere. Only where
    /// chatd was built with the feature opentelemetry
    #[arg(long, env = "CHATD_TRACE_ENDPOINT", value_name = "URL", default_value = "off")]
    pub(crate) trace_endpoint: Bound<String>,

    /// The part of the traces that is sent, from 0 to 1
    #[arg(long, env = "CHATD_TRACE_SAMPLE", value_name = "PART", default_value = "0.01")]
    pub(crate) trace_sample: Part,

    /// Largest frame and largest message a client may send, in bytes
    #[arg(long, env = "CHATD_MESSAGE_BYTES", value_name = "BYTES", default_value_t = Limits::default().message_bytes, value_parser = at_least::<usize, 256>)]
    pub(crate) message_bytes: usize,

    /// Frames a second that a client may send in the long run; faster ones are read more slowly. 0: no pace
    #[arg(long, env = "CHATD_MESSAGE_RATE", value_name = "COUNT", default_value_t = Limits::default().message_rate)]
    pub(crate) message_rate: u32,

    /// Frames that a client may send at once before the rate holds
    #[arg(long, env = "CHATD_MESSAGE_BURST", value_name = "COUNT", default_value_t = Limits::default().message_burst)]
    pub(crate) message_burst: u32,

    /// Rooms that one session of chat.v2 may be in
    #[arg(long, env = "CHATD_ROOMS_PER_SESSION", value_name = "COUNT", default_value_t = Limits::default().rooms, value_parser = at_least::<u32, 1>)]
    pub(crate) rooms_per_session: u32,

    /// Frames that may wait for a slow reader before it is put out
    #[arg(long, env = "CHATD_BACKLOG_FRAMES", value_name = "COUNT", default_value_t = BacklogLimits::default().frames, value_parser = at_least::<usize, 1>)]
    pub(crate) backlog_frames: usize,

    /// Bytes that may wait for a slow reader before it is put out
    #[arg(long, env = "CHATD_BACKLOG_BYTES", value_name = "BYTES", default_value_t = BacklogLimits::default().bytes, value_parser = at_least::<usize, 1>)]
    pub(crate) backlog_bytes: usize,

    /// Bytes that may wait for all slow readers together; beyond that those who hold most of it are put out
    #[arg(long, env = "CHATD_BACKLOG_TOTAL_BYTES", value_name = "BYTES", default_value_t = Config::default().backlog_total_bytes, value_parser = at_least::<usize, 1>)]
    pub(crate) backlog_total_bytes: usize,

    /// Chat connections at once; the next one is answered by 503
    #[arg(long, env = "CHATD_MAX_CONNECTIONS", value_name = "COUNT", default_value_t = Config::default().max_connections, value_parser = at_least::<usize, 1>)]
    pub(crate) max_connections: usize,

    /// Memory, in bytes, that the process should keep within: near to it nobody new is let in (503). auto: the limit of the container or the
    /// service that it runs in, if there is one; off: any
    #[arg(long, env = "CHATD_MAX_MEMORY", value_name = "auto|off|BYTES", default_value = "auto")]
    pub(crate) max_memory: MemoryLimit,

    /// Members that a room may have; to the next one it is full
    #[arg(long, env = "CHATD_MEMBERS_PER_ROOM", value_name = "COUNT", default_value_t = Config::default().members_per_room, value_parser = at_least::<usize, 1>)]
    pub(crate) members_per_room: usize,

    /// Connections at once from one address, or one /64 of IPv6; the next one is answered by 429. 0: any number. Those of the machine
    /// itself are not limited unless proxies are trusted
    #[arg(long, env = "CHATD_CONNECTIONS_PER_ADDRESS", value_name = "COUNT", default_value_t = Config::default().connections_per_address)]
    pub(crate) connections_per_address: usize,

    /// Rooms a second that a session may join in the long run, faster ones wait; and handshakes a second from one address, faster ones are
    /// answered by 429. 0: any number
    #[arg(long, env = "CHATD_JOIN_RATE", value_name = "COUNT", default_value_t = Config::default().joins.per_second)]
    pub(crate) join_rate: u32,

    /// How many of them may come at once before the rate holds
    #[arg(long, env = "CHATD_JOIN_BURST", value_name = "COUNT", default_value_t = Config::default().joins.burst)]
    pub(crate) join_burst: u32,

    /// Proxies that are believed when they say who it is that they speak for: none, or addresses and networks with commas between them, for
    /// example 127.0.0.1,10.0.0.0/8
    #[arg(long, env = "CHATD_TRUSTED_PROXIES", value_name = "none|LIST", default_value = "none")]
    pub(crate) trusted_proxies: TrustedProxies,

    /// How trusted proxies say it: in the handshake's X-Forwarded-For, or by the PROXY protocol (version 1 or 2) before everything else
    #[arg(
        long,
        env = "CHATD_PROXY_HEADER",
        value_name = "x-forwarded-for|proxy-protocol",
        default_value = "x-forwarded-for",
        hide_possible_values = true
    )]
    pub(crate) proxy_header: HeaderOfProxies,
}

impl Options {
    /// For how many days usage is kept; none: for ever.
    pub(crate) fn usage_days(&self) -> Option<u32> {
        let days = |age: humantime::Duration| age.as_secs().div_ceil(24 * 60 * 60);
        self.usage_max_age.0.map(|age| u32::try_from(days(age)).unwrap_or(u32::MAX))
    }

    pub(crate) fn config(&self) -> Config {
        Config {
            limits: Limits {
                message_bytes: self.message_bytes,
                message_rate: self.message_rate,
                message_burst: self.message_burst,
                rooms: self.rooms_per_session,
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
                    HeaderOfProxies::ForwardedFor => ProxyHeader::ForwardedFor,
                    HeaderOfProxies::ProxyProtocol => ProxyHeader::ProxyProtocol,
                },
            },
            retention: Retention {
                max_age: self.history_max_age.0.map(Into::into),
                max_count: self.history_max_count.0,
            },
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
            timings: Timings {
                notice: self.shutdown_notice.into(),
                drain: self.shutdown_drain.into(),
                ..Timings::default()
            },
            // where there is a database to keep it in
            count_usage: matches!(self.database, Database::File(_)),
            ..Config::default()
        }
    }
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
    fn every_flag_has_its_variable_and_a_default() {
        for argument in Alone::command().get_arguments() {
            let name = argument.get_long().unwrap().to_uppercase().replace('-', "_");
            assert_eq!(argument.get_env().unwrap().to_str().unwrap(), format!("CHATD_{name}"));
            assert!(!argument.get_default_values().is_empty(), "{name} has a default");
        }
    }

    #[test]
    fn the_defaults_are_the_servers() {
        let config = Alone::parse_from(["chatd", "--database", ":memory:"]).options.config();
        assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
    }
}
