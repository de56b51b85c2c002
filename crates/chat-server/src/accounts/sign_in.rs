//! Signing in: a password starts a session, and its token continues it.

use std::time::Duration;

use chat_accounts::{
    Account, AddTokenError, HashError, JwtClaims, Label, NewToken, Password, StoreError, Token, TokenId,
    TokenKind, TokenSecret,
};
use chat_protocol::{Timestamp, Username};
use tokio::time::Instant;

use crate::accounts::{Accounts, SESSION_LIFE, TooManyAttempts};
use crate::admission::addresses::ClientAddress;
use crate::metrics;

/// The use of a token is noted at most this often.
const NOTE_INTERVAL: Duration = Duration::from_secs(3_600);

/// Who has sent a token.
#[derive(Debug)]
pub(crate) struct SignedIn {
    pub(crate) account: Account,
    pub(crate) credential: Credential,
}

/// What a client has signed in with.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    /// A token of this server.
    Token(Token),
    /// A token of the identity provider.
    Jwt { expires_at: Timestamp },
}

impl Credential {
    /// The token of this server.
    pub(crate) fn token(&self) -> Option<&Token> {
        match self {
            Self::Token(token) => Some(token),
            Self::Jwt { .. } => None,
        }
    }

    /// The token of the session of a device.
    pub(crate) fn session(&self) -> Option<&Token> {
        self.token().filter(|token| token.kind == TokenKind::Session)
    }

    pub(crate) fn expires_at(&self) -> Option<Timestamp> {
        match self {
            Self::Token(token) => token.expires_at,
            Self::Jwt { expires_at } => Some(*expires_at),
        }
    }
}

/// A session that was started by a password.
#[derive(Debug)]
pub(crate) struct NewSession {
    /// For the client alone.
    pub(crate) secret: TokenSecret,
    pub(crate) token: Token,
    /// The session that it has replaced because the account had too many.
    pub(crate) replaced: Option<TokenId>,
}

/// Why a client is not signed in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignInError {
    #[error("the name or the password is wrong")]
    Wrong,
    #[error("the token is not valid, or has expired")]
    NotAccepted,
    #[error("this account is disabled")]
    Disabled,
    #[error("this user of the identity provider has no account yet: connect with chat.v2 first")]
    NewSubject(Box<JwtClaims>),
    #[error("too many attempts; try again later")]
    TooMany(TooManyAttempts),
    #[error("too many users are signing in; try again in a moment")]
    Busy,
    #[error("passwords can't be checked now; try again later")]
    Hash(#[source] HashError),
    #[error("storage is unavailable; try again later")]
    Store(#[from] StoreError),
}

impl From<HashError> for SignInError {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self::Busy,
            other => Self::Hash(other),
        }
    }
}

impl Accounts {
    /// Finds out whose token this is. A session that is used lasts longer.
    pub(crate) async fn authenticate(&self, token: &str) -> Result<SignedIn, SignInError> {
        if self.is_jwt(token) {
            return self.verify_jwt(token).await;
        }
        let found = match token.parse::<TokenSecret>() {
            Ok(secret) => self.store().find_token(secret.hash(), Timestamp::now()).await?,
            Err(_) => None,
        };
        let Some((mut token, account)) = found else {
            metrics::sign_in(metrics::SignIn::TokenRefused);
            return Err(SignInError::NotAccepted);
        };
        self.extend(&mut token).await?;
        Ok(SignedIn { account, credential: Credential::Token(token) })
    }

