//! Errors of a client.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use chat_protocol::Timestamp;
use chat_protocol::v2::{Bye, DenialReason, ErrorCode};

use super::cause::Cause;

/// Why a connection could not be established. [`Client::connect`](crate::Client::connect) fails
/// with it. A client that reconnects reports it in
/// [`Disconnect::Unreachable`](crate::Disconnect::Unreachable).
///
/// The text does not contain the [cause](Cause): print the
/// [`source`](std::error::Error::source) as well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address is not of the form `ws://host:port/path` or `wss://host:port/path`, or it is a
    /// `wss:` address and this crate was built without its feature `tls`.
    #[error("\"{0}\" is not a WebSocket address: write ws://host:port/path or wss://host:port/path")]
    Url(String),
    /// No TCP connection could be opened.
    #[error("cannot reach the server")]
    Unreachable {
        /// The kind of the system's error.
        kind: io::ErrorKind,
        /// The system's error.
        source: Cause,
    },
    /// The client does not trust the server's certificate, TLS failed in another way, or the system
    /// has no trusted certificates.
    #[error("cannot encrypt the connection")]
    Tls(#[source] Cause),
    /// [`Options::token_provider`](crate::Options::token_provider) failed; the cause is the
    /// provider's error.
    #[error("cannot get a token for the session")]
    Token(#[source] Cause),
    /// The operating system has no random bytes for a guest token.
    /// [`Options::guest_token`](crate::Options::guest_token) needs none.
    #[error("cannot make a guest token: the operating system has no random bytes")]
    Random(#[source] Cause),
    /// No `welcome` arrived within [`Options::connect_timeout`](crate::Options::connect_timeout).
    #[error("the server did not answer `hello` within {0:?}")]
    TimedOut(Duration),
    /// The server refused the WebSocket handshake: 403 means an origin that is not allowed, 404 an
    /// address without a chat, 429 too many connections, 503 a server that is full or shutting
    /// down.
    #[error("the server refused the connection with HTTP status {status}")]
    Handshake {
        /// The HTTP status.
        status: u16,
    },
    /// The server does not speak `chat.v2`.
    #[error("the server does not speak chat.v2")]
    Dialect(#[source] Cause),
    /// The server refused the `hello`.
    #[error("the server refused the session: {message}")]
    Refused {
        /// The reason, for a program.
        code: ErrorCode,
        /// The reason, for a person.
        message: Arc<str>,
        /// When another attempt may succeed.
        retry_after: Option<Duration>,
    },
    /// The server sent `bye` instead of `welcome`.
    #[error("the server closed the session: {}", .0.reason)]
    Bye(Bye),
    /// The connection ended before `welcome`.
    #[error("the connection was lost before the session began")]
    Ended(#[source] Cause),
}

impl ConnectError {
    /// Whether another attempt is useless, because it would fail in the same way.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// use chat_client::{Client, Options};
    ///
    /// let options = Options::new("ws://127.0.0.1:8000/ws", "ana".parse()?);
    /// let (client, events) = loop {
    ///     match Client::connect(options.clone()).await {
    ///         Ok(connected) => break connected,
    ///         Err(error) if error.is_final() => return Err(error.into()),
    ///         Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
    ///     }
    /// };
    /// # Ok(()) }
    /// ```
    pub fn is_final(&self) -> bool {
        match self {
            Self::Url(_) => true,
            Self::Refused { code, .. } => is_final_for_a_session(*code),
            Self::Bye(bye) => !bye.reconnect,
            _ => false,
        }
    }
}

fn is_final_for_a_session(code: ErrorCode) -> bool {
    code.is_wrong_frame()
        || matches!(code, ErrorCode::InvalidUsername | ErrorCode::Unauthorized | ErrorCode::Forbidden)
}

/// Why a command failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The server refused the command. The client itself refuses what the server would: a message
    /// to a room that has not been joined ([`NotInRoom`](ErrorCode::NotInRoom)), a room that has
    /// been joined already ([`AlreadyInRoom`](ErrorCode::AlreadyInRoom)), a frame that is larger
    /// than the server's limit ([`MessageTooLarge`](ErrorCode::MessageTooLarge)).
    #[error("{message}")]
    Refused {
        /// The reason, for a program.
        code: ErrorCode,
        /// The reason, for a person.
        message: Arc<str>,
        /// When another attempt may succeed.
        retry_after: Option<Duration>,
        /// What rules have against it, if the code is [`Forbidden`](ErrorCode::Forbidden) for that.
        denied: Option<DenialReason>,
        /// When the reason ends: a mute or a ban. `None` if it has no end, or none that is known.
        until: Option<Timestamp>,
    },
    /// The session left the room, or was removed from it, before the answer arrived. It is unknown
    /// whether a message was stored.
    #[error("the session left the room before the server answered")]
    LeftRoom,
    /// The client is not connected, or the connection ended before the answer arrived. Only for
    /// commands that belong to one connection: [`history`](crate::Client::history),
    /// [`members`](crate::Client::members), [`typing`](crate::Client::typing) and
    /// [`ping`](crate::Client::ping).
    #[error("not connected; the client is reconnecting")]
    Disconnected,
    /// The client is closed for good; the last event contains the reason. It is unknown whether a
    /// message without an ack was stored.
    #[error("the client is closed")]
    Closed,
}

impl CommandError {
    pub(crate) fn refused(code: ErrorCode, message: &str) -> Self {
        Self::Refused { code, message: message.into(), retry_after: None, denied: None, until: None }
    }

    /// The code of a command that was refused, by the server or by this client.
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use chat_client::{ErrorCode, JoinOptions};
    ///
    /// let joined = client.join(&"lobby".parse()?, JoinOptions::default()).await;
    /// if joined.is_err_and(|error| error.code() == Some(ErrorCode::UsernameTaken)) {
    ///     println!("choose another name");
    /// }
    /// # Ok(()) }
    /// ```
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[test]
    fn a_cause_is_the_source_and_not_part_of_the_text() {
        let reset = || io::Error::new(io::ErrorKind::ConnectionRefused, "nobody listens");
        let error = ConnectError::Unreachable { kind: reset().kind(), source: reset().into() };
        let source = error.source().unwrap();
        assert_eq!(source.downcast_ref::<io::Error>().unwrap().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(source.to_string(), "nobody listens");
        assert_eq!(error.to_string(), "cannot reach the server");
        assert!(ConnectError::Handshake { status: 503 }.source().is_none());
    }

    #[test]
    fn errors_are_equal_if_the_texts_of_their_causes_are() {
        let error = |text: &str| ConnectError::Token(text.into());
        assert_eq!(error("no network"), ConnectError::Token(io::Error::other("no network").into()));
        assert_ne!(error("no network"), error("no issuer"));
    }

    #[test]
    fn errors_that_would_repeat_are_final() {
        let refused =
            |code| ConnectError::Refused { code, message: "no".into(), retry_after: None }.is_final();
        assert!(refused(ErrorCode::Unauthorized) && refused(ErrorCode::InvalidUsername));
        assert!(!refused(ErrorCode::StoreUnavailable) && !refused(ErrorCode::RateLimited));
        assert!(!ConnectError::Handshake { status: 503 }.is_final());
        let bye = Bye { code: 4403, reason: "no".into(), reconnect: false, after_ms: None };
        assert!(ConnectError::Bye(bye).is_final());
    }
}
