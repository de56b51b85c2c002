//! The configuration of a client.

use std::fmt;
use std::time::Duration;

use chat_protocol::{GuestToken, Username};

use super::backoff::Backoff;
#[cfg(feature = "tls")]
use super::tls::Tls;
use super::token::TokenSource;

/// The configuration of a client: [`Options::new`] has useful defaults, and each method changes
/// one of them.
///
/// ```
/// use std::time::Duration;
///
/// use chat_client::Options;
///
/// let options = Options::new("ws://127.0.0.1:8000/ws", "ana".parse()?)
///     .client("weather bot 1.2")
///     .connect_timeout(Duration::from_secs(5));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Options {
    pub(crate) url: String,
    pub(crate) username: Username,
    pub(crate) token: Option<TokenSource>,
    pub(crate) guest_token: Option<GuestToken>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Tls,
    pub(crate) client: Option<String>,
    pub(crate) render: bool,
    pub(crate) backoff: Backoff,
    pub(crate) event_buffer: usize,
    pub(crate) max_in_flight: usize,
    pub(crate) connect_timeout: Duration,
    /// `None`: the interval in the server's `welcome`.
    pub(crate) heartbeat_interval: Option<Duration>,
    pub(crate) pong_timeout: Duration,
    pub(crate) close_timeout: Duration,
}

