//! Why a connection ends, and in which dialect the client is notified.

use chat_protocol::CloseCode;

use crate::metrics::{self, ClosedBy};

/// The dialect of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Classic,
    V2,
}

impl Dialect {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::V2 => "chat.v2",
        }
    }
}

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// The client closed it, with or without a code.
    ClientClosed(Option<u16>),
    /// The client is gone.
    Gone,
    /// The server closes it with this code.
    Failed(CloseCode),
    /// The user has to sign in again, or for the first time: the client may reconnect with a new
    /// token.
    SignInAgain,
    /// The client reads too slowly.
    TooSlow,
    /// The server is shutting down.
    ShuttingDown,
}

impl CloseReason {
    /// Which side closed it.
    pub(crate) fn by(self) -> ClosedBy {
        match self {
            Self::ClientClosed(_) | Self::Gone => ClosedBy::Client,
            Self::Failed(_) | Self::SignInAgain | Self::TooSlow | Self::ShuttingDown => ClosedBy::Server,
        }
    }

    /// The close code. Ends without one get the codes that RFC 6455, section 7.1.5, reserves for
    /// them.
    pub(crate) fn code(self) -> u16 {
        const NO_CODE: u16 = 1005;
        const NO_FRAME: u16 = 1006;
        match self {
            Self::ClientClosed(code) => code.unwrap_or(NO_CODE),
            Self::Gone => NO_FRAME,
            Self::Failed(code) => code.code(),
            Self::SignInAgain => CloseCode::NotAccepted.code(),
            Self::TooSlow => CloseCode::TooSlow.code(),
            Self::ShuttingDown => CloseCode::GoingAway.code(),
        }
    }

    /// The closing side and the close code, as log fields. `None` while the connection is open.
    pub(crate) fn fields(reason: Option<Self>) -> (Option<&'static str>, Option<u16>) {
        (reason.map(|reason| reason.by().name()), reason.map(Self::code))
    }

    /// Counts it in the metrics.
    pub(crate) fn count(self) {
        metrics::closed(self.by(), self.code());
        if self == Self::TooSlow {
            metrics::too_slow();
        }
    }
}