    /// Notes that a token is in use, unless that was done lately.
    async fn extend(&self, token: &mut Token) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let is_fresh = token.last_used_at.saturating_add(NOTE_INTERVAL) > now;
        if !is_fresh {
            let expiry = now.saturating_add(SESSION_LIFE);
            self.store().use_token(token.id.clone(), now, Some(expiry)).await?;
            token.note_use(now, Some(expiry));
        }
        Ok(())
    }

    /// Whether a token is still accepted, and until when. Its session is in use, so it lasts
    /// longer.
    pub(crate) async fn renew(&self, token: &Token) -> Result<Option<Token>, StoreError> {
        let tokens = self.store().tokens(token.account.clone(), Timestamp::now()).await?;
        let Some(mut found) = tokens.into_iter().find(|found| found.id == token.id) else {
            return Ok(None);
        };
        self.extend(&mut found).await?;
        Ok(Some(found))
    }

    /// Starts a session of the account with this name and password.
    pub(crate) async fn sign_in(
        &self,
        username: &str,
        password: &str,
        device: Option<Label>,
        from: ClientAddress,
    ) -> Result<(NewSession, Account), SignInError> {
        let username = Username::parse(username).ok();
        self.shared
            .attempts
            .begin(from.network(), username.as_ref(), Instant::now())
            .map_err(SignInError::TooMany)?;
        let account = match username.clone() {
            Some(username) => self.store().by_username(username).await?,
            None => None,
        };
        let account = match self.verify(account, password).await {
            Err(SignInError::Wrong) => {
                self.shared.attempts.failed(from.network(), Instant::now());
                metrics::sign_in(metrics::SignIn::WrongPassword);
                let username = username.as_ref().map(tracing::field::display);
                tracing::info!(username, address = %from, "a user could not sign in: wrong name or password");
                return Err(SignInError::Wrong);
            }
            other => other?,
        };
        self.shared.attempts.succeeded(from.network(), &account.username);
        let session = self.start_session(&account, device).await?;
        metrics::sign_in(metrics::SignIn::SignedIn);
        let (user, username) = (&account.id, &account.username);
        tracing::info!(%user, %username, session = %session.token.id, address = %from, "a user has signed in");
        Ok((session, account))
    }

    /// Checks the password of an account. Takes as long if there is none.
    pub(crate) async fn verify(
        &self,
        account: Option<Account>,
        password: &str,
    ) -> Result<Account, SignInError> {
        // it is too long, so that no account has it
        let Ok(password) = Password::attempt(password) else { return Err(SignInError::Wrong) };
        let hash = account.as_ref().and_then(|account| account.password_hash.clone());
        let (Some(mut account), Some(hash)) = (account, hash) else {
            self.hasher().verify_nothing(password).await?;
            return Err(SignInError::Wrong);
        };
        if !self.hasher().verify(password.clone(), hash.clone()).await? {
            return Err(SignInError::Wrong);
        }
        if account.disabled_at.is_some() {
            return Err(SignInError::Disabled);
        }
        if hash.needs_rehash() {
            let new = self.hasher().hash(password).await?;
            if self.store().rehash_password(account.id.clone(), hash, new.clone()).await? {
                account.password_hash = Some(new);
            }
        }
        Ok(account)
    }

    /// Checks the password of a user who is signed in and does something that a stolen token must
    /// not do.
    pub(crate) async fn confirm(
        &self,
        account: &Account,
        password: &str,
        from: ClientAddress,
    ) -> Result<(), SignInError> {
        let attempts = &self.shared.attempts;
        attempts
            .begin(from.network(), Some(&account.username), Instant::now())
            .map_err(SignInError::TooMany)?;
        match self.verify(Some(account.clone()), password).await {
            Err(SignInError::Wrong) => {
                attempts.failed(from.network(), Instant::now());
                metrics::sign_in(metrics::SignIn::WrongPassword);
                Err(SignInError::Wrong)
            }
            other => {
                attempts.succeeded(from.network(), &account.username);
                other.map(drop)
            }
        }
    }

    /// Starts a session of an account whose password was checked.
    pub(crate) async fn start_session(
        &self,
        account: &Account,
        device: Option<Label>,
    ) -> Result<NewSession, SignInError> {
        let (secret, now) = (TokenSecret::random(), Timestamp::now());
        let mut new =
            NewToken::session(account.id.clone(), secret.hash(), now, now.saturating_add(SESSION_LIFE));
        new.label = device;
        new.password = account.password_hash.clone();
        match self.store().add_token(new).await {
            Ok(added) => Ok(NewSession { secret, token: added.token, replaced: added.replaced }),
            Err(AddTokenError::Disabled) => Err(SignInError::Disabled),
            Err(AddTokenError::Store(error)) => Err(error.into()),
            Err(_) => Err(SignInError::Wrong),
        }
    }
}
