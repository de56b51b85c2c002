//! Changes of the list of the user's rooms, which all sessions of the user are told of.

use std::sync::Arc;

use chat_access::Denied;
use chat_protocol::v2::{DenialReason, Error, ErrorCode, ServerFrame};
use chat_protocol::{Identity, Reference, RoomName};
use futures::FutureExt;

use crate::accounts::Accounts;
use crate::context::Context;
use crate::context::inbox::{ListError, ListHandle};
use crate::session::moderation::with_reference;
use crate::session::{Busy, Done, STORAGE_UNAVAILABLE, Session, error_frame};

/// What a change of the list needs.
pub(super) struct Lists {
    pub(super) context: Arc<Context>,
    pub(super) accounts: Accounts,
    pub(super) list: ListHandle,
    pub(super) user: Arc<Identity>,
}

/// Why a list was not changed.
pub(super) enum NotChanged {
    Refused(ErrorCode, String),
    Failed(ListError),
}

impl<E: Into<ListError>> From<E> for NotChanged {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Refuses a room that the user may not read.
pub(super) async fn readable(
    list: &ListHandle,
    context: &Context,
    room: &RoomName,
) -> Result<(), NotChanged> {
    if list.may_read(room, &context.engine).await? {
        return Ok(());
    }
    if room.is_address() {
        // the same for one that does not exist
        return Err(NotChanged::Refused(ErrorCode::NotFound, Denied::NotFound.to_string()));
    }
    let message = "you may not join this room".to_owned();
    Err(NotChanged::Refused(ErrorCode::Forbidden, message))
}

impl Session {
    /// The list of the user, and what is needed to change it. If the user has no account, sends an
    /// error and returns `None`.
    pub(super) fn lists(&self, reference: Option<&Reference>) -> Option<Lists> {
        let state = self.state.as_ref()?;
        match (&self.context.accounts, &state.list) {
            (Some(accounts), Some(list)) => Some(Lists {
                context: Arc::clone(&self.context),
                accounts: accounts.clone(),
                list: list.handle(),
                user: Arc::clone(&state.user),
            }),
            _ => {
                self.answer(&ServerFrame::Error(Error {
                    reference: reference.cloned(),
                    code: ErrorCode::Forbidden,
                    message: "only users with an account can do this".into(),
                    retry_after_ms: None,
                    denied: Some(DenialReason::NeedsAccount),
                    until: None,
                }));
                None
            }
        }
    }

    /// Changes the list. The frame that describes the change goes to all sessions of the user.
    pub(super) fn change_list<F>(&mut self, reference: Option<Reference>, change: impl FnOnce(Lists) -> F)
    where
        F: Future<Output = Result<ServerFrame, NotChanged>> + Send + 'static,
    {
        let Some(lists) = self.lists(reference.as_ref()) else { return };
        let (context, user, session) = (Arc::clone(&lists.context), Arc::clone(&lists.user), self.number());
        let changing = change(lists);
        let work = async move {
            let answer = match changing.await {
                Ok(frame) => {
                    context.sessions.send_to_others(user.id(), session, &frame);
                    with_reference(frame, reference)
                }
                Err(NotChanged::Refused(code, message)) => error_frame(reference, code, message),
                Err(NotChanged::Failed(error)) => {
                    context.log_accounts_failure(&error);
                    error_frame(reference, ErrorCode::StoreUnavailable, STORAGE_UNAVAILABLE)
                }
            };
            Done::Answered(Box::new(answer))
        };
        self.busy = Some(Busy::Working(work.boxed()));
    }
}
