//! Who has a role, and who is banned or muted.

use std::collections::HashMap;

use chat_protocol::{RoomRole, Timestamp, UserId};

use crate::Network;

/// Until when a ban or a mute holds; `None` if it has no end.
pub type Until = Option<Timestamp>;

/// The roles, bans and mutes of a room, or of the whole server, which has no roles of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    roles: HashMap<UserId, RoomRole>,
    bans: HashMap<UserId, Until>,
    mutes: HashMap<UserId, Until>,
    /// Of guests: where they connect from, and until when it concerns all guests from there.
    banned_networks: HashMap<Network, Timestamp>,
    muted_networks: HashMap<Network, Timestamp>,
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

    /// Bans all guests from a network.
    pub fn add_network_ban(&mut self, network: Network, until: Timestamp) {
        add_network(&mut self.banned_networks, network, until);
    }

    /// Mutes all guests from a network.
    pub fn add_network_mute(&mut self, network: Network, until: Timestamp) {
        add_network(&mut self.muted_networks, network, until);
    }

    /// Whether nobody has a role, and nobody is banned or muted.
    pub fn is_empty(&self) -> bool {
        self.roles.is_empty() && self.bans.is_empty() && self.mutes.is_empty()
    }

    /// Whether nobody is banned. Most rooms ban nobody, and each message asks.
    pub(crate) fn ban_nobody(&self) -> bool {
        self.bans.is_empty() && self.banned_networks.is_empty()
    }

    /// Whether nobody is muted.
    pub(crate) fn mute_nobody(&self) -> bool {
        self.mutes.is_empty() && self.muted_networks.is_empty()
    }

    /// Whether users have roles in the room.
    pub fn has_roles(&self) -> bool {
        !self.roles.is_empty()
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

    /// Until when all guests from a network are banned; `None` if they are not at the time `now`.
    pub fn network_ban(&self, network: Option<Network>, now: Timestamp) -> Option<Until> {
        of_network(&self.banned_networks, network, now)
    }

    /// Until when all guests from a network are muted; `None` if they are not at the time `now`.
    pub fn network_mute(&self, network: Option<Network>, now: Timestamp) -> Option<Until> {
        of_network(&self.muted_networks, network, now)
    }

    /// Until when a user with these ids is muted; `None` if it is not at the time `now`.
    pub fn mute<'a>(&self, ids: impl IntoIterator<Item = &'a UserId>, now: Timestamp) -> Option<Until> {
        longest(&self.mutes, ids, now)
    }
}

fn add_network(networks: &mut HashMap<Network, Timestamp>, network: Network, until: Timestamp) {
    let known = networks.entry(network).or_insert(until);
    *known = until.max(*known);
}

fn of_network(
    networks: &HashMap<Network, Timestamp>,
    network: Option<Network>,
    now: Timestamp,
) -> Option<Until> {
    let until = networks.get(&network?).copied()?;
    (now < until).then_some(Some(until))
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
        let [here, there] = ["192.0.2.1", "192.0.2.2"].map(|network| network.parse().ok());
        rules.add_network_ban(here.unwrap(), Timestamp::from_millis(150));
        rules.add_network_ban(here.unwrap(), Timestamp::from_millis(120));
        assert_eq!(rules.network_ban(here, now), Some(at(150)), "the longest one");
        assert_eq!(rules.network_ban(here, Timestamp::from_millis(150)), None);
        assert_eq!((rules.network_ban(there, now), rules.network_ban(None, now)), (None, None));
        assert_eq!(rules.network_mute(here, now), None);
    }
}
