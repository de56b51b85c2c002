//! Whether a user may do something.

use std::time::Duration;

use chat_protocol::{
    DenialReason, MayJoin, MayPost, MentionRoom, RoomRole, RoomSettings, Timestamp, Visibility,
};

use crate::rules::Until;
use crate::{Actor, Rank, RoomPolicy};

/// What a user does in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Joins the room, or stays in it.
    Join,
    /// Posts or edits a message, or reacts to one. Whoever may not join may not post either.
    Post,
    /// Addresses everyone in the room. Whoever may not post may not do this either.
    MentionRoom,
    /// Posts without the pause that slow mode demands.
    SkipSlowMode,
    /// Deletes the messages of others.
    DeleteOthers,
    /// Removes, bans, mutes and warns users of a lower rank, and ends bans and mutes.
    Moderate,
    /// Sees who is banned and muted, what users have reported, and what moderators have done.
    ReadAudit,
    /// Invites users into the room.
    Invite,
    /// Gives a user of a lower rank this role, or takes it away.
    GiveRole(RoomRole),
    /// Changes the settings of the room.
    Configure,
}

impl Action {
    /// All actions, in the order of the table in `docs/moderation.md`.
    pub const ALL: [Self; 12] = [
        Self::Join,
        Self::Post,
        Self::MentionRoom,
        Self::SkipSlowMode,
        Self::DeleteOthers,
        Self::Moderate,
        Self::ReadAudit,
        Self::Invite,
        Self::GiveRole(RoomRole::Member),
        Self::GiveRole(RoomRole::Moderator),
        Self::GiveRole(RoomRole::Owner),
        Self::Configure,
    ];

    /// The lowest rank that may do this in a room with these settings, unless it is banned or
    /// muted. A value of a setting that this version does not know allows nobody below the
    /// moderators of the server anything.
    pub fn needs(self, settings: &RoomSettings) -> Rank {
        match self {
            Self::Join => {
                let join = match settings.join {
                    MayJoin::Everyone => Rank::Guest,
                    MayJoin::Accounts => Rank::Account,
                    MayJoin::Members => Rank::Member,
                    _ => Rank::ServerModerator,
                };
                let find = match settings.visibility {
                    Visibility::Public | Visibility::Unlisted => Rank::Guest,
                    _ => Rank::Member,
                };
                join.max(find)
            }
            Self::Post => {
                let post = match settings.post {
                    MayPost::Everyone => Rank::Guest,
                    MayPost::Accounts => Rank::Account,
                    MayPost::Members => Rank::Member,
                    MayPost::Moderators => Rank::Moderator,
                    _ => Rank::ServerModerator,
                };
                post.max(Self::Join.needs(settings))
            }
            Self::MentionRoom => {
                let mention = match settings.mention_room {
                    MentionRoom::Everyone => Rank::Guest,
                    _ => Rank::Moderator,
                };
                mention.max(Self::Post.needs(settings))
            }
            Self::SkipSlowMode
            | Self::DeleteOthers
            | Self::Moderate
            | Self::ReadAudit
            | Self::Invite
            | Self::GiveRole(RoomRole::Member) => Rank::Moderator,
            Self::GiveRole(_) | Self::Configure => Rank::Owner,
        }
    }
}

/// Why a user may not do something. The text is a sentence for that user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// There is no such room, or it is a private or direct room in which the user has no role:
    /// the user does not learn which.
    #[error("there is no such room")]
    NotFound,
    /// Nobody may do this in a direct room.
    #[error("this cannot be done in a direct room")]
    DirectRoom,
    /// The room admits no guests.
    #[error("this room is for users with an account")]
    JoinNeedsAccount,
    /// The room admits only those who have a role in it.
    #[error("this room is for its members")]
    JoinNeedsRole,
    /// Guests only read here.
    #[error("only users with an account may post in this room")]
    PostNeedsAccount,
    /// Users without a role only read here.
    #[error("only members may post in this room")]
    PostNeedsRole,
    /// Only moderators may do this.
    #[error("only moderators may do this in this room")]
    ModeratorsOnly,
    /// Only owners may do this.
    #[error("only owners may do this in this room")]
    OwnersOnly,
    /// The user is banned.
    #[error("you are banned from this room")]
    Banned {
        /// When the ban ends; `None` if it has no end.
        until: Until,
    },
    /// The user is muted.
    #[error("you are muted in this room")]
    Muted {
        /// When the mute ends; `None` if it has no end.
        until: Until,
    },
    /// The text has a word or a link that the program does not allow. `check` does not look at
    /// texts.
    #[error("your message has a word or a link that is not allowed here")]
    Filtered,
    /// The text has a link, and the user is new. `check` does not look at texts.
    #[error("new users cannot post links yet")]
    LinkOfNewUser,
    /// The user is new, or has sent the same text again and again. `check` does not count.
    #[error("you are sending too many messages, or the same one too often; wait a moment")]
    TooFast {
        /// When the user may post again, from now.
        retry_after: Duration,
    },
    /// The user has posted a moment ago, and the room is in slow mode.
    #[error("this room is in slow mode; wait a moment")]
    SlowMode {
        /// When the user may post again, from now.
        retry_after: Duration,
    },
}

