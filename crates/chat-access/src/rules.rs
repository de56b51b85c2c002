//! Who has a role, and who is banned or muted.

use std::collections::HashMap;

use chat_protocol::{RoomRole, Timestamp, UserId};

/// Until when a ban or a mute holds; `None` if it has no end.
pub type Until = Option<Timestamp>;

/// The roles, bans and mutes of a room, or of the whole server, which has no roles of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    roles: HashMap<UserId, RoomRole>,
    bans: HashMap<UserId, Until>,
    mutes: HashMap<UserId, Until>,
}

impl Rules {
    /// Adds a role.
    pub fn add_role(&mut self, user: UserId, role: RoomRole) {
        self.roles.insert(user, role);
    }

    /// Adds a ban.
    pub fn add_ban(&mut self, user: UserId, until: Until) {
        self.bans.insert(user, until);
    }

    /// Adds a mute.
    pub fn add_mute(&mut self, user: UserId, until: Until) {
        self.mutes.insert(user, until);
    }

    /// Whether nobody has a role, and nobody is banned or muted.
    pub fn is_empty(&self) -> bool {
        self.roles.is_empty() && self.bans.is_empty() && self.mutes.is_empty()
    }

    /// Whether the room has an owner.
    pub fn has_owner(&self) -> bool {
        self.roles.values().any(|role| *role == RoomRole::Owner)
    }

    /// The highest role of a user with these ids.
    pub fn role<'a>(&self, ids: impl IntoIterator<Item = &'a UserId>) -> Option<RoomRole> {
        if self.roles.is_empty() {
            return None;
        }
        ids.into_iter().filter_map(|id| self.roles.get(id)).max().copied()
    }

    /// Until when a user with these ids is banned; `None` if it is not at the time `now`.
    pub fn ban<'a>(&self, ids: impl IntoIterator<Item = &'a UserId>, now: Timestamp) -> Option<Until> {
        longest(&self.bans, ids, now)
    }

    /// Until when a user with these ids is muted; `None` if it is not at the time `now`.
    pub fn mute<'a>(&self, ids: impl IntoIterator<Item = &'a UserId>, now: Timestamp) -> Option<Until> {
        longest(&self.mutes, ids, now)
    }
}

/// The restriction of these users that holds for the longest time.
fn longest<'a>(
    restrictions: &HashMap<UserId, Until>,
    ids: impl IntoIterator<Item = &'a UserId>,
    now: Timestamp,
) -> Option<Until> {
    if restrictions.is_empty() {
        return None;
    }
    let found = ids.into_iter().filter_map(|id| restrictions.get(id));
    found.copied().filter(|until| holds(*until, now)).reduce(later)
}

/// Whether a restriction until this time holds at the time `now`.
pub(crate) fn holds(until: Until, now: Timestamp) -> bool {
    until.is_none_or(|until| now < until)
}

/// The later of two ends.
pub(crate) fn later(one: Until, other: Until) -> Until {
    Some(one?.max(other?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_restriction_of_all_ids_counts() {
        let [one, two, other] = ["u_1", "g_2", "u_3"].map(|id| id.parse::<UserId>().unwrap());
        let at = |ms| Some(Timestamp::from_millis(ms));
        let now = Timestamp::from_millis(100);
        let mut rules = Rules::default();
        rules.add_mute(one.clone(), at(150));
        rules.add_mute(two.clone(), at(120));
        rules.add_ban(two.clone(), None);
        rules.add_ban(one.clone(), at(100));
        let both = [one.clone(), two.clone()];
        assert_eq!(rules.mute(&both, now), Some(at(150)));
        assert_eq!(rules.ban(&both, now), Some(None), "one without an end is the longest");
        assert_eq!(rules.ban(&[one], now), None, "it has just ended");
        assert_eq!(rules.mute(&[two], Timestamp::from_millis(120)), None);
        assert_eq!((rules.ban([&other], now), rules.mute([&other], now)), (None, None));
    }
}
