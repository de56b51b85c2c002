//! What can be set.

use std::sync::Arc;
use std::time::Duration;

use chat_history::Retention;
use chat_markdown::RemoteImages;
use chat_outbox::BacklogLimits;
use chat_protocol::Limits;

use crate::admission::origins::Origins;
use crate::admission::proxies::Proxies;
use crate::admission::rate_limit::Rate;
use crate::transport::tls::Tls;

/// The largest head of a request, in bytes. Browsers send the cookies of a whole domain along.
pub(crate) const HEAD_BYTES: usize = 32 * 1024;

/// What can be set about a server. The default is the contract's.
#[derive(Debug, Clone)]
pub struct Config {
    /// What a connection may send.
    pub limits: Limits,
    /// How much may wait for a slow reader.
    pub backlog: BacklogLimits,
    /// The memory, in bytes, of what waits for all readers together. Over it, those who hold more than their share are put out: see
    /// [`BacklogBudget`](chat_rooms::outbox::BacklogBudget).
    pub backlog_total_bytes: usize,
    /// How many chat connections there may be at once; the next one is answered by 503.
    pub max_connections: usize,
    /// How many connections there may be beside the chat connections: look-ups, probes, handshakes on their way. Beyond that nothing is
    /// accepted until one ends.
    pub other_connections: usize,
    /// How many members a room may have; to the next one it is full.
    pub members_per_room: usize,
    /// How many connections there may be at once from one address (of IPv6: one network with a prefix of 64 bits); the next one is
    /// answered by 429. 0: any number. Connections of the machine itself are not limited unless proxies are trusted.
    pub connections_per_address: usize,
    /// How fast one session may join rooms, which waits when it is faster; and how fast handshakes may come from one address, which are
    /// answered by 429 when they are faster.
    pub joins: Rate,
    /// Which proxies are believed when they say who it is that they speak for.
    pub proxies: Proxies,
    /// Whether messages are compressed on connections whose clients offer it (`permessage-deflate`, RFC 7692).
    pub deflate: bool,
    /// The certificate to shake hands with; none: connections are not encrypted.
    pub tls: Option<Arc<Tls>>,
    /// How long messages are kept.
    pub retention: Retention,
    /// Whether the engine counts how much rooms are used, for [`Engine::take_usage`](chat_rooms::Engine::take_usage), which has to be
    /// called now and then in that case.
    pub count_usage: bool,
    /// What becomes of images in messages that are rendered.
    pub remote_images: RemoteImages,
    /// Pages of which origins may talk to the server.
    pub origins: Origins,
    /// Whether the page is served.
    pub page: Page,
    /// How long things may take.
    pub timings: Timings,
}

/// Whether there is a web page to chat in, at `/` and `/r/{room}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Page {
    /// It is served.
    #[default]
    Served,
    /// There is none; the client for JavaScript is not served either.
    None,
}

impl Default for Config {
    /// 512 MiB that wait in all, 50,000 chat connections and 1,024 others, 100,000 members of a room, 200 connections from one
    /// address, 10 joins a second and 200 at once, no proxies, no compression, no TLS, every message is kept, and the defaults of the parts.
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
            timings: Timings::default(),
        }
    }
}

/// How long things may take. The default is the contract's; tests have less patience.
#[derive(Debug, Clone)]
pub struct Timings {
    /// A request's head has to be complete this long after the connection was made or the last request answered.
    pub head: Duration,
    /// A ping is sent this often.
    pub ping: Duration,
    /// A connection without a single byte for so long is out.
    pub silence: Duration,
    /// A session has to say `hello` this long after its handshake.
    pub hello: Duration,
    /// The seats of a session that was taken over are kept for so long, unless they are joined again.
    pub takeover: Duration,
    /// Somebody whose name another asks for has to show a sign of life within this.
    pub probe: Duration,
    /// A message has to be complete this long after its first byte. Looked at with every ping at the latest.
    pub message: Duration,
    /// What arrived before a hang-up, and was not read because of the pace, is taken for so long.
    pub hang_up: Duration,
    /// A close has to be done, with everything that was to be sent before it, within this.
    pub close: Duration,
    /// For so long a server that is about to end is not ready and lets people in all the same: whoever asks whether it is sends nobody
    /// more.
    pub notice: Duration,
    /// Over so long the connections of a server that ends are closed, where they are many.
    pub drain: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            ping: Duration::from_secs(20),
            silence: Duration::from_secs(50),
            hello: Duration::from_secs(10),
            takeover: Duration::from_secs(10),
            probe: Duration::from_secs(10),
            message: Duration::from_secs(30),
            hang_up: Duration::from_secs(5),
            close: Duration::from_secs(5),
            notice: Duration::ZERO,
            drain: Duration::from_secs(2),
        }
    }
}
