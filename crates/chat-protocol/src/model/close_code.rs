//! Why the server closes a connection.

/// The codes a close frame of the server carries (RFC 6455, section 7.4; 4000 and up are the application's own).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseCode {
    /// The client closed without giving a code.
    Normal,
    /// The server is shutting down; come back later.
    GoingAway,
    /// A frame against RFC 6455.
    Protocol,
    /// A binary frame.
    Unsupported,
    /// Text that is not UTF-8.
    InvalidText,
    /// A message that was not complete in time.
    Policy,
    /// A frame or message over the limit.
    TooBig,
    /// A fault of the server.
    Internal,
    /// There are as many connections as there may be.
    Full,
    /// Too many wrong frames.
    InvalidFrames,
    /// Who the client says it is was not accepted.
    NotAccepted,
    /// Not allowed.
    Forbidden,
    /// No `hello`, or no sign of life, in time.
    Silent,
    /// The session was taken over by its own `resume`.
    TakenOver,
    /// Far over a limit.
    OverLimit,
    /// The client reads too slowly: its backlog is full.
    TooSlow,
}

impl CloseCode {
    /// Every code, in ascending order.
    pub const ALL: [Self; 16] = [
        Self::Normal,
        Self::GoingAway,
        Self::Protocol,
        Self::Unsupported,
        Self::InvalidText,
        Self::Policy,
        Self::TooBig,
        Self::Internal,
        Self::Full,
        Self::InvalidFrames,
        Self::NotAccepted,
        Self::Forbidden,
        Self::Silent,
        Self::TakenOver,
        Self::OverLimit,
        Self::TooSlow,
    ];

    /// The number in the close frame.
    pub fn code(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::GoingAway => 1001,
            Self::Protocol => 1002,
            Self::Unsupported => 1003,
            Self::InvalidText => 1007,
            Self::Policy => 1008,
            Self::TooBig => 1009,
            Self::Internal => 1011,
            Self::Full => 1013,
            Self::InvalidFrames => 4400,
            Self::NotAccepted => 4401,
            Self::Forbidden => 4403,
            Self::Silent => 4408,
            Self::TakenOver => 4409,
            Self::OverLimit => 4429,
            Self::TooSlow => 4503,
        }
    }

    /// The reason in the close frame: at most 123 bytes, for a person who reads a log.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Normal => "",
            Self::GoingAway => "the server is shutting down",
            Self::Protocol => "a frame that violates RFC 6455",
            Self::Unsupported => "binary frames are not supported",
            Self::InvalidText => "text that is not UTF-8",
            Self::Policy => "a message was not complete in time",
            Self::TooBig => "a frame or message exceeds the size limit",
            Self::Internal => "an internal server error",
            Self::Full => "the server is full",
            Self::InvalidFrames => "too many invalid frames",
            Self::NotAccepted => "authentication failed",
            Self::Forbidden => "not allowed",
            Self::Silent => "no sign of life in time",
            Self::TakenOver => "your session was taken over",
            Self::OverLimit => "a limit was exceeded by far",
            Self::TooSlow => "you read too slowly",
        }
    }

    /// Whether a client should come back by itself: it did nothing wrong, and may find things better.
    pub fn reconnect(self) -> bool {
        match self {
            Self::GoingAway | Self::Internal | Self::Full | Self::Silent | Self::TooSlow | Self::Policy => {
                true
            }
            Self::Normal
            | Self::Protocol
            | Self::Unsupported
            | Self::InvalidText
            | Self::TooBig
            | Self::InvalidFrames
            | Self::NotAccepted
            | Self::Forbidden
            | Self::TakenOver
            | Self::OverLimit => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_differ_and_reasons_fit_a_control_frame() {
        assert!(CloseCode::ALL.is_sorted_by(|a, b| a.code() < b.code()));
        assert!(CloseCode::ALL.iter().all(|code| code.reason().len() <= 123));
    }

    #[test]
    fn the_contract_names_every_code() {
        let contract = include_str!("../../../../docs/protocol.md");
        for code in CloseCode::ALL.into_iter().filter(|code| *code != CloseCode::Normal) {
            let number = code.code().to_string();
            let named = contract.lines().any(|line| line.starts_with('|') && line.contains(&number));
            assert!(named, "docs/protocol.md has no row for {number}");
        }
    }
}
