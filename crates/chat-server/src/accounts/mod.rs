//! Accounts: who a client is that signs in.

mod attempts;
mod jwt;
mod register;
mod sign_in;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chat_accounts::{Account, AccountStore, Hasher, JwtVerifier, NewAccount, Reservation, StoreError};
use chat_history::UserMessages;
use chat_protocol::{Timestamp, UserId, Username};

use self::attempts::Attempts;

pub(crate) use self::attempts::TooManyAttempts;
pub(crate) use self::jwt::NewSubjectError;
pub(crate) use self::register::{NewUser, RegisterError};
pub(crate) use self::sign_in::{Credential, NewSession, SignInError, SignedIn};

/// How long a session lasts after its last use.
pub(crate) const SESSION_LIFE: Duration = Duration::from_secs(30 * 86_400);

/// How long the name of a deleted account is kept.
pub(crate) const NAME_KEPT: Duration = Duration::from_secs(90 * 86_400);

/// How often what has expired is removed from the store, and how much at once.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(3_600);
const CLEANUP_ROWS: usize = 500;

/// Who may register an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Registration {
    /// Everyone.
    #[default]
    Open,
    /// Users with an invite.
    Invite,
    /// Nobody. An admin creates accounts.
    Closed,
}

impl Registration {
    /// The name, as in options and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Invite => "invite",
            Self::Closed => "closed",
        }
    }
}

/// The accounts of a server. Clones share them.
#[derive(Clone)]
pub struct Accounts {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn AccountStore>,
    hasher: Hasher,
    attempts: Attempts,
    /// Verifies the tokens of an identity provider.
    jwt: Option<JwtVerifier>,
    /// The messages of users, to erase those of a deleted account.
    messages: Option<Arc<dyn UserMessages>>,
    /// Counts the accounts that were created. A guest whose name was free before the count changed
    /// has to be checked again.
    created: AtomicU64,
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").field("store", &self.shared.store).finish_non_exhaustive()
    }
}

/// A guest's name was free, as of a number of created accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FreeName {
    created: u64,
}

impl Accounts {
    /// The accounts in this store. `messages` is what `DELETE /api/v1/me` erases; without it,
    /// messages can't be erased. With `jwt`, tokens of an identity provider are accepted, too.
    pub fn new(
        store: impl AccountStore,
        messages: Option<Arc<dyn UserMessages>>,
        jwt: Option<JwtVerifier>,
    ) -> Self {
        let shared = Shared {
            store: Arc::new(store),
            hasher: Hasher::new(),
            attempts: Attempts::default(),
            jwt,
            messages,
            created: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Verifies the tokens of an identity provider. `None` if there is none.
    pub fn jwt(&self) -> Option<&JwtVerifier> {
        self.shared.jwt.as_ref()
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn AccountStore> {
        &self.shared.store
    }

    /// Hashes passwords.
    pub fn hasher(&self) -> &Hasher {
        &self.shared.hasher
    }

    /// The messages of users.
    pub(crate) fn messages(&self) -> Option<&Arc<dyn UserMessages>> {
        self.shared.messages.as_ref()
    }

    /// Creates an account. The caller has to end the guests who have its name.
    pub(crate) async fn create(&self, new: NewAccount) -> Result<Account, chat_accounts::CreateError> {
        let created = self.shared.store.create(new).await;
        // also after a failure, which may not be one
        self.shared.created.fetch_add(1, Ordering::SeqCst);
        created
    }

    /// Whether it is known at once that a guest may have this name. See
    /// [`check_guest`](Self::check_guest).
    pub(crate) fn certainly_free(&self, username: &Username) -> Option<FreeName> {
        let created = self.shared.created.load(Ordering::SeqCst);
        self.shared.store.is_certainly_free(username).then_some(FreeName { created })
    }

    /// Whether a guest may have this name. After the guest is in the table of sessions, the caller
    /// has to check that the answer [still holds](Self::still_holds).
    pub(crate) async fn check_guest(
        &self,
        username: Username,
    ) -> Result<Result<FreeName, Reservation>, StoreError> {
        let created = self.shared.created.load(Ordering::SeqCst);
        let reserved = self.shared.store.reserved(username, Timestamp::now()).await?;
        Ok(reserved.map_or(Ok(FreeName { created }), Err))
    }

    /// Whether no account was created since the name was free.
    pub(crate) fn still_holds(&self, free: FreeName) -> bool {
        self.shared.created.load(Ordering::SeqCst) == free.created
    }

    /// The account with this id.
    pub(crate) async fn account(&self, id: &UserId) -> Result<Option<Account>, StoreError> {
        self.shared.store.account(id.clone()).await
    }

    /// Removes what has expired from the store every hour, forever.
    pub(crate) async fn clean_up(&self) {
        loop {
            loop {
                match self.shared.store.remove_expired(Timestamp::now(), CLEANUP_ROWS).await {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) => {
                        tracing::warn!(%error, "expired tokens could not be removed; it will be retried");
                        break;
                    }
                }
            }
            tokio::time::sleep(CLEANUP_INTERVAL).await;
        }
    }
}
