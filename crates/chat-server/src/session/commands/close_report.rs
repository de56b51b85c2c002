//! `close_report`: closes a report.

use chat_access::{Action, Named};
use chat_protocol::v2::{ErrorCode, ServerFrame};
use chat_protocol::{Identity, Reference, Role, RoomName};

use crate::context::Context;
use crate::session::Session;
use crate::session::moderation::{DONE, NotDone};

impl Session {
    pub(super) fn close_report(&mut self, room: RoomName, number: u64, reference: Option<Reference>) {
        let is_moderator = self.state.as_ref().is_some_and(|state| state.user.role() >= Role::Moderator);
        if is_moderator {
            self.act_outside(reference, move |lists| async move {
                close(&lists.context, &lists.user, room, number).await
            });
            return;
        }
        self.act(&room.clone(), reference, move |acting| async move {
            acting.may(Action::ReadAudit)?;
            close(&acting.context, &acting.user, room, number).await
        });
    }
}

async fn close(
    context: &Context,
    user: &Identity,
    room: RoomName,
    number: u64,
) -> Result<ServerFrame, NotDone> {
    let by = Named::new(user.id().clone(), user.username().clone());
    if context.engine.access().close_report(room, number, Some(by)).await?.is_none() {
        return Err(NotDone::Refused(ErrorCode::NotFound, "there is no such open report".to_owned()));
    }
    Ok(DONE)
}