impl Denied {
    /// The reason for programs. `None` if it is not about who the user is: an error code of its own
    /// says it.
    pub fn reason(&self) -> Option<DenialReason> {
        Some(match self {
            Self::DirectRoom => DenialReason::DirectRoom,
            Self::JoinNeedsAccount | Self::PostNeedsAccount => DenialReason::NeedsAccount,
            Self::JoinNeedsRole | Self::PostNeedsRole => DenialReason::NeedsRole,
            Self::ModeratorsOnly => DenialReason::ModeratorsOnly,
            Self::OwnersOnly => DenialReason::OwnersOnly,
            Self::Banned { .. } => DenialReason::Banned,
            Self::NotFound
            | Self::Muted { .. }
            | Self::Filtered
            | Self::LinkOfNewUser
            | Self::TooFast { .. }
            | Self::SlowMode { .. } => return None,
        })
    }
}

/// Whether a user may do something, at the time `now`, in a room that has this policy.
///
/// Moderators of the server may do everything, and nobody bans or mutes them in a room, but a
/// direct room is only for its two users. Slow mode is not looked at: the caller knows when a user
/// has posted.
///
/// # Errors
/// [`Denied`] if the user may not.
///
/// ```
/// use chat_access::{Action, Denied, RoomPolicy, check};
/// use chat_protocol::{Identity, MayJoin, RoomSettings, Timestamp};
///
/// let policy = RoomPolicy::new(1, RoomSettings::default().join(MayJoin::Accounts));
/// let guest = Identity::one_time_guest(7, "gus".parse()?);
/// let denied = check(&(&guest).into(), Action::Join, &policy, Timestamp::now());
/// assert_eq!(denied, Err(Denied::JoinNeedsAccount));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn check(actor: &Actor, action: Action, policy: &RoomPolicy, now: Timestamp) -> Result<(), Denied> {
    let rank = policy.rank(actor);
    if !policy.is_found_by(actor) {
        return Err(Denied::NotFound);
    }
    if policy.settings().visibility == Visibility::Direct
        && !matches!(action, Action::Join | Action::Post | Action::MentionRoom)
    {
        return Err(Denied::DirectRoom);
    }
    if rank >= Rank::ServerModerator {
        return Ok(());
    }
    if let Some(until) = policy.ban(actor, now) {
        return Err(Denied::Banned { until });
    }
    let settings = policy.settings();
    let needed = action.needs(settings);
    if rank < needed {
        return Err(denied(rank, action, settings));
    }
    if matches!(action, Action::Post | Action::MentionRoom)
        && let Some(until) = policy.mute(actor, now)
    {
        return Err(Denied::Muted { until });
    }
    Ok(())
}

/// Why this rank does not suffice.
fn denied(rank: Rank, action: Action, settings: &RoomSettings) -> Denied {
    // who may not join is told so, whatever else it wants
    let to_join = Action::Join.needs(settings);
    let (needed, is_join) = if rank < to_join { (to_join, true) } else { (action.needs(settings), false) };
    match needed {
        Rank::Guest | Rank::Account if is_join => Denied::JoinNeedsAccount,
        Rank::Guest | Rank::Account => Denied::PostNeedsAccount,
        Rank::Member if is_join => Denied::JoinNeedsRole,
        Rank::Member => Denied::PostNeedsRole,
        Rank::Owner => Denied::OwnersOnly,
        _ => Denied::ModeratorsOnly,
    }
}

