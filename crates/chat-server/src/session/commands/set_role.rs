//! `set_role`: gives a user a role in a room, or takes it away.

use chat_access::{ActKind, Action, Doer, NewAct, Person, Scope};
use chat_protocol::v2::{ErrorCode, ServerFrame, SetRole};
use chat_protocol::{Reference, RoomRole, UserId};

use crate::session::Session;
use crate::session::moderation::{Acting, NotDone, carry_out, find};

impl Session {
    pub(super) fn set_role(&mut self, SetRole { room, user, role }: SetRole, reference: Option<Reference>) {
        self.act(&room, reference, |acting| change(acting, user, role));
    }
}

async fn change(acting: Acting, target: UserId, role: Option<RoomRole>) -> Result<ServerFrame, NotDone> {
    let is_self = *acting.user.id() == target;
    // whoever may give no role learns nothing about who is known here
    match acting.member.check(Action::GiveRole(RoomRole::Member)) {
        Some(Err(denied)) if !is_self => {
            return Err(NotDone::Refused(ErrorCode::Forbidden, denied.to_string()));
        }
        Some(_) => {}
        // removed a moment ago
        None => return Err(NotDone::not_in_room(acting.room())),
    }
    let target = find(&acting.context, &target).await?.ok_or_else(NotDone::no_such_user)?;
    let (scope, by) = (Scope::Room(acting.room().clone()), Doer::User(Person::from(&*acting.user)));
    carry_out(&acting.context, NewAct::new(scope, by, ActKind::SetRole(role), target)).await
}