impl Options {
    /// The address of the server, and the name of the user. `url` is `wss://host/ws` with TLS, and
    /// `ws://host:port/ws` without. [`Client::connect`](crate::Client::connect) checks it.
    ///
    /// ```
    /// # use chat_client::Options;
    /// let options = Options::new("wss://chat.example/ws", "ana".parse()?);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(url: impl Into<String>, username: Username) -> Self {
        Self {
            url: url.into(),
            username,
            token: None,
            guest_token: None,
            #[cfg(feature = "tls")]
            tls: Tls::system(),
            client: None,
            render: false,
            backoff: Backoff::default(),
            event_buffer: 1_024,
            max_in_flight: 256,
            connect_timeout: Duration::from_secs(10),
            heartbeat_interval: None,
            pong_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(5),
        }
    }

    /// The token of an account. Every session begins with it, and a token that the server does not
    /// accept does not make the user a guest. It never appears in a log or in `Debug`. For tokens
    /// that expire, use [`token_provider`](Self::token_provider); the later of the two calls
    /// counts.
    ///
    /// ```
    /// # use chat_client::Options;
    /// # let secret = "secret";
    /// let options = Options::new("wss://chat.example/ws", "ana".parse()?).token(secret);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(TokenSource::Fixed(token.into().into()));
        self
    }

    /// The secret that makes a guest the same user again (default: a random one for each client).
    /// The same token and username are the same user, in any number of clients at the same time and
    /// one after the other. Others see one member, and the messages remain the user's own. It never
    /// appears in a log or in `Debug`. A client with a [`token`](Self::token) is not a guest, and
    /// does not send it.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::fs;
    ///
    /// use chat_client::{Client, Options};
    ///
    /// let mut options = Options::new("wss://chat.example/ws", "ana".parse()?);
    /// if let Ok(token) = fs::read_to_string("guest-token") {
    ///     options = options.guest_token(token.parse()?);
    /// }
    /// let (client, events) = Client::connect(options).await?;
    /// if let Some(token) = client.guest_token() {
    ///     fs::write("guest-token", token.to_text())?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn guest_token(mut self, token: GuestToken) -> Self {
        self.guest_token = Some(token);
        self
    }

    /// The source of tokens that expire: called once before each session. Its duration counts
    /// towards [`connect_timeout`](Self::connect_timeout), after which its future is dropped. An
    /// error becomes [`ConnectError::Token`](crate::ConnectError::Token):
    /// [`Client::connect`](crate::Client::connect) fails with it, and a client that reconnects
    /// tries again later.
    ///
    /// ```
    /// # use chat_client::Options;
    /// # async fn fetch_token() -> Result<String, std::io::Error> { Ok("secret".into()) }
    /// let options = Options::new("wss://chat.example/ws", "ana".parse()?)
    ///     .token_provider(fetch_token);
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

    /// The TLS configuration of `wss:` connections, for example with your own root certificates or
    /// a client certificate (default: the certificates that the system trusts, or those of the file
    /// in the variable `SSL_CERT_FILE`).
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
    pub fn tls(mut self, config: std::sync::Arc<tokio_rustls::rustls::ClientConfig>) -> Self {
        self.tls = Tls::Config(config);
        self
    }

    /// A description of this program, in free text, for the server's log.
    ///
    /// ```
    /// # use chat_client::Options;
    /// let options = Options::new("wss://chat.example/ws", "ana".parse()?)
    ///     .client("weather bot 1.2");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn client(mut self, client: impl Into<String>) -> Self {
        self.client = Some(client.into());
        self
    }

    /// Requests `html` with each message: its Markdown, rendered and sanitised.
    ///
    /// ```
    /// # use chat_client::Options;
    /// let options = Options::new("wss://chat.example/ws", "ana".parse()?).render();
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn render(mut self) -> Self {
        self.render = true;
        self
    }

    /// The delay before the client reconnects, rejoins a room, and sends a message again that could
    /// not be stored (default: from 100 ms up to 10 s).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use chat_client::{Backoff, Options};
    /// let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
    /// let options = Options::new("wss://chat.example/ws", "ana".parse()?).backoff(backoff);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// The number of unread events after which the client stops reading from the server, at least 1
    /// (default: 1,024).
    ///
    /// ```
    /// # use chat_client::Options;
    /// let options = Options::new("wss://chat.example/ws", "ana".parse()?).event_buffer(10_000);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn event_buffer(mut self, events: usize) -> Self {
        self.event_buffer = events.max(1);
        self
    }

    /// The maximum number of messages without an ack, at least 1 (default: 256). Further messages
    /// wait for capacity. The client keeps the messages in memory: at most this number times the
    /// largest frame that the server accepts.
    ///
    /// ```
    /// # use chat_client::Options;
    /// let options = Options::new("wss://chat.example/ws", "ana".parse()?).max_in_flight(16);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn max_in_flight(mut self, messages: usize) -> Self {
        self.max_in_flight = messages.max(1);
        self
    }

    /// The maximum time for connecting, up to the server's `welcome` (default: 10 s).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use chat_client::Options;
    /// let options = Options::new("wss://chat.example/ws", "ana".parse()?)
    ///     .connect_timeout(Duration::from_secs(3));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The time without a byte from the server after which the client sends a `ping` (default: the
    /// interval in the server's `welcome`).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use chat_client::Options;
    /// let options = Options::new("wss://chat.example/ws", "ana".parse()?)
    ///     .heartbeat_interval(Duration::from_secs(5));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn heartbeat_interval(mut self, interval: Duration) -> Self {
        self.heartbeat_interval = Some(interval);
        self
    }

    /// The time without a byte after that `ping` after which the client reconnects (default: 10 s).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use chat_client::Options;
    /// let options = Options::new("wss://chat.example/ws", "ana".parse()?)
    ///     .pong_timeout(Duration::from_secs(3));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn pong_timeout(mut self, timeout: Duration) -> Self {
        self.pong_timeout = timeout;
        self
    }

    /// The maximum time that [`Client::close`](crate::Client::close) waits for the server (default:
    /// 5 s).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use chat_client::Options;
    /// let options = Options::new("wss://chat.example/ws", "ana".parse()?)
    ///     .close_timeout(Duration::from_secs(1));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }
}

impl fmt::Debug for Options {
    /// Omits the tokens.
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

    fn options() -> Options {
        Options::new("ws://localhost/ws", "ana".parse().unwrap())
    }

    #[test]
    fn debug_omits_the_tokens() {
        let guest_token = GuestToken::from_random([7; 32]);
        let text = guest_token.to_text();
        let debug = format!("{:?}", options().token("s3cret").guest_token(guest_token));
        assert!(debug.contains("ana") && !debug.contains("s3cret") && !debug.contains(&text), "{debug}");
    }

    #[test]
    fn the_event_buffer_has_capacity_for_one_event() {
        assert_eq!(options().event_buffer(0).event_buffer, 1);
    }
}
