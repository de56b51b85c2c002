//! `create_room`: registers a room.

use chat_access::{ActKind, Doer, NewAct, Person, Scope};
use chat_protocol::Reference;
use chat_protocol::v2::{Ack, CreateRoom, ErrorCode, ServerFrame};

use crate::session::Session;
use crate::session::commands::configure_room::{Change, configure};
use crate::session::moderation::{Acting, NotDone};

impl Session {
    pub(super) fn create_room(&mut self, create: CreateRoom, reference: Option<Reference>) {
        let CreateRoom { room, join, post, slow_mode_s, mention_room } = create;
        let change = Change { join, post, slow_mode_s, mention_room };
        self.act(&room, reference, |acting| register(acting, change));
    }
}

async fn register(acting: Acting, change: Change) -> Result<ServerFrame, NotDone> {
    change.check()?;
    let Acting { context, user, .. } = &acting;
    if context.accounts.is_none() {
        let message = "this server has no accounts, so rooms have no owners";
        return Err(NotDone::Refused(ErrorCode::Forbidden, message.to_owned()));
    }
    let person = Person::from(&**user);
    let (scope, by) = (Scope::Room(acting.room().clone()), Doer::User(person.clone()));
    context.engine.register(NewAct::new(scope, by, ActKind::Register, person)).await?;
    // the user is the owner now
    let seq = if change.is_empty() { None } else { configure(&acting, change).await? };
    let (room, stored) = (acting.room().clone(), context.engine.is_durable());
    Ok(ServerFrame::Ack(Ack { reference: None, room, seq, id: None, sent_at: None, stored }))
}
