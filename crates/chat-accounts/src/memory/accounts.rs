//! Accounts and names in memory.

use std::ops::Bound;

use chat_protocol::{Role, Timestamp, UserId, Username};

use super::Tables;
use crate::{Account, AccountPage, Counts, CreateError, MAX_PAGE, NewAccount, Reservation, look_alike_keys};

impl Tables {
    pub(super) fn create(&mut self, new: NewAccount) -> Result<Account, CreateError> {
        let now = new.created_at;
        let invite = match &new.invite {
            Some(hash) => Some(self.valid_invite(hash, now).ok_or(CreateError::InvalidInvite)?),
            None => None,
        };
        if new.subject.as_ref().is_some_and(|subject| self.by_subject.contains_key(subject)) {
            return Err(CreateError::SubjectTaken);
        }
        if let Some(reservation) = self.reserved(&new.username, now)
            && !(new.replaces_deleted && self.is_kept_only(&new.username))
        {
            return Err(CreateError::NameTaken(reservation));
        }
        if new.adopts.as_ref().is_some_and(|guest| self.by_guest.contains_key(guest)) {
            return Err(CreateError::GuestAlreadyAdopted);
        }

        let account = new.into_account()?;
        if let Some(invite) = invite {
            self.use_invite(&invite);
        }
        // the name itself may be that of a deleted account
        self.kept.remove(&account.username);
        for key in look_alike_keys(&account.username) {
            self.by_key.entry(key).or_default().insert(account.username.clone());
        }
        self.by_username.insert(account.username.clone(), account.id.clone());
        if let Some(subject) = &account.subject {
            self.by_subject.insert(subject.clone(), account.id.clone());
        }
        for guest in &account.guests {
            self.by_guest.insert(guest.clone(), account.id.clone());
        }
        self.accounts.insert(account.id.clone(), account.clone());
        Ok(account)
    }

    /// Why a name can't be taken.
    pub(super) fn reserved(&self, username: &Username, now: Timestamp) -> Option<Reservation> {
        let reservations = self.like(username).into_iter().filter_map(|name| match self.kept.get(&name) {
            Some(until) => (*until > now).then(|| Reservation::kept(name, *until)),
            None => Some(Reservation::account(name)),
        });
        reservations
            .min_by_key(|found| (found.username != *username, found.until.is_some(), found.username.clone()))
    }

    /// Whether no account has this name or one that looks like it.
    fn is_kept_only(&self, username: &Username) -> bool {
        self.like(username).iter().all(|name| self.kept.contains_key(name))
    }

    /// The names that look like this one, of accounts and of deleted accounts.
    fn like(&self, username: &Username) -> Vec<Username> {
        let keys = look_alike_keys(username);
        keys.iter().filter_map(|key| self.by_key.get(key)).flatten().cloned().collect()
    }

    pub(super) fn cloned(&self, id: Option<&UserId>) -> Option<Account> {
        id.and_then(|id| self.accounts.get(id)).cloned()
    }

    pub(super) fn list(&self, after: Option<Username>, limit: usize) -> AccountPage {
        let limit = limit.min(MAX_PAGE);
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut ids = self.by_username.range((after, Bound::Unbounded)).map(|(_, id)| id);
        let accounts = ids.by_ref().take(limit).filter_map(|id| self.cloned(Some(id))).collect();
        AccountPage::new(accounts, ids.next().is_some())
    }

    pub(super) fn counts(&self) -> Counts {
        let disabled = self.accounts.values().filter(|account| account.disabled_at.is_some()).count();
        let is_admin = |account: &&Account| account.role == Role::Admin && account.disabled_at.is_none();
        let admins = self.accounts.values().filter(is_admin).count();
        Counts::new(self.accounts.len() as u64, disabled as u64, admins as u64)
    }

    /// Changes an account. Returns whether it exists.
    pub(super) fn change(&mut self, id: &UserId, change: impl FnOnce(&mut Account)) -> bool {
        self.accounts.get_mut(id).map(change).is_some()
    }

    pub(super) fn delete(&mut self, id: &UserId, keep_name_until: Timestamp) -> bool {
        let Some(account) = self.accounts.remove(id) else { return false };
        self.by_username.remove(&account.username);
        if let Some(subject) = &account.subject {
            self.by_subject.remove(subject);
        }
        for guest in &account.guests {
            self.by_guest.remove(guest);
        }
        self.remove_tokens(id, None, None);
        self.rooms.remove(id);
        self.blocked.remove(id);
        self.invites.retain(|_, (_, invite)| invite.created_by.as_ref() != Some(id));
        self.kept.insert(account.username, keep_name_until);
        true
    }

    /// Removes names that are no longer kept, and returns their number.
    pub(super) fn remove_expired_names(&mut self, now: Timestamp, limit: usize) -> usize {
        let expired = self.kept.iter().filter(|(_, until)| **until <= now);
        let expired: Vec<_> = expired.map(|(name, _)| name.clone()).take(limit).collect();
        for name in &expired {
            self.kept.remove(name);
            for key in look_alike_keys(name) {
                if let Some(names) = self.by_key.get_mut(&key) {
                    names.remove(name);
                    if names.is_empty() {
                        self.by_key.remove(&key);
                    }
                }
            }
        }
        expired.len()
    }
}
