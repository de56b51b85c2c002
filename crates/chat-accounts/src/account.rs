//! Accounts: what is stored of a user who has registered.

use std::sync::Arc;

use chat_protocol::{Identity, ReservedIdError, Role, Timestamp, UserId, UserKind, Username};

use crate::ids::random_account_id;
use crate::{InviteHash, PasswordHash, Profile, StoreError};

/// A subject of an issuer of JWTs (`sub` and `iss`): who the user of an account is elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    issuer: Arc<str>,
    subject: Arc<str>,
}

/// The issuer or the subject is empty or too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the issuer and the subject of a token must have 1 to {} bytes each", Subject::MAX)]
pub struct SubjectError;

impl Subject {
    /// The maximum number of bytes of the issuer, and of the subject.
    pub const MAX: usize = 1_024;

    /// This subject of this issuer. Both are compared byte by byte.
    ///
    /// # Errors
    /// [`SubjectError`] if one of them is empty or has more than [`Subject::MAX`] bytes.
    pub fn new(issuer: &str, subject: &str) -> Result<Self, SubjectError> {
        let is_valid = |text: &str| (1..=Self::MAX).contains(&text.len());
        if is_valid(issuer) && is_valid(subject) {
            Ok(Self { issuer: issuer.into(), subject: subject.into() })
        } else {
            Err(SubjectError)
        }
    }

    /// Who has issued the tokens.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What the issuer calls the user.
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

/// An account: a user who has registered, or a program.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// The id: `u_` and 128 random bits. It never changes and is never used again.
    pub id: UserId,
    /// The name.
    pub username: Username,
    /// Whether this is a program.
    pub is_service: bool,
    /// What the user may do on the whole server.
    pub role: Role,
    /// The hash of the password. `None`: no password is right.
    pub password_hash: Option<PasswordHash>,
    /// Who the user is elsewhere.
    pub subject: Option<Subject>,
    /// The ids that the user had as a guest, in the order of their texts.
    pub guests: Vec<UserId>,
    /// What the user shows to others.
    pub profile: Profile,
    /// When the account was created.
    pub created_at: Timestamp,
    /// Since when the account is disabled; `None` if it is not.
    pub disabled_at: Option<Timestamp>,
}

impl Account {
    /// The kind of user.
    pub fn kind(&self) -> UserKind {
        if self.is_service { UserKind::Service } else { UserKind::Account }
    }

    /// The identity of a session of this account.
    ///
    /// # Errors
    /// [`ReservedIdError`] if a store has given the account an id of a guest. The stores of this
    /// crate do not.
    pub fn identity(&self) -> Result<Identity, ReservedIdError> {
        let (id, username) = (self.id.clone(), self.username.clone());
        let identity =
            if self.is_service { Identity::service(id, username) } else { Identity::account(id, username) };
        Ok(identity?.with_role(self.role))
    }
}

/// An account to be created.
///
/// ```
/// use chat_accounts::NewAccount;
/// use chat_protocol::{Role, Timestamp};
///
/// let new = NewAccount::new("ana".parse()?, Timestamp::now()).with_role(Role::Admin);
/// assert_eq!(new.role, Role::Admin);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewAccount {
    /// The name.
    pub username: Username,
    /// Whether this is a program.
    pub is_service: bool,
    /// What the user may do on the whole server.
    pub role: Role,
    /// The hash of the password. `None`: no password is right.
    pub password_hash: Option<PasswordHash>,
    /// Who the user is elsewhere.
    pub subject: Option<Subject>,
    /// The invite of which one use is consumed.
    pub invite: Option<InviteHash>,
    /// The guest whose id is tied to the account.
    pub adopts: Option<UserId>,
    /// Whether the account may have a name that is kept after the deletion of other accounts.
    pub replaces_deleted: bool,
    /// When the account is created.
    pub created_at: Timestamp,
}

impl NewAccount {
    /// An account of a user without a password, with the role [`Role::User`].
    pub fn new(username: Username, created_at: Timestamp) -> Self {
        Self {
            username,
            is_service: false,
            role: Role::User,
            password_hash: None,
            subject: None,
            invite: None,
            adopts: None,
            replaces_deleted: false,
            created_at,
        }
    }

    /// Makes it the account of a program.
    #[must_use]
    pub fn service(self) -> Self {
        Self { is_service: true, ..self }
    }

    /// Sets what the user may do on the whole server.
    #[must_use]
    pub fn with_role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    /// Sets the password.
    #[must_use]
    pub fn with_password(self, hash: PasswordHash) -> Self {
        Self { password_hash: Some(hash), ..self }
    }

    /// Sets who the user is elsewhere.
    #[must_use]
    pub fn with_subject(self, subject: Subject) -> Self {
        Self { subject: Some(subject), ..self }
    }

    /// Creates the account only if one use of this invite can be consumed.
    #[must_use]
    pub fn with_invite(self, invite: InviteHash) -> Self {
        Self { invite: Some(invite), ..self }
    }

    /// Ties the id of a guest to the account. The caller has to know that the guest is the same
    /// user.
    #[must_use]
    pub fn adopting(self, guest: UserId) -> Self {
        Self { adopts: Some(guest), ..self }
    }

    /// Allows names that are kept after a deletion, for accounts that an admin creates.
    #[must_use]
    pub fn replacing_deleted(self) -> Self {
        Self { replaces_deleted: true, ..self }
    }

    /// The account as it is stored, with a new, random id.
    ///
    /// # Errors
    /// [`StoreError`] never, unless [`UserId`] no longer accepts the ids of accounts.
    pub fn into_account(self) -> Result<Account, StoreError> {
        Ok(Account {
            id: random_account_id().parse().map_err(StoreError::other)?,
            username: self.username,
            is_service: self.is_service,
            role: self.role,
            password_hash: self.password_hash,
            subject: self.subject,
            guests: self.adopts.into_iter().collect(),
            profile: Profile::default(),
            created_at: self.created_at,
            disabled_at: None,
        })
    }
}

/// A part of the list of all accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountPage {
    /// The accounts, in the order of their names.
    pub accounts: Vec<Account>,
    /// Whether there are accounts after the last one of this page.
    pub more: bool,
}

impl AccountPage {
    /// These accounts, and whether there are more.
    pub fn new(accounts: Vec<Account>, more: bool) -> Self {
        Self { accounts, more }
    }
}

/// How many accounts there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// All accounts, also those of programs and disabled ones.
    pub accounts: u64,
    /// Accounts that are disabled.
    pub disabled: u64,
    /// Accounts with the role [`Role::Admin`] that are not disabled.
    pub admins: u64,
}

impl Counts {
    /// These numbers of all accounts, of disabled ones, and of admins that are not disabled.
    pub fn new(accounts: u64, disabled: u64, admins: u64) -> Self {
        Self { accounts, disabled, admins }
    }
}

/// Why a name can't be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reservation {
    /// The name that is taken: the requested name, or one that looks like it.
    pub username: Username,
    /// Until when the name of a deleted account is kept. `None` if an account has it.
    pub until: Option<Timestamp>,
}

impl Reservation {
    /// An account has this name.
    pub fn account(username: Username) -> Self {
        Self { username, until: None }
    }

    /// The deleted account of this name keeps it until this time.
    pub fn kept(username: Username, until: Timestamp) -> Self {
        Self { username, until: Some(until) }
    }
}
