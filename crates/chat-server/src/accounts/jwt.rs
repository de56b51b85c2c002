//! Users of an identity provider: the first use of a token makes an account.

use chat_accounts::{Account, CreateError, JwtClaims, NewAccount, looks_like_jwt};
use chat_protocol::{Timestamp, Username};

use crate::accounts::{Accounts, Credential, SignInError, SignedIn};
use crate::metrics;

/// Why the user of a token gets no account. Another name may do.
#[derive(Debug)]
pub(crate) enum NewSubjectError {
    /// Neither the client nor the token has a name, or it is not valid.
    NoName,
    /// The name, or one that looks like it, is taken.
    NameTaken,
    Failed(SignInError),
}

impl Accounts {
    /// Whether a token is for the identity provider to judge.
    pub(super) fn is_jwt(&self, token: &str) -> bool {
        self.shared.jwt.is_some() && looks_like_jwt(token)
    }

    /// Verifies a token of the identity provider. A user without an account is
    /// [`SignInError::NewSubject`].
    pub(super) async fn verify_jwt(&self, token: &str) -> Result<SignedIn, SignInError> {
        let Some(verifier) = &self.shared.jwt else { return Err(SignInError::NotAccepted) };
        let claims = verifier.verify(token).await.map_err(|error| {
            // neither the token nor a claim is in the text
            tracing::info!(%error, "a token of the identity provider was refused");
            metrics::sign_in(metrics::SignIn::TokenRefused);
            SignInError::NotAccepted
        })?;
        // never by name: a claim could name any account of this server
        match self.store().by_subject(claims.subject.clone()).await? {
            Some(account) if account.disabled_at.is_some() => Err(SignInError::Disabled),
            Some(account) => Ok(signed_in(account, &claims)),
            None => Err(SignInError::NewSubject(Box::new(claims))),
        }
    }

    /// Creates the account of a user of the identity provider, under the name that the client has
    /// chosen, or else the one in the token. The caller has to end the guests who have it.
    pub(crate) async fn create_for_subject(
        &self,
        claims: &JwtClaims,
        chosen: Option<&Username>,
    ) -> Result<SignedIn, NewSubjectError> {
        let named = claims.username.as_deref().and_then(|name| Username::parse(name).ok());
        let username = chosen.cloned().or(named).ok_or(NewSubjectError::NoName)?;
        let new = NewAccount::new(username, Timestamp::now()).with_subject(claims.subject.clone());
        match self.create(new).await {
            Ok(account) => {
                metrics::registered();
                tracing::info!(user = %account.id, username = %account.username, "a user of the identity provider has an account now");
                Ok(signed_in(account, claims))
            }
            // another connection of the same user was faster
            Err(CreateError::SubjectTaken) => {
                let found = self.store().by_subject(claims.subject.clone()).await;
                let found = found.map_err(|error| NewSubjectError::Failed(error.into()))?;
                found
                    .map(|account| signed_in(account, claims))
                    .ok_or(NewSubjectError::Failed(SignInError::NotAccepted))
            }
            Err(CreateError::NameTaken(_)) => Err(NewSubjectError::NameTaken),
            Err(CreateError::Store(error)) => Err(NewSubjectError::Failed(error.into())),
            Err(_) => Err(NewSubjectError::Failed(SignInError::NotAccepted)),
        }
    }
}

fn signed_in(account: Account, claims: &JwtClaims) -> SignedIn {
    SignedIn { account, credential: Credential::Jwt { expires_at: claims.expires_at } }
}
