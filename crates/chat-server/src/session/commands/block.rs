//! `block`: silences a user for the user of the session, or lets it be heard again.

use chat_accounts::{AddError, MAX_BLOCKED};
use chat_protocol::v2::{Blocked, BlockedUser, Dropped, ErrorCode, ServerFrame};
use chat_protocol::{Reference, UserId};

use crate::session::Session;
use crate::session::list::Lists;
use crate::session::moderation::{DONE, NotDone, find};

impl Session {
    pub(super) fn block(&mut self, user: UserId, on: bool, reference: Option<Reference>) {
        self.act_outside(reference, move |lists| change(lists, user, on));
    }
}

async fn change(lists: Lists, other: UserId, on: bool) -> Result<ServerFrame, NotDone> {
    let Lists { context, accounts, list, user } = lists;
    if other == *user.id() {
        return Err(NotDone::Refused(ErrorCode::Forbidden, "you cannot block yourself".to_owned()));
    }
    let username = find(&context, &other).await?.map(|person| person.username);
    // an account that was deleted since can still be taken off the list
    if on && !other.is_guest() && username.is_none() {
        return Err(NotDone::no_such_user());
    }
    let (store, account) = (accounts.store(), user.id().clone());
    if on {
        store.block(account, other.clone(), username.clone()).await.map_err(not_blocked)?;
    } else {
        store.unblock(account, other.clone()).await.map_err(NotDone::failed)?;
    }
    list.set_blocked(other.clone(), on);
    let blocked = Blocked { user: BlockedUser { user: other.clone(), username }, on };
    context.sessions.send_to_user(user.id(), &ServerFrame::Blocked(blocked));
    let direct = context.engine.access().direct([user.id().clone(), other]).await?;
    match direct {
        Some(room) if on => {
            let dropped = ServerFrame::Dropped(Dropped { reference: None, room });
            context.sessions.send_to_user(user.id(), &dropped);
        }
        Some(room) => context.list_room(user.id(), &room).await?,
        None => {}
    }
    // what was written before was counted with it
    list.count_again(&accounts, &context.engine).await?;
    Ok(DONE)
}

fn not_blocked(error: AddError) -> NotDone {
    match error {
        AddError::LimitReached { .. } => {
            NotDone::Refused(ErrorCode::LimitReached, format!("you can block at most {MAX_BLOCKED} users"))
        }
        AddError::NoAccount => NotDone::no_such_user(),
        error => NotDone::failed(error),
    }
}
