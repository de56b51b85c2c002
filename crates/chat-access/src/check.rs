//! Whether a user may do something.

use chat_protocol::{Identity, MayJoin, MayPost, Role, UserKind};

use crate::RoomPolicy;

/// A user, as far as a policy asks who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Actor {
    kind: UserKind,
    role: Role,
}

impl From<&Identity> for Actor {
    fn from(identity: &Identity) -> Self {
        Self { kind: identity.kind(), role: identity.role() }
    }
}

/// What a user does in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Joins the room, or stays in it.
    Join,
    /// Posts a message. Whoever may not join may not post either.
    Post,
    /// Deletes the message of another user.
    Moderate,
    /// Addresses everyone in the room.
    MentionRoom,
}

/// Why a user may not do something. The text is a sentence for that user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// The room admits no guests.
    #[error("this room is for users with an account")]
    JoinNeedsAccount,
    /// Guests only read here.
    #[error("only users with an account may post in this room")]
    PostNeedsAccount,
    /// Only moderators may do this.
    #[error("only moderators may do this in this room")]
    ModeratorsOnly,
}

/// Whether a user may do something in a room that has this policy.
///
/// Moderators and admins of the server may do everything. A value of a setting that this version
/// does not know allows nobody else anything.
///
/// # Errors
/// [`Denied`] if the user may not.
///
/// ```
/// use chat_access::{Action, Denied, RoomPolicy, check};
/// use chat_protocol::{Identity, MayJoin, RoomSettings};
///
/// let policy = RoomPolicy::new(1, RoomSettings::default().join(MayJoin::Accounts));
/// let guest = Identity::one_time_guest(7, "gus".parse()?);
/// assert_eq!(check(&guest, Action::Join, &policy), Err(Denied::JoinNeedsAccount));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn check(actor: impl Into<Actor>, action: Action, policy: &RoomPolicy) -> Result<(), Denied> {
    let actor = actor.into();
    if actor.role >= Role::Moderator {
        return Ok(());
    }
    let has_account = actor.kind != UserKind::Guest;
    match policy.settings().join {
        MayJoin::Everyone => {}
        MayJoin::Accounts if has_account => {}
        MayJoin::Accounts => return Err(Denied::JoinNeedsAccount),
        _ => return Err(Denied::ModeratorsOnly),
    }
    match (action, policy.settings().post) {
        (Action::Join, _) | (Action::Post, MayPost::Everyone) => Ok(()),
        (Action::Post, MayPost::Accounts) if has_account => Ok(()),
        (Action::Post, MayPost::Accounts) => Err(Denied::PostNeedsAccount),
        (Action::Post | Action::Moderate | Action::MentionRoom, _) => Err(Denied::ModeratorsOnly),
    }
}

#[cfg(test)]
mod tests {
    use chat_protocol::RoomSettings;

    use super::*;

    fn identities() -> [Identity; 5] {
        let name = || "ana".parse().unwrap();
        let account = || Identity::account("u_1".parse().unwrap(), name()).unwrap();
        [
            Identity::one_time_guest(1, name()),
            account(),
            Identity::service("s_1".parse().unwrap(), name()).unwrap(),
            account().with_role(Role::Moderator),
            account().with_role(Role::Admin),
        ]
    }

    /// Who of guest, account, service, moderator and admin may do something.
    fn allowed(action: Action, settings: RoomSettings) -> [bool; 5] {
        let policy = RoomPolicy::new(1, settings);
        identities().map(|identity| check(&identity, action, &policy).is_ok())
    }

    #[test]
    fn each_setting_allows_those_whom_it_names() {
        let everyone = [true; 5];
        let accounts = [false, true, true, true, true];
        let moderators = [false, false, false, true, true];
        for (join, expected) in
            [(MayJoin::Everyone, everyone), (MayJoin::Accounts, accounts), (MayJoin::Unknown, moderators)]
        {
            assert_eq!(allowed(Action::Join, RoomSettings::default().join(join)), expected, "{join:?}");
            assert_eq!(allowed(Action::Post, RoomSettings::default().join(join)), expected, "{join:?}");
        }
        for (post, expected) in [
            (MayPost::Everyone, everyone),
            (MayPost::Accounts, accounts),
            (MayPost::Moderators, moderators),
            (MayPost::Unknown, moderators),
        ] {
            assert_eq!(allowed(Action::Post, RoomSettings::default().post(post)), expected, "{post:?}");
            assert_eq!(allowed(Action::Join, RoomSettings::default().post(post)), everyone);
        }
    }

    #[test]
    fn moderators_moderate_whatever_the_settings_are() {
        let moderators = [false, false, false, true, true];
        for action in [Action::Moderate, Action::MentionRoom] {
            assert_eq!(allowed(action, RoomSettings::default()), moderators, "{action:?}");
        }
    }

    #[test]
    fn a_value_of_a_newer_version_is_the_strictest() {
        let settings = serde_json::from_str::<RoomSettings>(r#"{"join":"members","post":"members","new":1}"#);
        let settings = settings.unwrap();
        let moderators = [false, false, false, true, true];
        assert_eq!(allowed(Action::Join, settings.clone()), moderators);
        assert_eq!(allowed(Action::Post, settings), moderators);
        assert_eq!(allowed(Action::Post, serde_json::from_str("{}").unwrap()), [true; 5]);
    }
}
