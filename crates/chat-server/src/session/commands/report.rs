//! `report`: shows the moderators of a room a message.

use chat_access::{Named, NewReport};
use chat_protocol::v2::{ErrorCode, Report, ServerFrame};
use chat_protocol::{Reference, Timestamp};

use crate::session::Session;
use crate::session::moderation::{Acting, DONE, NotDone};

impl Session {
    pub(super) fn report(&mut self, report: Report, reference: Option<Reference>) {
        let room = report.room.clone();
        self.act(&room, reference, |acting| add(acting, report));
    }
}

async fn add(acting: Acting, Report { room, target, reason }: Report) -> Result<ServerFrame, NotDone> {
    if !acting.member.is_member() {
        return Err(NotDone::not_in_room(&room));
    }
    // an erasure that begins now erases the copy, too
    let _reporting = acting.context.reporting.read().await;
    let message = acting.context.engine.message(&room, target).await.map_err(NotDone::failed)?;
    let Some(text) = message.as_ref().and_then(|message| message.text()) else {
        return Err(NotDone::Refused(ErrorCode::NotFound, "there is no such message".to_owned()));
    };
    let by = Named::new(acting.user.id().clone(), acting.user.username().clone());
    let author = Named::new(text.user.clone(), text.from.clone());
    let (body, at) = (Some(text.body.clone()), Timestamp::now());
    acting.context.engine.access().report(NewReport { room, by, target, author, body, reason, at }).await?;
    Ok(DONE)
}
