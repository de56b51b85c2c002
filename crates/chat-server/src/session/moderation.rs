//! What the commands of moderators and owners share.

use std::sync::Arc;

use chat_access::{AccessError, ActError, Action, Denied, Doer, NewAct, Person, Refused, Scope};
use chat_log::Passed;
use chat_protocol::v2::{
    Ack, AuditPage, DirectRoom, DirectoryPage, Done as DoneFrame, Dropped, ErrorCode, InviteLinkFrame, Kept,
    Read, ReportsPage, RolesPage, ServerFrame,
};
use chat_protocol::{Identity, Reference, Role, RoomName, UserId};
use chat_rooms::{Membership, RegisterError};
use futures::FutureExt;

use crate::admission::client_log::LogKind;
use crate::context::Context;
use crate::context::inbox::ListError;
use crate::session::list::Lists;
use crate::session::{Busy, Done, STORAGE_UNAVAILABLE, Session, denied_frame, error_frame};

/// Why an act is not carried out.
pub(super) enum NotDone {
    Refused(ErrorCode, String),
    /// The rules of the room do not let the user.
    Denied(Denied),
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

impl From<AccessError> for NotDone {
    fn from(error: AccessError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<ListError> for NotDone {
    fn from(error: ListError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl NotDone {
    /// A store failed.
    pub(super) fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }

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

    /// Who acts, for an act.
    pub(super) fn doer(&self) -> Doer {
        Doer::User(Person::from(&*self.user))
    }

    /// Refuses what the user may not do in the room.
    pub(super) fn may(&self, action: Action) -> Result<(), NotDone> {
        match self.member.check(action) {
            Some(Ok(())) => Ok(()),
            Some(Err(denied)) => Err(NotDone::Denied(denied)),
            // removed a moment ago
            None => Err(NotDone::not_in_room(self.room())),
        }
    }

    /// Whether a user is in the room, or has a role there.
    pub(super) async fn knows(&self, person: &Person) -> Result<bool, NotDone> {
        let (engine, room) = (&self.context.engine, self.room());
        if engine.has_user(room, &person.id, &person.username) {
            return Ok(true);
        }
        let rules = engine.access().rules(Scope::Room(room.clone())).await?;
        Ok(rules.role([&person.id]).is_some())
    }

    /// The answer to what has changed an event of the room, without its reference.
    pub(super) fn ack(&self, seq: Option<u64>) -> ServerFrame {
        ack(&self.context, self.room().clone(), seq)
    }
}

/// The answer to what has changed a room, without its reference.
pub(super) fn ack(context: &Context, room: RoomName, seq: Option<u64>) -> ServerFrame {
    let stored = context.engine.is_durable();
    ServerFrame::Ack(Ack { reference: None, room, seq, id: None, sent_at: None, stored })
}

/// The answer to what has no other one, without its reference.
pub(super) const DONE: ServerFrame = ServerFrame::Done(DoneFrame { reference: None });

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
        self.busy = Some(Busy::Working(answer(context, acting, reference).boxed()));
    }

    /// Does something for the user, who has an account, and answers with the frame.
    pub(super) fn act_outside<F>(&mut self, reference: Option<Reference>, act: impl FnOnce(Lists) -> F)
    where
        F: Future<Output = Result<ServerFrame, NotDone>> + Send + 'static,
    {
        let Some(lists) = self.lists(reference.as_ref()) else { return };
        let context = Arc::clone(&lists.context);
        self.busy = Some(Busy::Working(answer(context, act(lists), reference).boxed()));
    }
}

/// Answers with the frame, or says why there is none.
async fn answer(
    context: Arc<Context>,
    acting: impl Future<Output = Result<ServerFrame, NotDone>>,
    reference: Option<Reference>,
) -> Done {
    let answer = match acting.await {
        Ok(frame) => with_reference(frame, reference),
        Err(NotDone::Refused(code, message)) => error_frame(reference, code, message),
        Err(NotDone::Denied(denied)) => denied_frame(reference, ErrorCode::Forbidden, denied),
        Err(NotDone::Failed(error)) => {
            if let Some(Passed { suppressed }) = context.log.pass(LogKind::Acts) {
                tracing::warn!(error, suppressed, "what a moderator does can't be stored");
            }
            error_frame(reference, ErrorCode::StoreUnavailable, STORAGE_UNAVAILABLE)
        }
    };
    Done::Answered(Box::new(answer))
}

/// The frame as the answer to the command with this `ref`.
pub(super) fn with_reference(mut frame: ServerFrame, asked: Option<Reference>) -> ServerFrame {
    match &mut frame {
        ServerFrame::Done(DoneFrame { reference })
        | ServerFrame::Ack(Ack { reference, .. })
        | ServerFrame::Roles(RolesPage { reference, .. })
        | ServerFrame::Reports(ReportsPage { reference, .. })
        | ServerFrame::Audit(AuditPage { reference, .. })
        | ServerFrame::InviteLink(InviteLinkFrame { reference, .. })
        | ServerFrame::Directory(DirectoryPage { reference, .. })
        | ServerFrame::Room(DirectRoom { reference, .. })
        | ServerFrame::Kept(Kept { reference, .. })
        | ServerFrame::Dropped(Dropped { reference, .. })
        | ServerFrame::Read(Read { reference, .. }) => *reference = asked,
        _ => {}
    }
    frame
}

/// Refuses a user who is no moderator of the server.
pub(super) fn moderates_server(user: &Identity) -> Result<(), NotDone> {
    if user.role() >= Role::Moderator {
        return Ok(());
    }
    Err(NotDone::Refused(ErrorCode::Forbidden, Refused::RankTooLow.to_string()))
}

/// The user with this id, if it is connected or has an account.
pub(super) async fn find(context: &Context, id: &UserId) -> Result<Option<Person>, NotDone> {
    context.person(id).await.map_err(|error| NotDone::Failed(error.to_string()))
}

/// Carries out an act. The answer is without its reference.
pub(super) async fn carry_out(context: &Context, act: NewAct) -> Result<ServerFrame, NotDone> {
    context.act(act).await?;
    Ok(DONE)
}
