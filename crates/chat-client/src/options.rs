//! How a client is set up.

use std::fmt;
use std::time::Duration;

use chat_protocol::Username;

use crate::Backoff;

/// How a client is set up. `Options::new` gives sound defaults, the methods change them.
#[derive(Clone)]
pub struct Options {
    pub(crate) url: String,
    pub(crate) username: Username,
    pub(crate) token: Option<String>,
    pub(crate) client: Option<String>,
    pub(crate) render: bool,
    pub(crate) backoff: Backoff,
    pub(crate) event_buffer: usize,
    pub(crate) unacked: usize,
    pub(crate) connect_timeout: Duration,
    /// None: what `welcome` says.
    pub(crate) heartbeat: Option<Duration>,
    pub(crate) pong_timeout: Duration,
    pub(crate) close_timeout: Duration,
}

impl Options {
    /// `url` is the server's address, `ws://host:port/ws` where nothing is in front of it; it is looked at when connecting.
    pub fn new(url: impl Into<String>, username: Username) -> Self {
        Self {
            url: url.into(),
            username,
            token: None,
            client: None,
            render: false,
            backoff: Backoff::default(),
            event_buffer: 1_024,
            unacked: 256,
            connect_timeout: Duration::from_secs(10),
            heartbeat: None,
            pong_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(5),
        }
    }

    /// Who one is, for servers that ask. It is shown in no log.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// What this program is, in free text, for the server's log.
    pub fn client(mut self, client: impl Into<String>) -> Self {
        self.client = Some(client.into());
        self
    }

    /// Messages come with `html`, too: rendered from Markdown and sanitised.
    pub fn render(mut self) -> Self {
        self.render = true;
        self
    }

    /// How long to wait before coming back, before joining a room again and before sending again what could not be stored.
    /// Without this from 100 ms up to 10 s.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// How many events may wait to be read before the client reads no further from the server; at least 1, without this 1,024.
    pub fn event_buffer(mut self, events: usize) -> Self {
        self.event_buffer = events.max(1);
        self
    }

    /// How many messages may be on their way to their ack at once; at least 1, without this 256. What is sent beyond that waits for its
    /// place. They are kept in memory: at most so many times the largest frame that the server takes.
    pub fn unacked(mut self, messages: usize) -> Self {
        self.unacked = messages.max(1);
        self
    }

    /// How long connecting may take, up to the server's `welcome`. Without this 10 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// After so long a silence of the server the client asks for a sign of life. Without this as the server's `welcome` says.
    pub fn heartbeat(mut self, silence: Duration) -> Self {
        self.heartbeat = Some(silence);
        self
    }

    /// How long the answer to that may take before the client comes back by a new connection. Without this 10 s.
    pub fn pong_timeout(mut self, timeout: Duration) -> Self {
        self.pong_timeout = timeout;
        self
    }

    /// How long [`Client::close`](crate::Client::close) waits for the server at most. Without this 5 s.
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }
}

impl fmt::Debug for Options {
    /// All but the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("url", &self.url)
            .field("username", &self.username)
            .field("client", &self.client)
            .field("render", &self.render)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_not_shown() {
        let options =
            Options::new("ws://localhost/ws", "ana".parse().unwrap()).token("s3cret").event_buffer(0);
        assert!(!format!("{options:?}").contains("s3cret"));
        assert_eq!(options.event_buffer, 1);
    }
}