#[cfg(test)]
mod tests {
    use chat_protocol::{Identity, Role};

    use super::*;
    use crate::Rules;

    fn now() -> Timestamp {
        Timestamp::from_millis(1_000)
    }

    fn account(id: &str) -> Identity {
        Identity::account(id.parse().unwrap(), "ana".parse().unwrap()).unwrap()
    }

    /// A user of each rank, and the rules that give them their roles.
    fn ranks() -> ([Actor; 8], Rules) {
        let mut rules = Rules::default();
        for (id, role) in [("u_2", RoomRole::Member), ("u_3", RoomRole::Moderator), ("u_4", RoomRole::Owner)]
        {
            rules.add_role(id.parse().unwrap(), role);
        }
        let service = Identity::service("s_1".parse().unwrap(), "bot".parse().unwrap()).unwrap();
        let users = [
            Identity::one_time_guest(1, "ana".parse().unwrap()),
            account("u_1"),
            service,
            account("u_2"),
            account("u_3"),
            account("u_4"),
            account("u_5").with_role(Role::Moderator),
            account("u_6").with_role(Role::Admin),
        ];
        (users.map(|user| Actor::from(&user)), rules)
    }

    /// How many of guest, account, service, member, moderator, owner, moderator and admin of the
    /// server, from the last one, may do something. Those before may not.
    fn allowed(action: Action, settings: &RoomSettings) -> usize {
        let (users, rules) = ranks();
        let policy = RoomPolicy::new(1, settings.clone()).rules(rules);
        let may = users.each_ref().map(|user| check(user, action, &policy, now()).is_ok());
        assert!(may.is_sorted(), "{action:?} {may:?}");
        may.into_iter().filter(|may| *may).count()
    }

    #[test]
    fn each_setting_allows_those_whom_it_names() {
        let settings = RoomSettings::default();
        for (join, expected) in
            [(MayJoin::Everyone, 8), (MayJoin::Accounts, 7), (MayJoin::Members, 5), (MayJoin::Unknown, 2)]
        {
            let settings = settings.clone().join(join).mention_room(MentionRoom::Everyone);
            for action in [Action::Join, Action::Post, Action::MentionRoom] {
                assert_eq!(allowed(action, &settings), expected, "{action:?} {join:?}");
            }
        }
        for (post, expected) in [
            (MayPost::Everyone, 8),
            (MayPost::Accounts, 7),
            (MayPost::Members, 5),
            (MayPost::Moderators, 4),
            (MayPost::Unknown, 2),
        ] {
            let settings = settings.clone().post(post);
            assert_eq!(allowed(Action::Post, &settings), expected, "{post:?}");
            assert_eq!(allowed(Action::Join, &settings), 8, "{post:?}");
        }
        for mention in [MentionRoom::Moderators, MentionRoom::Unknown] {
            assert_eq!(
                allowed(Action::MentionRoom, &settings.clone().mention_room(mention)),
                4,
                "{mention:?}"
            );
        }
    }

    #[test]
    fn a_value_of_a_newer_version_is_the_strictest() {
        let settings = r#"{"join":"friends","post":"friends","mention_room":"friends","new":1}"#;
        let settings: RoomSettings = serde_json::from_str(settings).unwrap();
        assert_eq!((allowed(Action::Join, &settings), allowed(Action::Post, &settings)), (2, 2));
        let settings: RoomSettings = serde_json::from_str("{}").unwrap();
        assert_eq!(settings, RoomSettings::default());
    }

    #[test]
    fn a_denial_says_what_is_missing() {
        let (users, rules) = ranks();
        let denied = |user: usize, action, settings: RoomSettings| {
            let policy = RoomPolicy::new(1, settings).rules(rules.clone());
            check(&users[user], action, &policy, now()).unwrap_err()
        };
        let settings = RoomSettings::default;
        assert_eq!(denied(0, Action::Post, settings().join(MayJoin::Accounts)), Denied::JoinNeedsAccount);
        assert_eq!(denied(1, Action::Join, settings().join(MayJoin::Members)), Denied::JoinNeedsRole);
        assert_eq!(denied(0, Action::Post, settings().post(MayPost::Accounts)), Denied::PostNeedsAccount);
        assert_eq!(denied(1, Action::Post, settings().post(MayPost::Members)), Denied::PostNeedsRole);
        assert_eq!(denied(3, Action::Post, settings().post(MayPost::Moderators)), Denied::ModeratorsOnly);
        assert_eq!(denied(3, Action::Moderate, settings()), Denied::ModeratorsOnly);
        assert_eq!(denied(4, Action::Configure, settings()), Denied::OwnersOnly);
        assert_eq!(
            denied(0, Action::Configure, settings().join(MayJoin::Accounts)),
            Denied::JoinNeedsAccount
        );
    }

