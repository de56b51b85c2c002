//! `create_room`: creates a private room, or registers one that has a name.

use chat_access::{ActKind, NewAct, Person, Scope};
use chat_accounts::MAX_ROOMS;
use chat_protocol::v2::{CreateRoom, ErrorCode, Removable, ServerFrame};
use chat_protocol::{Identity, Reference, RoomSettings, Visibility};

use crate::context::Context;
use crate::session::Session;
use crate::session::commands::configure_room::{Change, configure};
use crate::session::list::Lists;
use crate::session::moderation::{Acting, NotDone, ack};

impl Session {
    pub(super) fn create_room(&mut self, create: CreateRoom, reference: Option<Reference>) {
        let CreateRoom { room, title, topic, visibility, join, post, slow_mode_s, mention_room } = create;
        let (title, topic) =
            (title.map(|title| Removable(Some(title))), topic.map(|topic| Removable(Some(topic))));
        let change = Change { title, topic, visibility, join, post, slow_mode_s, mention_room };
        match room {
            Some(room) => self.act(&room, reference, |acting| register(acting, change)),
            None if change.title.is_none() => {
                let message = "the field \"title\" is missing: a room without a name needs it";
                self.error(reference, ErrorCode::MissingField, message);
            }
            None => self.act_outside(reference, |lists| create_private(lists, change)),
        }
    }
}

/// Refuses a user who may create no room.
fn may_create(context: &Context, user: &Identity) -> Result<(), NotDone> {
    if context.config().room_creation.admits(user) {
        return Ok(());
    }
    let message = "only moderators of the server create rooms here".to_owned();
    Err(NotDone::Refused(ErrorCode::Forbidden, message))
}

async fn register(acting: Acting, change: Change) -> Result<ServerFrame, NotDone> {
    change.check(Some(acting.room()))?;
    let Acting { context, user, .. } = &acting;
    may_create(context, user)?;
    if context.accounts.is_none() {
        let message = "this server has no accounts, so rooms have no owners";
        return Err(NotDone::Refused(ErrorCode::Forbidden, message.to_owned()));
    }
    let scope = Scope::Room(acting.room().clone());
    let act = NewAct::new(scope, acting.doer(), ActKind::Register, Person::from(&**user));
    context.engine.register(act).await?;
    // the user is the owner now
    Ok(acting.ack(configure(&acting, &change).await?))
}

async fn create_private(
    Lists { context, list, user, .. }: Lists,
    change: Change,
) -> Result<ServerFrame, NotDone> {
    change.check(None)?;
    may_create(&context, &user)?;
    if list.len() >= MAX_ROOMS {
        let message = format!("your list has {MAX_ROOMS} rooms: leave one of them first");
        return Err(NotDone::Refused(ErrorCode::LimitReached, message));
    }
    let settings = change.apply(&RoomSettings::default().visibility(Visibility::Private));
    let room = context.engine.create_private(Person::from(&*user), settings).await?;
    context.list_room(user.id(), &room).await?;
    Ok(ack(&context, room, None))
}
