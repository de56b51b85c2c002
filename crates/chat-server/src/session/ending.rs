//! Why a connection ends, and in which dialect that is said.

use chat_protocol::CloseCode;

use crate::metrics::{self, By};

/// What is spoken on a connection.
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
    /// The client closed, with a code or without.
    ClientClosed(Option<u16>),
    /// There is nobody any more.
    Gone,
    /// The server closes, with this code.
    Failed(CloseCode),
    /// The client reads too slowly.
    TooSlow,
    /// The server ends.
    ShuttingDown,
}

impl CloseReason {
    /// Who ended it.
    pub(crate) fn by(self) -> By {
        match self {
            Self::ClientClosed(_) | Self::Gone => By::Client,
            Self::Failed(_) | Self::TooSlow | Self::ShuttingDown => By::Server,
        }
    }

    /// The close code, as RFC 6455, section 7.1.5, has it for ends without one, too.
    pub(crate) fn code(self) -> u16 {
        const NO_CODE: u16 = 1005;
        const NO_FRAME: u16 = 1006;
        match self {
            Self::ClientClosed(code) => code.unwrap_or(NO_CODE),
            Self::Gone => NO_FRAME,
            Self::Failed(code) => code.code(),
            Self::TooSlow => CloseCode::TooSlow.code(),
            Self::ShuttingDown => CloseCode::GoingAway.code(),
        }
    }

    /// Who ended it and the close code, as fields of a line of the log; none while it goes on.
    pub(crate) fn fields(ending: Option<Self>) -> (Option<&'static str>, Option<u16>) {
        (ending.map(|ending| ending.by().name()), ending.map(Self::code))
    }

    /// For those who watch.
    pub(crate) fn count(self) {
        metrics::closed(self.by(), self.code());
        if self == Self::TooSlow {
            metrics::too_slow();
        }
    }
}
