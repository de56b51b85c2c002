//! Why the server closes a connection.

/// The status codes of the server's close frames (RFC 6455, section 7.4; applications define those
/// from 4000 on).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseCode {
    /// The client closed without giving a code.
    Normal,
    /// The server is shutting down; reconnect later.
    GoingAway,
    /// A frame that violates RFC 6455.
    Protocol,
    /// A binary frame.
    Unsupported,
    /// Text that is not UTF-8.
    InvalidText,
    /// A message was not complete in time.
    Policy,
    /// A frame or message that exceeds the size limit.
    TooBig,
    /// An internal server error.
    Internal,
    /// Too many invalid frames.
    InvalidFrames,
    /// The server did not accept the client's identity.
    NotAccepted,
    /// Not allowed.
    Forbidden,
    /// No `hello`, or no sign of life, within the time limit.
    Silent,
    /// Another session of the same user replaces this one, or the user has too many sessions.
    Replaced,
    /// The client reads too slowly: its backlog is full.
    TooSlow,
}

impl CloseCode {
    /// Every code, in ascending order.
    pub const ALL: [Self; 14] = [
        Self::Normal,
        Self::GoingAway,
        Self::Protocol,
        Self::Unsupported,
        Self::InvalidText,
        Self::Policy,
        Self::TooBig,
        Self::Internal,
        Self::InvalidFrames,
        Self::NotAccepted,
        Self::Forbidden,
        Self::Silent,
        Self::Replaced,
        Self::TooSlow,
    ];

    /// The status code in the close frame.
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
            Self::InvalidFrames => 4400,
            Self::NotAccepted => 4401,
            Self::Forbidden => 4403,
            Self::Silent => 4408,
            Self::Replaced => 4409,
            Self::TooSlow => 4503,
        }
    }

    /// The reason in the close frame: at most 123 bytes, for people who read logs.
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
            Self::InvalidFrames => "too many invalid frames",
            Self::NotAccepted => "authentication failed",
            Self::Forbidden => "not allowed",
            Self::Silent => "no sign of life in time",
            Self::Replaced => "another session replaces this one",
            Self::TooSlow => "you read too slowly",
        }
    }

    /// Whether the client should reconnect automatically: it did nothing wrong, and another attempt
    /// may succeed.
    pub fn reconnect(self) -> bool {
        match self {
            Self::GoingAway | Self::Internal | Self::Silent | Self::TooSlow | Self::Policy => true,
            Self::Normal
            | Self::Protocol
            | Self::Unsupported
            | Self::InvalidText
            | Self::TooBig
            | Self::InvalidFrames
            | Self::NotAccepted
            | Self::Forbidden
            | Self::Replaced => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_reasons_fit_in_a_control_frame() {
        assert!(CloseCode::ALL.is_sorted_by(|a, b| a.code() < b.code()));
        assert!(CloseCode::ALL.iter().all(|code| code.reason().len() <= 123));
    }

    #[test]
    fn the_protocol_documentation_lists_every_code() {
        let documentation = include_str!("../../../../docs/protocol.md");
        for code in CloseCode::ALL.into_iter().filter(|code| *code != CloseCode::Normal) {
            let number = code.code().to_string();
            let is_listed = documentation.lines().any(|line| line.starts_with('|') && line.contains(&number));
            assert!(is_listed, "docs/protocol.md has no row for {number}");
        }
    }
}
