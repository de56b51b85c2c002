//! Tokens: what a client has instead of a password.

use chat_protocol::{Timestamp, UserId};

use crate::{Label, PasswordHash, TokenHash, TokenId};

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TokenKind {
    /// A device on which the user has signed in. It expires unless it is used.
    Session,
    /// A program of the user.
    Api,
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Token {
    /// The id.
    pub id: TokenId,
    /// The account.
    pub account: UserId,
    /// What it is for.
    pub kind: TokenKind,
    /// What the user calls the device or the program.
    pub label: Option<Label>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When the store was last notified of its use; at first the time of creation.
    pub last_used_at: Timestamp,
    /// From when on it is not accepted. `None`: it does not expire.
    pub expires_at: Option<Timestamp>,
}

impl Token {
    /// Whether it is no longer accepted.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }

    /// Notes a use at this time. Returns whether that changes anything: an expired token stays as
    /// it is, and only a session gets a new expiry.
    pub fn note_use(&mut self, now: Timestamp, new_expiry: Option<Timestamp>) -> bool {
        if self.is_expired(now) {
            return false;
        }
        self.last_used_at = self.last_used_at.max(now);
        if let (TokenKind::Session, Some(expires_at), Some(new)) = (self.kind, self.expires_at, new_expiry) {
            self.expires_at = Some(expires_at.max(new));
        }
        true
    }
}

/// A token to be added.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewToken {
    /// The account.
    pub account: UserId,
    /// What it is for.
    pub kind: TokenKind,
    /// The hash of the secret.
    pub hash: TokenHash,
    /// What the user calls the device or the program.
    pub label: Option<Label>,
    /// When it is created.
    pub created_at: Timestamp,
    /// From when on it is not accepted. `None`: it does not expire.
    pub expires_at: Option<Timestamp>,
    /// The hash that the user's password was compared with. If the account has another one by now,
    /// the token is not added.
    pub password: Option<PasswordHash>,
}

impl NewToken {
    /// A session of an account, which ends at `expires_at` if it is not used.
    pub fn session(account: UserId, hash: TokenHash, created_at: Timestamp, expires_at: Timestamp) -> Self {
        let (kind, expires_at) = (TokenKind::Session, Some(expires_at));
        Self { account, kind, hash, label: None, created_at, expires_at, password: None }
    }

    /// An API token of an account, which does not expire.
    pub fn api(account: UserId, hash: TokenHash, created_at: Timestamp) -> Self {
        let kind = TokenKind::Api;
        Self { account, kind, hash, label: None, created_at, expires_at: None, password: None }
    }

    /// Sets what the user calls the device or the program.
    #[must_use]
    pub fn with_label(self, label: Label) -> Self {
        Self { label: Some(label), ..self }
    }

    /// Sets when the token expires.
    #[must_use]
    pub fn expiring_at(self, expires_at: Timestamp) -> Self {
        Self { expires_at: Some(expires_at), ..self }
    }

    /// Adds the token only if the account still has this password. Comparing a password takes a
    /// while, and the password may be changed meanwhile: the change ends all sessions, and none may
    /// begin with the old password after it.
    #[must_use]
    pub fn for_password(self, hash: PasswordHash) -> Self {
        Self { password: Some(hash), ..self }
    }

    /// The token as it is stored, with a new, random id.
    pub fn into_token(self) -> Token {
        Token {
            id: TokenId::random(),
            account: self.account,
            kind: self.kind,
            label: self.label,
            created_at: self.created_at,
            last_used_at: self.created_at,
            expires_at: self.expires_at,
        }
    }
}

/// A token that was added.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddedToken {
    /// The token.
    pub token: Token,
    /// The session that it has replaced because the account had too many. Its clients have to be
    /// disconnected.
    pub replaced: Option<TokenId>,
}

impl AddedToken {
    /// This token was added, and has replaced this one.
    pub fn new(token: Token, replaced: Option<TokenId>) -> Self {
        Self { token, replaced }
    }
}
