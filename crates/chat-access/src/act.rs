//! What moderators and owners do, and who may.

use chat_protocol::{
    Identity, Moderation, Reason, Role, RoomName, RoomRole, Timestamp, UserId, UserKind, Username,
};

use crate::rules::Until;
use crate::{Action, Network, Rank};

/// Where an act holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// In one room.
    Room(RoomName),
    /// On the whole server.
    Server,
}

impl Scope {
    /// The room; `None` for the whole server.
    pub fn room(&self) -> Option<&RoomName> {
        match self {
            Self::Room(room) => Some(room),
            Self::Server => None,
        }
    }
}

/// A user of whom an act speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The id of the user.
    pub id: UserId,
    /// The name of the user at this time.
    pub username: Username,
    /// What kind of user it is.
    pub kind: UserKind,
    /// What the user may do on the whole server.
    pub role: Role,
    /// Where a guest connects from, if that is known: a ban or a mute also concerns others from
    /// there who are guests.
    pub network: Option<Network>,
}

impl From<&Identity> for Person {
    fn from(identity: &Identity) -> Self {
        Self {
            id: identity.id().clone(),
            username: identity.username().clone(),
            kind: identity.kind(),
            role: identity.role(),
            network: None,
        }
    }
}

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doer {
    /// A user.
    User(Person),
    /// Who runs the server, through the admin interface.
    Operator,
}

impl Doer {
    /// The rank, with this role in the room.
    pub fn rank(&self, room_role: Option<RoomRole>) -> Rank {
        match self {
            Self::User(person) => Rank::new(person.kind, person.role, room_role),
            Self::Operator => Rank::Operator,
        }
    }

    /// The user; `None` for who runs the server.
    pub fn person(&self) -> Option<&Person> {
        match self {
            Self::User(person) => Some(person),
            Self::Operator => None,
        }
    }
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActKind {
    /// The doer registers a room that has no owner, and becomes its owner. The doer is the target.
    Register,
    /// The target gets this role, or loses the one that it has.
    SetRole(Option<RoomRole>),
    /// The target is removed, banned, muted or warned, or a ban or a mute ends.
    Moderate(Moderation, Until),
    /// The target is invited into the room, until this time.
    Invite(Timestamp),
    /// The target, who is invited, becomes a member.
    Accept,
    /// The invitation of the target ends.
    EndInvitation,
    /// The target makes a link that invites others, until this time.
    InviteLink(Timestamp),
    /// The target, who has a link, becomes a member.
    UseLink,
    /// All links of the room end. The target is the one who ends them.
    EndLinks,
    /// The message with this number was deleted, whose author is the target. It is only
    /// [recorded](crate::AccessStore::record).
    Delete(u64),
    /// The settings of the room were changed. It is only [recorded](crate::AccessStore::record).
    Configure,
    /// A moderator of the server, who has no role there, has entered a private room. It is only
    /// [recorded](crate::AccessStore::record).
    Enter,
    /// The report with this number was closed, in which a message of the target was reported. It is
    /// only [recorded](crate::AccessStore::record).
    CloseReport(u64),
    /// The messages that the target wrote in the room were erased. It is only
    /// [recorded](crate::AccessStore::record).
    EraseMessages,
    /// The reactions of the target in the room were removed. It is only
    /// [recorded](crate::AccessStore::record).
    EraseReactions,
    /// The text in the report with this number was erased, because what the target wrote is
    /// erased. It is recorded with the [erasure](crate::AccessStore::erase_reports).
    EraseReport(u64),
    /// An announcement to all users was made. It is recorded with the
    /// [announcement](crate::AccessStore::set_announcement).
    Announce,
    /// The announcement to all users was withdrawn. It is recorded with the
    /// [withdrawal](crate::AccessStore::set_announcement).
    WithdrawAnnouncement,
}

/// Something that a moderator, an owner or the operator does to a user, before it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewAct {
    /// Where it holds.
    pub scope: Scope,
    /// Who does it.
    pub by: Doer,
    /// What is done.
    pub kind: ActKind,
    /// To whom.
    pub target: Person,
    /// Why.
    pub reason: Option<Reason>,
    /// The link that is made or used.
    pub link: Option<Link>,
    /// When.
    pub at: Timestamp,
}

/// A link that invites users into a room, as the store has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The [hash](chat_protocol::InviteCode::hash) of its code.
    pub hash: [u8; 32],
    /// How many users may use a new link. Where a link is used, it says nothing.
    pub uses: u32,
}

impl NewAct {
    /// The act, now, without a reason.
    pub fn new(scope: Scope, by: Doer, kind: ActKind, target: Person) -> Self {
        Self { scope, by, kind, target, reason: None, link: None, at: Timestamp::now() }
    }

    /// Sets why it is done.
    #[must_use]
    pub fn reason(self, reason: Option<Reason>) -> Self {
        Self { reason, ..self }
    }

    /// Sets the link that is made or used.
    #[must_use]
    pub fn link(self, link: Link) -> Self {
        Self { link: Some(link), ..self }
    }

    /// Sets when it is done.
    #[must_use]
    pub fn at(self, at: Timestamp) -> Self {
        Self { at, ..self }
    }
}

