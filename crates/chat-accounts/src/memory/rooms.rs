//! Lists of rooms in memory.

use std::collections::btree_map::Entry;

use chat_protocol::{Epoch, RoomName, UserId, Username};

use super::Tables;
use crate::{AddError, MAX_BLOCKED, MAX_NAMES, MAX_ROOMS, RoomChange, RoomEntry};

impl Tables {
    pub(super) fn keep(
        &mut self,
        account: &UserId,
        room: RoomName,
        change: RoomChange,
    ) -> Result<RoomEntry, AddError> {
        if !self.accounts.contains_key(account) {
            return Err(AddError::NoAccount);
        }
        let rooms = self.rooms.entry(account.clone()).or_default();
        let is_full = rooms.len() >= MAX_ROOMS;
        match rooms.entry(room) {
            Entry::Occupied(mut entry) => {
                entry.get_mut().apply(&change);
                Ok(entry.get().clone())
            }
            Entry::Vacant(_) if is_full => Err(AddError::LimitReached { max: MAX_ROOMS }),
            Entry::Vacant(entry) => {
                let added = change.into_entry(entry.key().clone());
                Ok(entry.insert(added).clone())
            }
        }
    }

    pub(super) fn block(
        &mut self,
        account: UserId,
        user: UserId,
        username: Option<Username>,
    ) -> Result<bool, AddError> {
        if !self.accounts.contains_key(&account) {
            return Err(AddError::NoAccount);
        }
        let blocked = self.blocked.entry(account).or_default();
        if blocked.contains_key(&user) {
            return Ok(false);
        }
        if blocked.len() >= MAX_BLOCKED {
            return Err(AddError::LimitReached { max: MAX_BLOCKED });
        }
        blocked.insert(user, username);
        Ok(true)
    }

    pub(super) fn drop_room(&mut self, account: &UserId, room: &RoomName) -> bool {
        self.rooms.get_mut(account).is_some_and(|rooms| rooms.remove(room).is_some())
    }

    pub(super) fn keepers(&self, room: &RoomName, names: &[Username]) -> Vec<(Username, UserId)> {
        let folded: Vec<_> = names.iter().take(MAX_NAMES).map(Username::folded).collect();
        let keepers = self.rooms.iter().filter(|(_, rooms)| rooms.contains_key(room));
        let accounts = keepers.filter_map(|(id, _)| self.accounts.get(id));
        let named = accounts.filter(|account| folded.contains(&account.username.folded()));
        named.map(|account| (account.username.clone(), account.id.clone())).collect()
    }

    pub(super) fn mark_read(
        &mut self,
        account: &UserId,
        room: &RoomName,
        epoch: &Epoch,
        up_to: u64,
    ) -> Option<RoomEntry> {
        let entry = self.rooms.get_mut(account)?.get_mut(room)?;
        entry.mark_read(epoch, up_to);
        Some(entry.clone())
    }
}
