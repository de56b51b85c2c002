//! What was done, and by whom.

use chat_protocol::{Moderation, Reason, RoomName, RoomRole, Timestamp, UserId, Username};

use crate::rules::Until;
use crate::{ActKind, Announcement, Scope};

/// A user as an audit record names it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Named {
    /// The id of the user.
    pub id: UserId,
    /// The name of the user at that time.
    pub username: Username,
}

impl Named {
    /// The user with this id and this name.
    pub fn new(id: UserId, username: Username) -> Self {
        Self { id, username }
    }
}

/// Something that was done. Records are never changed and never removed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditRecord {
    /// The number of the record: 1, 2, 3 and so on, without gaps.
    pub number: u64,
    /// When it was done.
    pub at: Timestamp,
    /// Where it holds.
    pub scope: Scope,
    /// Who did it; `None`: who runs the server.
    pub by: Option<Named>,
    /// What was done.
    pub kind: ActKind,
    /// To whom; `None` if it concerns the room or the whole server.
    pub target: Option<Named>,
    /// Why.
    pub reason: Option<Reason>,
}

impl ActKind {
    /// The name of the act in the audit log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::SetRole(_) => "set_role",
            Self::Moderate(action, _) => action.as_str(),
            Self::Invite(_) => "invite",
            Self::Accept => "accept",
            Self::EndInvitation => "end_invitation",
            Self::InviteLink(_) => "invite_link",
            Self::UseLink => "use_link",
            Self::EndLinks => "end_links",
            Self::Delete(_) => "delete",
            Self::Configure => "configure",
            Self::Enter => "enter",
            Self::CloseReport(_) => "close_report",
            Self::EraseMessages => "erase_messages",
            Self::EraseReactions => "erase_reactions",
            Self::EraseReport(_) => "erase_report",
            Self::Announce => "announce",
            Self::WithdrawAnnouncement => "withdraw_announcement",
        }
    }

    /// The act with this name and these [parts](Self::parts); `None` if there is no such act. For
    /// implementations of a store.
    pub fn parse(name: &str, ActParts { role, until, number }: ActParts) -> Option<Self> {
        match name {
            "register" => Some(Self::Register),
            "set_role" => Some(Self::SetRole(role)),
            "invite" => until.map(Self::Invite),
            "accept" => Some(Self::Accept),
            "end_invitation" => Some(Self::EndInvitation),
            "invite_link" => until.map(Self::InviteLink),
            "use_link" => Some(Self::UseLink),
            "end_links" => Some(Self::EndLinks),
            "delete" => number.map(Self::Delete),
            "configure" => Some(Self::Configure),
            "enter" => Some(Self::Enter),
            "close_report" => number.map(Self::CloseReport),
            "erase_messages" => Some(Self::EraseMessages),
            "erase_reactions" => Some(Self::EraseReactions),
            "erase_report" => number.map(Self::EraseReport),
            "announce" => Some(Self::Announce),
            "withdraw_announcement" => Some(Self::WithdrawAnnouncement),
            _ => {
                let action = Moderation::ALL.into_iter().find(|action| action.as_str() == name)?;
                Some(Self::Moderate(action, until))
            }
        }
    }

    /// What the record of the act says beside its name.
    pub fn parts(self) -> ActParts {
        let none = ActParts::default();
        match self {
            Self::Register => ActParts { role: Some(RoomRole::Owner), ..none },
            Self::SetRole(role) => ActParts { role, ..none },
            Self::Accept | Self::UseLink => ActParts { role: Some(RoomRole::Member), ..none },
            Self::Moderate(_, until) => ActParts { until, ..none },
            Self::Invite(until) | Self::InviteLink(until) => ActParts { until: Some(until), ..none },
            Self::Delete(number) | Self::CloseReport(number) | Self::EraseReport(number) => {
                ActParts { number: Some(number), ..none }
            }
            Self::EndInvitation
            | Self::EndLinks
            | Self::Configure
            | Self::Enter
            | Self::EraseMessages
            | Self::EraseReactions
            | Self::Announce
            | Self::WithdrawAnnouncement => none,
        }
    }
}

/// What the record of an act says beside its name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ActParts {
    /// The role that was given.
    pub role: Option<RoomRole>,
    /// Until when it holds.
    pub until: Until,
    /// The number of the message or of the report.
    pub number: Option<u64>,
}

/// Something that was done elsewhere, for the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewRecord {
    /// Where it holds.
    pub scope: Scope,
    /// Who did it; `None`: who runs the server.
    pub by: Option<Named>,
    /// What was done.
    pub kind: ActKind,
    /// To whom; `None` if it concerns the room or the whole server.
    pub target: Option<Named>,
    /// When.
    pub at: Timestamp,
}

impl NewRecord {
    /// The record of what was done in a room, now.
    pub fn new(room: RoomName, by: Option<Named>, kind: ActKind, target: Option<Named>) -> Self {
        Self { scope: Scope::Room(room), by, kind, target, at: Timestamp::now() }
    }

    /// The record of what concerns the whole server, at this time.
    pub fn on_server(by: Option<Named>, kind: ActKind, at: Timestamp) -> Self {
        Self { scope: Scope::Server, by, kind, target: None, at }
    }

    /// The record of the change of the announcement that
    /// [`set_announcement`](crate::AccessStore::set_announcement) makes. For implementations of a
    /// store.
    pub fn of_announcement(new: Option<&Announcement>, by: Option<Named>) -> Self {
        match new {
            Some(made) => Self::on_server(by, ActKind::Announce, made.made_at),
            None => Self::on_server(by, ActKind::WithdrawAnnouncement, Timestamp::now()),
        }
    }

    /// The record with this number. For implementations of a store.
    pub fn numbered(self, number: u64) -> AuditRecord {
        let Self { scope, by, kind, target, at } = self;
        AuditRecord { number, at, scope, by, kind, target, reason: None }
    }
}

/// A warning that its user has not seen yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The number of its [record](AuditRecord::number).
    pub number: u64,
    /// Where the user was warned.
    pub scope: Scope,
    /// Who has warned; `None`: who runs the server.
    pub by: Option<Named>,
    /// Why.
    pub reason: Option<Reason>,
    /// When.
    pub at: Timestamp,
}

impl Warning {
    /// The warning of a record.
    pub fn of(record: &AuditRecord) -> Self {
        Self {
            number: record.number,
            scope: record.scope.clone(),
            by: record.by.clone(),
            reason: record.reason.clone(),
            at: record.at,
        }
    }
}
