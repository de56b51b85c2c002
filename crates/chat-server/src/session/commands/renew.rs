//! `renew`: continues the session with another token of the same user.

use chat_protocol::Reference;
use chat_protocol::v2::{ErrorCode, Renewed, ServerFrame};
use futures::FutureExt;

use crate::accounts::SignInError;
use crate::session::list::Lists;
use crate::session::{Busy, Done, Session, error_frame};

impl Session {
    pub(super) fn renew(&mut self, token: String, reference: Option<Reference>) {
        let Some(Lists { context, accounts, user, .. }) = self.lists(reference.as_ref()) else { return };
        let session = self.number();
        let work = async move {
            let answer = match accounts.authenticate(&token).await {
                Ok(signed_in) if signed_in.account.id == *user.id() => {
                    let expires_at = signed_in.credential.expires_at();
                    context.sessions.set_credential(user.id(), session, &signed_in.credential);
                    ServerFrame::Renewed(Renewed { reference, expires_at })
                }
                Ok(_) => error_frame(reference, ErrorCode::Forbidden, "the token belongs to another user"),
                Err(ref error @ SignInError::Store(ref cause)) => {
                    context.log_accounts_failure(cause);
                    error_frame(reference, ErrorCode::StoreUnavailable, error.to_string())
                }
                // the session goes on until its own token expires
                Err(error) => error_frame(reference, ErrorCode::Unauthorized, error.to_string()),
            };
            Done::Answered(Box::new(answer))
        };
        self.busy = Some(Busy::Working(work.boxed()));
    }
}