    #[test]
    fn a_private_room_is_for_those_who_have_a_role() {
        for (visibility, expected) in [
            (Visibility::Public, 8),
            (Visibility::Unlisted, 8),
            (Visibility::Private, 5),
            (Visibility::Unknown, 5),
        ] {
            let settings = RoomSettings::default().visibility(visibility);
            assert_eq!(allowed(Action::Join, &settings), expected, "{visibility:?}");
            assert_eq!(allowed(Action::Post, &settings), expected, "{visibility:?}");
        }
        let (users, rules) = ranks();
        let settings = RoomSettings::default().visibility(Visibility::Private);
        let named = RoomPolicy::new(1, settings).rules(rules);
        assert_eq!(check(&users[1], Action::Join, &named, now()), Err(Denied::JoinNeedsRole));
    }

    #[test]
    fn an_address_says_nothing_to_users_without_a_role() {
        let (users, rules) = ranks();
        let address = chat_protocol::RoomName::address_from_random(1);
        let empty = RoomPolicy::new(0, RoomSettings::default()).room(&address);
        let private = RoomPolicy::new(2, RoomSettings::default().visibility(Visibility::Private));
        let private = private.room(&address).rules(rules.clone());
        let mut direct_rules = Rules::default();
        direct_rules.add_role("u_1".parse().unwrap(), RoomRole::Member);
        // a moderator of the server, as one of the two
        direct_rules.add_role("u_5".parse().unwrap(), RoomRole::Member);
        let direct = RoomPolicy::new(2, RoomSettings::default().visibility(Visibility::Direct));
        let direct = direct.room(&address).rules(direct_rules);
        for action in Action::ALL {
            for (index, user) in users.iter().enumerate() {
                let at = |policy| check(user, action, policy, now());
                assert_eq!(at(&empty), Err(Denied::NotFound), "{action:?}");
                // guest, account and service have no role
                assert_eq!(at(&private) == Err(Denied::NotFound), index < 3, "{action:?} {index}");
                let talks = matches!(action, Action::Join | Action::Post);
                let expected = match index {
                    1 | 6 if talks || (index == 6 && action == Action::MentionRoom) => Ok(()),
                    1 if action == Action::MentionRoom => Err(Denied::ModeratorsOnly),
                    1 | 6 => Err(Denied::DirectRoom),
                    _ => Err(Denied::NotFound),
                };
                assert_eq!(at(&direct), expected, "{action:?} {index}");
            }
        }
    }

    #[test]
    fn bans_and_mutes_hold_for_all_ids_and_until_they_end() {
        let former = "g_old".parse::<chat_protocol::UserId>().unwrap();
        let ana = Actor::new(&account("u_1"), std::slice::from_ref(&former));
        let (mut rules, mut server) = (Rules::default(), Rules::default());
        let until = Some(Timestamp::from_millis(2_000));
        rules.add_ban(former.clone(), until);
        server.add_mute("u_1".parse().unwrap(), None);
        rules.add_mute(former, until);
        let policy = RoomPolicy::new(1, RoomSettings::default()).rules(rules).server_rules(server.clone());
        let at = |ms, action| check(&ana, action, &policy, Timestamp::from_millis(ms));
        for action in Action::ALL {
            assert_eq!(at(1_999, action), Err(Denied::Banned { until }));
        }
        assert_eq!(at(2_000, Action::Join), Ok(()));
        assert_eq!(at(2_000, Action::Post), Err(Denied::Muted { until: None }), "the longest one");
        assert_eq!(at(2_000, Action::MentionRoom), Err(Denied::ModeratorsOnly));
        let admin = Actor::from(&account("u_1").with_role(Role::Admin));
        assert_eq!(check(&admin, Action::Post, &policy, now()), Ok(()));
    }
}
