//! What a room allows.

use std::sync::Arc;

use chat_protocol::{RoomName, RoomRole, RoomSettings, Standing, Timestamp, Visibility};

use crate::rules::Until;
use crate::{Actor, Rank, Rules};

/// What a room allows, in one version. Cloning is cheap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomPolicy {
    version: u64,
    settings: Arc<RoomSettings>,
    rules: Arc<Rules>,
    server: Arc<Rules>,
    /// Whether the room has an address instead of a name.
    has_address: bool,
}

impl RoomPolicy {
    /// The policy with this version; a room that was never changed has version 0.
    pub fn new(version: u64, settings: impl Into<Arc<RoomSettings>>) -> Self {
        Self { version, settings: settings.into(), ..Self::default() }
    }

    /// Sets the room: one that has an [address](RoomName::is_address) instead of a name is only
    /// there for those who have a role in it.
    #[must_use]
    pub fn room(self, room: &RoomName) -> Self {
        Self { has_address: room.is_address(), ..self }
    }

    /// Sets who has a role in the room, and who is banned or muted there.
    #[must_use]
    pub fn rules(self, rules: impl Into<Arc<Rules>>) -> Self {
        Self { rules: rules.into(), ..self }
    }

    /// The same policy with other settings, in a newer version.
    #[must_use]
    pub fn configured(&self, version: u64, settings: impl Into<Arc<RoomSettings>>) -> Self {
        Self { version, settings: settings.into(), ..self.clone() }
    }

    /// The same policy with other rules, in a newer version.
    #[must_use]
    pub fn ruled(&self, version: u64, rules: impl Into<Arc<Rules>>) -> Self {
        Self { version, rules: rules.into(), ..self.clone() }
    }

    /// What a user is in the room, and whether it may post there.
    pub fn standing(&self, actor: &Actor, now: Timestamp) -> Standing {
        Standing::new(self.role(actor), self.mute(actor, now))
    }

    /// Sets who is banned or muted on the whole server.
    #[must_use]
    pub fn server_rules(self, server: impl Into<Arc<Rules>>) -> Self {
        Self { server: server.into(), ..self }
    }

    /// The version. Of two policies of one room, the newer one has the greater version.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The settings of the room.
    pub fn settings(&self) -> &Arc<RoomSettings> {
        &self.settings
    }

    /// Whether a user may learn that the room exists. A room with an address exists for those who
    /// have a role in it, and a private one for moderators of the server, too. A room with a name
    /// exists for everyone.
    pub fn is_found_by(&self, actor: &Actor) -> bool {
        if !self.has_address || self.role(actor).is_some() {
            return true;
        }
        let exists = self.version > 0;
        exists && self.settings.visibility != Visibility::Direct && self.rank(actor) >= Rank::ServerModerator
    }

    /// How much a user may do in the room.
    pub fn rank(&self, actor: &Actor) -> Rank {
        Rank::new(actor.kind(), actor.role(), self.role(actor))
    }

    /// Whether users have roles in the room.
    pub fn has_roles(&self) -> bool {
        self.rules.has_roles()
    }

    /// The role of a user in the room. A guest has none.
    pub fn role(&self, actor: &Actor) -> Option<RoomRole> {
        self.rules.role(actor.ids())
    }

    /// Until when a user is banned from the room, or from the server; `None` if it is not.
    pub fn ban(&self, actor: &Actor, now: Timestamp) -> Option<Until> {
        banned(&self.rules, actor, now).max_until(banned(&self.server, actor, now))
    }

    /// Until when a user is muted in the room, or on the server; `None` if it is not.
    pub fn mute(&self, actor: &Actor, now: Timestamp) -> Option<Until> {
        muted(&self.rules, actor, now).max_until(muted(&self.server, actor, now))
    }
}

/// Until when these rules ban a user; `None` if they do not.
pub fn banned(rules: &Rules, actor: &Actor, now: Timestamp) -> Option<Until> {
    if rules.ban_nobody() {
        return None;
    }
    rules.ban(actor.ids(), now).max_until(rules.network_ban(actor.network(), now))
}

fn muted(rules: &Rules, actor: &Actor, now: Timestamp) -> Option<Until> {
    if rules.mute_nobody() {
        return None;
    }
    rules.mute(actor.ids(), now).max_until(rules.network_mute(actor.network(), now))
}

/// Combines two restrictions, of which either may not exist.
trait MaxUntil {
    fn max_until(self, other: Self) -> Self;
}

impl MaxUntil for Option<Until> {
    fn max_until(self, other: Self) -> Self {
        match (self, other) {
            (Some(one), Some(other)) => Some(crate::rules::later(one, other)),
            (one, other) => one.or(other),
        }
    }
}
