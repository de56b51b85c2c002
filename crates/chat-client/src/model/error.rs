//! Why something did not work out.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use chat_protocol::v2::{Bye, ErrorCode};

/// Why a connection did not come about. [`Client::connect`](crate::Client::connect) fails with it; later, when the client comes back
/// by itself, it is in [`Disconnect::Unreachable`](crate::Disconnect::Unreachable).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address is not of the form `ws://host:port/path` or `wss://host:port/path`, or it is a `wss:` address and this crate was
    /// built without its feature `tls`.
    #[error("\"{0}\" is not a WebSocket address: write ws://host:port/path or wss://host:port/path")]
    Url(String),
    /// Nobody answers there.
    #[error("cannot reach the server: {message}")]
    Unreachable {
        /// What the system said, for a program.
        kind: io::ErrorKind,
        /// What the system said, for a person.
        message: String,
    },
    /// The server's certificate is not one that this client trusts, TLS failed in another way, or the system has no trusted
    /// certificates.
    #[error("cannot encrypt the connection: {0}")]
    Tls(String),
    /// [`Options::token_provider`](crate::Options::token_provider) had no token; the text is the provider's.
    #[error("cannot get a token for the session: {0}")]
    Token(String),
    /// There was no `welcome` within [`Options::connect_timeout`](crate::Options::connect_timeout).
    #[error("the server did not answer `hello` within {0:?}")]
    TimedOut(Duration),
    /// The server refused the WebSocket: 403 means an origin that is not allowed, 429 too many connections, 503 a server that is
    /// full or shutting down, 404 an address at which there is no chat.
    #[error("the server refused the connection with HTTP status {status}")]
    Handshake {
        /// The status of HTTP.
        status: u16,
    },
    /// What answers there does not speak `chat.v2`.
    #[error("the server does not speak chat.v2: {0}")]
    Dialect(String),
    /// The server did not accept `hello`.
    #[error("the server refused the session: {message}")]
    Refused {
        /// Why, for a program.
        code: ErrorCode,
        /// Why, for a person.
        message: Arc<str>,
        /// When it is worth trying again.
        retry_after: Option<Duration>,
    },
    /// The server said `bye` in place of `welcome`.
    #[error("the server closed the session: {}", .0.reason)]
    Bye(Bye),
    /// The connection ended before `welcome`.
    #[error("the connection was lost before the session began: {0}")]
    Ended(String),
}

impl ConnectError {
    /// Whether trying again is of no use: it would be refused in the same way.
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

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The server refused it; or this client did, because the server would: a message to a room that was not joined
    /// ([`NotInRoom`](ErrorCode::NotInRoom)), a room that is joined already ([`AlreadyInRoom`](ErrorCode::AlreadyInRoom)), a frame
    /// larger than the server takes ([`MessageTooLarge`](ErrorCode::MessageTooLarge)).
    #[error("{message}")]
    Refused {
        /// Why, for a program.
        code: ErrorCode,
        /// Why, for a person.
        message: Arc<str>,
        /// When it is worth trying again.
        retry_after: Option<Duration>,
    },
    /// The room was left, by oneself or by the server, before the answer came. Whether a message was stored is not known.
    #[error("the session left the room before the server answered")]
    LeftRoom,
    /// There is no connection at present, or it ended before the answer came. Only for what belongs to one connection:
    /// [`history`](crate::Client::history), [`members`](crate::Client::members), [`typing`](crate::Client::typing) and
    /// [`ping`](crate::Client::ping).
    #[error("not connected; the client is reconnecting")]
    Disconnected,
    /// The client was closed for good; the last event says why. Whether a message that had no ack was stored is not known.
    #[error("the client is closed")]
    Closed,
}

impl CommandError {
    pub(crate) fn refused(code: ErrorCode, message: &str) -> Self {
        Self::Refused { code, message: message.into(), retry_after: None }
    }

    /// The server's or this client's code for it, where it was refused.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_refused_again_is_final() {
        let refused =
            |code| ConnectError::Refused { code, message: "no".into(), retry_after: None }.is_final();
        assert!(refused(ErrorCode::Unauthorized) && refused(ErrorCode::InvalidUsername));
        assert!(!refused(ErrorCode::StoreUnavailable) && !refused(ErrorCode::RateLimited));
        assert!(!ConnectError::Handshake { status: 503 }.is_final());
        let bye = Bye { code: 4403, reason: "no".into(), reconnect: false, after_ms: None };
        assert!(ConnectError::Bye(bye).is_final());
    }
}