/// Why an act is not carried out. The text is a sentence for the one who wants to do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The doer may not do such a thing here.
    #[error("you may not do this here")]
    RankTooLow,
    /// The target may do as much as the doer, or more.
    #[error("you may only do this to users who may do less than you")]
    TargetTooHigh,
    /// Nobody does this to themselves.
    #[error("you cannot do this to yourself")]
    Yourself,
    /// Guests have no roles.
    #[error("only users with an account can have a role")]
    GuestWithRole,
    /// The room would have no owner any more.
    #[error("the room would have no owner; make another user its owner first")]
    LastOwner,
    /// The room has an owner already.
    #[error("the room has an owner already")]
    HasOwner,
    /// There are no roles on the whole server.
    #[error("this can only be done in a room")]
    NeedsRoom,
    /// There are as many roles, bans, mutes, invitations, links or reports as there may be.
    #[error("there are too many roles, bans, mutes, invitations, links or reports here")]
    LimitReached,
    /// The user is not invited, or the link does not hold any more.
    #[error("you are not invited into this room")]
    NotInvited,
    /// This is not possible in a direct room.
    #[error("this cannot be done in a direct room")]
    DirectRoom,
}

/// What a store knows about the room in which an act is done, in the transaction of the act.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ActContext {
    /// The role of the doer.
    pub doer: Option<RoomRole>,
    /// The role of the target.
    pub target: Option<RoomRole>,
    /// How many owners the room has.
    pub owners: usize,
    /// Whether the doer is banned there.
    pub doer_is_banned: bool,
    /// Whether the target is invited, or has a link that holds, whichever the act is about.
    pub is_invited: bool,
}

/// Whether an act may be done, for implementations of a store. The store calls it in the
/// transaction of the act.
///
/// # Errors
/// [`Refused`] if it may not.
pub fn authorize(act: &NewAct, context: ActContext) -> Result<(), Refused> {
    let ActContext { doer, target, owners, doer_is_banned, is_invited } = context;
    let doer = act.by.rank(doer);
    if doer_is_banned && doer < Rank::ServerModerator {
        // a banned user does not learn whether a link holds
        let comes_in = matches!(act.kind, ActKind::Accept | ActKind::UseLink);
        return Err(if comes_in { Refused::NotInvited } else { Refused::RankTooLow });
    }
    let target_rank = Rank::new(act.target.kind, act.target.role, target);
    let is_self = act.by.person().is_some_and(|person| person.id == act.target.id);
    let settings = &Default::default();
    if act.scope == Scope::Server && !matches!(act.kind, ActKind::Moderate(..)) {
        return Err(Refused::NeedsRoom);
    }
    match act.kind {
        ActKind::Register => {
            if act.target.kind == UserKind::Guest {
                return Err(Refused::GuestWithRole);
            }
            // moderators of the server may name an owner
            if !is_self && doer < Rank::ServerModerator {
                return Err(Refused::RankTooLow);
            }
            if owners > 0 { Err(Refused::HasOwner) } else { Ok(()) }
        }
        ActKind::SetRole(role) => {
            if act.target.kind == UserKind::Guest && role.is_some() {
                return Err(Refused::GuestWithRole);
            }
            // whoever may give a role may take it away
            let needed =
                role.max(target).map_or(Rank::Moderator, |role| Action::GiveRole(role).needs(settings));
            let gives_up = is_self && role < target;
            if !gives_up {
                if doer < needed {
                    return Err(Refused::RankTooLow);
                }
                if target_rank >= doer && !is_self {
                    return Err(Refused::TargetTooHigh);
                }
            }
            let loses_owner = target == Some(RoomRole::Owner) && role != Some(RoomRole::Owner);
            if loses_owner && owners <= 1 && doer < Rank::ServerModerator {
                return Err(Refused::LastOwner);
            }
            Ok(())
        }
        ActKind::Moderate(..) => {
            let needed = match act.scope {
                Scope::Room(_) => Action::Moderate.needs(settings),
                Scope::Server => Rank::ServerModerator,
            };
            if doer < needed {
                return Err(Refused::RankTooLow);
            }
            if is_self {
                return Err(Refused::Yourself);
            }
            if target_rank >= doer {
                return Err(Refused::TargetTooHigh);
            }
            Ok(())
        }
        ActKind::Invite(_) => {
            if doer < Action::Invite.needs(settings) {
                return Err(Refused::RankTooLow);
            }
            if act.target.kind == UserKind::Guest {
                return Err(Refused::GuestWithRole);
            }
            Ok(())
        }
        ActKind::Accept | ActKind::UseLink => {
            // guests cannot be invited
            let may = is_self && is_invited && act.target.kind != UserKind::Guest;
            if may { Ok(()) } else { Err(Refused::NotInvited) }
        }
        ActKind::EndInvitation if is_self => Ok(()),
        ActKind::EndInvitation | ActKind::InviteLink(_) | ActKind::EndLinks => {
            if doer < Action::Invite.needs(settings) { Err(Refused::RankTooLow) } else { Ok(()) }
        }
        // not carried out here
        ActKind::Delete(_)
        | ActKind::Configure
        | ActKind::Enter
        | ActKind::CloseReport(_)
        | ActKind::EraseMessages
        | ActKind::EraseReactions
        | ActKind::EraseReport(_)
        | ActKind::Announce
        | ActKind::WithdrawAnnouncement => Err(Refused::RankTooLow),
    }
}
