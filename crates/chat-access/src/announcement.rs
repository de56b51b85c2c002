//! The announcement of the operator.

use std::sync::Arc;

use chat_protocol::{AnnouncementId, NoticeLevel, Timestamp};

/// What the operator says to all users until it is withdrawn.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Announcement {
    /// Its id. An announcement does not change; another one has another id.
    pub id: AnnouncementId,
    /// The importance.
    pub level: NoticeLevel,
    /// The text, in Markdown.
    pub body: Arc<str>,
    /// When it was made.
    pub made_at: Timestamp,
}

impl Announcement {
    /// An announcement that is made now.
    pub fn new(id: AnnouncementId, level: NoticeLevel, body: impl Into<Arc<str>>) -> Self {
        Self { id, level, body: body.into(), made_at: Timestamp::now() }
    }
}
