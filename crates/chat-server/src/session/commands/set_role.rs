//! `set_role`: gives a user a role in a room, or takes it away.

use chat_access::{ActKind, Action, NewAct, Scope};
use chat_protocol::v2::{ServerFrame, SetRole};
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
    if !is_self {
        acting.may(Action::GiveRole(RoomRole::Member))?;
    } else if !acting.member.is_member() {
        return Err(NotDone::not_in_room(acting.room()));
    }
    let target = find(&acting.context, &target).await?.ok_or_else(NotDone::no_such_user)?;
    // whoever is not here has to accept an invitation
    if !acting.knows(&target).await? {
        return Err(NotDone::no_such_user());
    }
    let (scope, by) = (Scope::Room(acting.room().clone()), acting.doer());
    carry_out(&acting.context, NewAct::new(scope, by, ActKind::SetRole(role), target)).await
}
