//! Invites in memory.

use std::num::NonZeroU32;

use chat_protocol::Timestamp;

use super::Tables;
use crate::{AddError, Invite, InviteHash, InviteId, MAX_INVITES, NewInvite};

impl Tables {
    pub(super) fn add_invite(&mut self, new: NewInvite) -> Result<Invite, AddError> {
        if new.created_by.as_ref().is_some_and(|account| !self.accounts.contains_key(account)) {
            return Err(AddError::NoAccount);
        }
        self.remove_expired_invites(new.created_at, usize::MAX);
        if self.invites.len() >= MAX_INVITES {
            return Err(AddError::LimitReached { max: MAX_INVITES });
        }
        let hash = new.hash;
        let invite = new.into_invite();
        self.invites.insert(invite.id.clone(), (hash, invite.clone()));
        Ok(invite)
    }

    /// The id of the invite with this code, if it can be used.
    pub(super) fn valid_invite(&self, hash: &InviteHash, now: Timestamp) -> Option<InviteId> {
        let (_, invite) = self.invites.values().find(|(other, _)| other == hash)?;
        (!invite.is_expired(now)).then(|| invite.id.clone())
    }

    /// Consumes one use of an invite.
    pub(super) fn use_invite(&mut self, id: &InviteId) {
        let Some((_, invite)) = self.invites.get_mut(id) else { return };
        match NonZeroU32::new(invite.uses_left.get() - 1) {
            Some(left) => invite.uses_left = left,
            None => drop(self.invites.remove(id)),
        }
    }

    pub(super) fn valid_invites(&self, now: Timestamp) -> Vec<Invite> {
        let invites = self.invites.values().map(|(_, invite)| invite);
        let mut invites: Vec<_> = invites.filter(|invite| !invite.is_expired(now)).cloned().collect();
        invites.sort_unstable_by_key(|invite| (invite.created_at, invite.id.clone()));
        invites
    }

    /// Removes invites that have expired, and returns their number.
    pub(super) fn remove_expired_invites(&mut self, now: Timestamp, limit: usize) -> usize {
        let expired = self.invites.values().filter(|(_, invite)| invite.is_expired(now));
        let expired: Vec<_> = expired.map(|(_, invite)| invite.id.clone()).take(limit).collect();
        expired.iter().for_each(|id| drop(self.invites.remove(id)));
        expired.len()
    }
}
