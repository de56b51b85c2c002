//! The announcement of the operator.
//!
//! The comments on frames and fields are also the descriptions in docs/asyncapi.json, so they
//! contain no links.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{AnnouncementId, NoticeLevel};

/// An announcement of the operator, which stays until it is withdrawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Announcement {
    /// Its id. An announcement does not change; another one has another id.
    pub id: AnnouncementId,
    /// The importance.
    pub level: NoticeLevel,
    /// The text, in Markdown.
    pub body: Arc<str>,
    /// The text as sanitised HTML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<Arc<str>>,
}

/// The operator has made an announcement, in place of the one before, or has withdrawn it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AnnouncementFrame {
    /// The id of the announcement.
    pub id: AnnouncementId,
    /// The importance. Absent if the announcement is withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<NoticeLevel>,
    /// The text, in Markdown. Absent if the announcement is withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Arc<str>>,
    /// The text as sanitised HTML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<Arc<str>>,
    /// Whether the announcement is withdrawn.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withdrawn: bool,
}

impl AnnouncementFrame {
    /// The frame that withdraws the announcement with this id.
    pub fn withdrawal(id: AnnouncementId) -> Self {
        Self { id, level: None, body: None, html: None, withdrawn: true }
    }

    /// The announcement that was made. `None` if it is withdrawn.
    pub fn announcement(self) -> Option<Announcement> {
        match self {
            Self { id, level: Some(level), body: Some(body), html, withdrawn: false } => {
                Some(Announcement { id, level, body, html })
            }
            _ => None,
        }
    }
}

impl From<Announcement> for AnnouncementFrame {
    fn from(Announcement { id, level, body, html }: Announcement) -> Self {
        Self { id, level: Some(level), body: Some(body), html, withdrawn: false }
    }
}
