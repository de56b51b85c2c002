//! The frames about private rooms, direct rooms, and what moderators see.
//!
//! The comments on frames and fields are also the descriptions in docs/asyncapi.json, so they
//! contain no links.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    InviteCode, Reason, Reference, RoomName, RoomRole, RoomTitle, Timestamp, Topic, UserId, Username,
};

/// The user is invited into a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Invited {
    /// The room. Joining it accepts the invitation.
    pub room: RoomName,
    /// What the room is called. Absent: by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<RoomTitle>,
    /// Who has invited the user. Absent: who runs the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Username>,
    /// When the invitation ends.
    pub expires_at: Timestamp,
}

/// A link that invites users into a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InviteLinkFrame {
    /// The `ref` of the `invite_link`.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The room.
    pub room: RoomName,
    /// The code for the field `invite` of `join`: a secret. Absent if all links were ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite: Option<InviteCode>,
    /// How many users may join by it.
    pub uses: u64,
    /// When the link ends. Absent if all links were ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// The direct room with a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DirectRoom {
    /// The `ref` of the `direct`.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The address of the room.
    pub room: RoomName,
    /// The name of the other user.
    pub with: Username,
    /// The id of the other user.
    pub user: UserId,
}

/// A page of the public rooms, those with the newest messages first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DirectoryPage {
    /// The `ref` of the `directory`.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The rooms.
    pub rooms: Vec<DirectoryEntry>,
    /// Whether there are more.
    pub more: bool,
}

/// A public room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DirectoryEntry {
    /// The room.
    pub room: RoomName,
    /// What the room is called. Absent: by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<RoomTitle>,
    /// What the room is about, in Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    /// The topic as sanitised HTML, if the session asked for rendered text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_html: Option<Arc<str>>,
    /// How many users are in the room now.
    pub members: u64,
    /// When the newest message was sent. Absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_message_at: Option<Timestamp>,
}

/// A page of reports, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReportsPage {
    /// The `ref` of the `reports`.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The room. Absent: all rooms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomName>,
    /// The reports.
    pub reports: Vec<ReportInfo>,
    /// Whether there are more.
    pub more: bool,
}

/// A message that a user has reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReportInfo {
    /// The number of the report.
    pub number: u64,
    /// When it was reported.
    pub at: Timestamp,
    /// The room, in a page of all rooms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomName>,
    /// Who has reported it.
    pub by: Username,
    /// The number of the message.
    pub target: u64,
    /// The sender of the message.
    pub user: UserId,
    /// The name of the sender.
    pub from: Username,
    /// The text of the message when it was reported, in Markdown. Absent: it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Arc<str>>,
    /// Why it was reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

/// A page of the audit log, the newest records first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditPage {
    /// The `ref` of the `audit`.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The room. Absent: all rooms and the server itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomName>,
    /// The records.
    pub records: Vec<AuditInfo>,
    /// Whether there are more.
    pub more: bool,
}

/// Something that was done in a room, or on the whole server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditInfo {
    /// The number of the record.
    pub number: u64,
    /// When it was done.
    pub at: Timestamp,
    /// The room, in a page of all rooms. Absent there: the whole server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomName>,
    /// Who did it. Absent: who runs the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Username>,
    /// What was done.
    pub act: String,
    /// To whom: the name. Absent if it concerns the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<Username>,
    /// To whom: the id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// The number of the message that was deleted, or of the report that was closed or whose text
    /// was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<u64>,
    /// The role that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoomRole>,
    /// Until when it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}
