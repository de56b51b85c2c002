//! What a member asks for, and why it may not get it.

use std::sync::Arc;

use chat_protocol::v2::Since;
use chat_protocol::{MessageId, Reference};

/// How somebody joins who is told what changes.
#[derive(Debug, Clone, Default)]
pub struct JoinOptions {
    /// Everything after this place is wanted.
    pub since: Option<Since>,
    /// How many of the newest messages are wanted where `since` is not given, or can't be had; at most
    /// [`PAGE_MESSAGES`](chat_protocol::v2::PAGE_MESSAGES).
    pub history: usize,
    /// What the answer is to be called.
    pub reference: Option<Reference>,
}

/// Something to say.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// What.
    pub body: Arc<str>,
    /// What its sender calls it: sent again under the same id, it is the same message. None: each is a new one.
    pub id: Option<MessageId>,
    /// What the answer is to be called.
    pub reference: Option<Reference>,
}

impl<T: Into<Arc<str>>> From<T> for Outgoing {
    fn from(body: T) -> Self {
        Self { body: body.into(), id: None, reference: None }
    }
}

/// Which part of who is there.
#[derive(Debug, Clone, Default)]
pub struct MembersQuery {
    /// Those whose names come after this one.
    pub after: Option<String>,
    /// Those whose names begin so.
    pub prefix: Option<String>,
    /// How many at most; no more than [`PAGE_MEMBERS`](chat_protocol::v2::PAGE_MEMBERS).
    pub limit: Option<usize>,
}
