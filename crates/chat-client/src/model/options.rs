//! How a client is set up.

use std::fmt;
use std::time::Duration;

use chat_protocol::Username;

use super::backoff::Backoff;
#[cfg(feature = "tls")]
use super::tls::Tls;
use super::token::TokenSource;

/// How a client is set up. `Options::new` gives sound defaults, the methods change them.
#[derive(Clone)]
pub struct Options {
    pub(crate) url: String,
    pub(crate) username: Username,
    pub(crate) token: Option<TokenSource>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Tls,
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
    /// `url` is the server's address: `wss://host/ws` with TLS, `ws://host:port/ws` without. It is checked when connecting.
    pub fn new(url: impl Into<String>, username: Username) -> Self {
        Self {
            url: url.into(),
            username,
            token: None,
            #[cfg(feature = "tls")]
            tls: Tls::system(),
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

    /// The token that proves who the user is, for servers that ask for one. Every session begins with it. It never appears in a log
    /// or in `Debug`. For tokens that expire there is [`token_provider`](Self::token_provider); the later of the two calls counts.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(TokenSource::Fixed(token.into().into()));
        self
    }

    /// Where tokens come from that expire: called once before each session, the first and every later one. The time that it takes
    /// counts towards [`connect_timeout`](Self::connect_timeout), and its future is dropped when that is over. An error is a
    /// [`ConnectError::Token`](crate::ConnectError::Token): [`Client::connect`](crate::Client::connect) fails with it, and a client
    /// that reconnects tries again later.
    ///
    /// ```
    /// # use chat_client::Options;
    /// # async fn token_of_this_minute() -> Result<String, std::io::Error> { Ok("secret".into()) }
    /// let options = Options::new("wss://chat.example/ws", "ana".parse()?).token_provider(token_of_this_minute);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn token_provider<F, R, E>(mut self, provider: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.token = Some(TokenSource::provider(provider));
        self
    }

    /// What `wss:` connections are made with, for example roots of your own or a client certificate. By default the certificates
    /// that the system trusts, or those of the file in the variable `SSL_CERT_FILE`.
    ///
    /// ```
    /// # use chat_client::Options;
    /// use std::sync::Arc;
    ///
    /// use chat_client::rustls::crypto::ring::default_provider;
    /// use chat_client::rustls::{ClientConfig, RootCertStore};
    ///
    /// let roots = RootCertStore::empty(); // and your certificates
    /// let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
    ///     .with_safe_default_protocol_versions()?
    ///     .with_root_certificates(roots)
    ///     .with_no_client_auth();
    /// let options = Options::new("wss://chat.example/ws", "ana".parse()?).tls(Arc::new(config));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "tls")]
    pub fn tls(mut self, config: std::sync::Arc<crate::rustls::ClientConfig>) -> Self {
        self.tls = Tls::Config(config);
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
