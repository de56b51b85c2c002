//! What the commands of moderators and owners share.

use std::sync::Arc;

use chat_access::{ActError, NewAct, Person, Refused};
use chat_log::Passed;
use chat_protocol::v2::{Done as DoneFrame, ErrorCode, ServerFrame};
use chat_protocol::{Identity, Reference, RoomName, UserId};
use chat_rooms::{Membership, RegisterError};
use futures::FutureExt;

use crate::admission::client_log::LogKind;
use crate::context::Context;
use crate::session::{Busy, Done, STORAGE_UNAVAILABLE, Session, error_frame};

/// Why an act is not carried out.
pub(super) enum NotDone {
    Refused(ErrorCode, String),
    /// A store failed.
    Failed(String),
}

impl From<ActError> for NotDone {
    fn from(error: ActError) -> Self {
        match error {
            ActError::Refused(refused @ Refused::LimitReached) => {
                Self::Refused(ErrorCode::LimitReached, refused.to_string())
            }
            ActError::Refused(refused) => Self::Refused(ErrorCode::Forbidden, refused.to_string()),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<RegisterError> for NotDone {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Act(error) => error.into(),
            error => Self::Refused(ErrorCode::Forbidden, error.to_string()),
        }
    }
}

impl NotDone {
    /// The session has left the room, or was removed from it.
    pub(super) fn not_in_room(room: &RoomName) -> Self {
        Self::Refused(ErrorCode::NotInRoom, format!("you are not in the room \"{room}\""))
    }

    /// The user of whom a command speaks is not known.
    pub(super) fn no_such_user() -> Self {
        Self::Refused(ErrorCode::NotFound, "there is no such user here".to_owned())
    }
}

/// Who acts, and where.
pub(super) struct Acting {
    pub(super) context: Arc<Context>,
    pub(super) user: Arc<Identity>,
    pub(super) member: Arc<Membership>,
}

impl Acting {
    pub(super) fn room(&self) -> &RoomName {
        &self.member.member().room
    }
}

impl Session {
    /// Does something in a room that the session has joined, and answers with the frame.
    pub(super) fn act<F>(
        &mut self,
        room: &RoomName,
        reference: Option<Reference>,
        act: impl FnOnce(Acting) -> F,
    ) where
        F: Future<Output = Result<ServerFrame, NotDone>> + Send + 'static,
    {
        let Some(member) = self.member(room, reference.as_ref()) else { return };
        let Some(state) = &self.state else { return };
        let (context, user) = (Arc::clone(&self.context), Arc::clone(&state.user));
        let acting = act(Acting { context: Arc::clone(&context), user, member });
        let work = async move {
            let answer = match acting.await {
                Ok(ServerFrame::Done(_)) => ServerFrame::Done(DoneFrame { reference }),
                Ok(ServerFrame::Ack(ack)) => ServerFrame::Ack(chat_protocol::v2::Ack { reference, ..ack }),
                Ok(ServerFrame::Roles(page)) => {
                    ServerFrame::Roles(chat_protocol::v2::RolesPage { reference, ..page })
                }
                Ok(frame) => frame,
                Err(NotDone::Refused(code, message)) => error_frame(reference, code, message),
                Err(NotDone::Failed(error)) => {
                    if let Some(Passed { suppressed }) = context.log.pass(LogKind::Acts) {
                        tracing::warn!(error, suppressed, "what a moderator does can't be stored");
                    }
                    error_frame(reference, ErrorCode::StoreUnavailable, STORAGE_UNAVAILABLE)
                }
            };
            Done::Answered(Box::new(answer))
        };
        self.busy = Some(Busy::Working(work.boxed()));
    }
}

/// The user with this id, if it is connected or has an account.
pub(super) async fn find(context: &Context, id: &UserId) -> Result<Option<Person>, NotDone> {
    context.person(id).await.map_err(|error| NotDone::Failed(error.to_string()))
}

/// Carries out an act. The answer is without its reference.
pub(super) async fn carry_out(context: &Context, act: NewAct) -> Result<ServerFrame, NotDone> {
    context.act(act).await?;
    Ok(ServerFrame::Done(DoneFrame { reference: None }))
}
