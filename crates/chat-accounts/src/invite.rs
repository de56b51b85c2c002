//! Invites to register.

use std::num::NonZeroU32;

use chat_protocol::{Timestamp, UserId};

use crate::{InviteHash, InviteId};

/// An invite to register, without its code.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invite {
    /// The id.
    pub id: InviteId,
    /// How many accounts can still be created with it.
    pub uses_left: NonZeroU32,
    /// The account that has made it. `None`: it was made on the command line of the server.
    pub created_by: Option<UserId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is not accepted. `None`: it does not expire.
    pub expires_at: Option<Timestamp>,
}

impl Invite {
    /// Whether it is no longer accepted.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }
}

/// An invite to be added.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewInvite {
    /// The hash of the code.
    pub hash: InviteHash,
    /// How many accounts can be created with it.
    pub uses: NonZeroU32,
    /// The account that makes it.
    pub created_by: Option<UserId>,
    /// When it is made.
    pub created_at: Timestamp,
    /// From when on it is not accepted. `None`: it does not expire.
    pub expires_at: Option<Timestamp>,
}

impl NewInvite {
    /// An invite for one account, which does not expire.
    pub fn new(hash: InviteHash, created_at: Timestamp) -> Self {
        Self { hash, uses: NonZeroU32::MIN, created_by: None, created_at, expires_at: None }
    }

    /// Sets how many accounts can be created with it.
    #[must_use]
    pub fn with_uses(self, uses: NonZeroU32) -> Self {
        Self { uses, ..self }
    }

    /// Sets the account that makes it.
    #[must_use]
    pub fn by(self, account: UserId) -> Self {
        Self { created_by: Some(account), ..self }
    }

    /// Sets when it expires.
    #[must_use]
    pub fn expiring_at(self, expires_at: Timestamp) -> Self {
        Self { expires_at: Some(expires_at), ..self }
    }

    /// The invite as it is stored, with a new, random id.
    pub fn into_invite(self) -> Invite {
        Invite {
            id: InviteId::random(),
            uses_left: self.uses,
            created_by: self.created_by,
            created_at: self.created_at,
            expires_at: self.expires_at,
        }
    }
}
