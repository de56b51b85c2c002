//! Why a command was not carried out, for its sender.

use std::sync::Arc;
use std::time::Duration;

use chat_access::Denied;
use chat_protocol::{DenialReason, ErrorCode, Timestamp};

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The reason, for programs.
    pub(crate) code: ErrorCode,
    /// The reason, a sentence for people.
    pub(crate) reason: Arc<str>,
    /// What the rules of the room have against it, if that is why.
    pub(crate) denied: Option<DenialReason>,
    /// When the reason ends, if that is known.
    pub(crate) until: Option<Timestamp>,
    /// After how long another attempt is worthwhile, if that is known.
    pub(crate) retry_after: Option<Duration>,
}

impl Refusal {
    pub(crate) fn new(code: ErrorCode, reason: impl Into<Arc<str>>) -> Self {
        Self { code, reason: reason.into(), denied: None, until: None, retry_after: None }
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        let reason = denied.to_string();
        let refusal = match denied {
            Denied::Muted { until } => Self { until, ..Self::new(ErrorCode::Muted, reason) },
            Denied::Banned { until } => Self { until, ..Self::new(ErrorCode::Forbidden, reason) },
            Denied::SlowMode { retry_after } => {
                Self { retry_after: Some(retry_after), ..Self::new(ErrorCode::SlowMode, reason) }
            }
            Denied::TooFast { retry_after } => {
                Self { retry_after: Some(retry_after), ..Self::new(ErrorCode::RateLimited, reason) }
            }
            Denied::Filtered | Denied::LinkOfNewUser => Self::new(ErrorCode::Filtered, reason),
            Denied::NotFound => Self::new(ErrorCode::NotFound, reason),
            _ => Self::new(ErrorCode::Forbidden, reason),
        };
        Self { denied: denied.reason(), ..refusal }
    }
}
