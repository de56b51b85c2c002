//! What was done, and by whom.

use chat_protocol::{Moderation, Reason, RoomRole, Timestamp, UserId, Username};

use crate::rules::Until;
use crate::{ActKind, Scope};

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
    /// To whom.
    pub target: Named,
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
        }
    }

    /// The act with this name, this role and this end; `None` if there is no such act. For
    /// implementations of a store.
    pub fn parse(name: &str, role: Option<RoomRole>, until: Until) -> Option<Self> {
        match name {
            "register" => Some(Self::Register),
            "set_role" => Some(Self::SetRole(role)),
            _ => {
                let action = Moderation::ALL.into_iter().find(|action| action.as_str() == name)?;
                Some(Self::Moderate(action, until))
            }
        }
    }

    /// The role that the act gives, and until when it holds.
    pub fn parts(self) -> (Option<RoomRole>, Until) {
        match self {
            Self::Register => (Some(RoomRole::Owner), None),
            Self::SetRole(role) => (role, None),
            Self::Moderate(_, until) => (None, until),
        }
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
