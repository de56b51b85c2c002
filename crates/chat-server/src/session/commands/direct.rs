//! `direct`: opens the direct room with a user.

use chat_access::Named;
use chat_protocol::v2::{DirectRoom, ErrorCode, ServerFrame};
use chat_protocol::{Reference, Username};

use crate::session::Session;
use crate::session::list::Lists;
use crate::session::moderation::NotDone;

impl Session {
    pub(super) fn direct(&mut self, username: Username, reference: Option<Reference>) {
        self.act_outside(reference, |lists| open(lists, username));
    }
}

async fn open(
    Lists { context, accounts, user, .. }: Lists,
    username: Username,
) -> Result<ServerFrame, NotDone> {
    let account = accounts.store().by_username(username).await.map_err(NotDone::failed)?;
    let account = account.ok_or_else(NotDone::no_such_user)?;
    if account.id == *user.id() {
        let message = "there is no direct room with yourself".to_owned();
        return Err(NotDone::Refused(ErrorCode::Forbidden, message));
    }
    let users = [
        Named::new(user.id().clone(), user.username().clone()),
        Named::new(account.id.clone(), account.username.clone()),
    ];
    let room = context.engine.direct(users).await?;
    for user in [user.id(), &account.id] {
        context.list_room(user, &room).await?;
    }
    Ok(ServerFrame::Room(DirectRoom { reference: None, room, with: account.username, user: account.id }))
}
