//! `close_report`: closes a report.

use chat_access::{Action, Named};
use chat_protocol::v2::{ErrorCode, ServerFrame};
use chat_protocol::{Reference, RoomName};

use crate::session::Session;
use crate::session::moderation::{Acting, DONE, NotDone};

impl Session {
    pub(super) fn close_report(&mut self, room: &RoomName, number: u64, reference: Option<Reference>) {
        self.act(room, reference, move |acting| close(acting, number));
    }
}

async fn close(acting: Acting, number: u64) -> Result<ServerFrame, NotDone> {
    acting.may(Action::ReadAudit)?;
    let by = Named::new(acting.user.id().clone(), acting.user.username().clone());
    let access = acting.context.engine.access();
    let closed = access.close_report(acting.room().clone(), number, Some(by)).await?;
    if closed.is_none() {
        return Err(NotDone::Refused(ErrorCode::NotFound, "there is no such open report".to_owned()));
    }
    Ok(DONE)
}
