//! `invite`: invites a user into a room.

use std::time::Duration;

use chat_access::{ActKind, Action, NewAct, Person, Scope};
use chat_protocol::v2::{ErrorCode, ServerFrame};
use chat_protocol::{Reference, RoomName, Timestamp, Username};

use crate::session::Session;
use crate::session::moderation::{Acting, NotDone, carry_out};

/// For how long an invitation can be accepted.
const VALID: Duration = Duration::from_secs(30 * 86_400);

impl Session {
    pub(super) fn invite(&mut self, room: &RoomName, username: Username, reference: Option<Reference>) {
        self.act(room, reference, |acting| invite(acting, username));
    }
}

async fn invite(acting: Acting, username: Username) -> Result<ServerFrame, NotDone> {
    acting.may(Action::Invite)?;
    let Some(accounts) = &acting.context.accounts else {
        let message = "this server has no accounts, so nobody can be invited";
        return Err(NotDone::Refused(ErrorCode::Forbidden, message.to_owned()));
    };
    let account = accounts.store().by_username(username).await.map_err(NotDone::failed)?;
    let account = account.ok_or_else(NotDone::no_such_user)?;
    let target = Person::from(&account.identity().map_err(NotDone::failed)?);
    let scope = Scope::Room(acting.room().clone());
    let kind = ActKind::Invite(Timestamp::now().saturating_add(VALID));
    carry_out(&acting.context, NewAct::new(scope, acting.doer(), kind, target)).await
}
