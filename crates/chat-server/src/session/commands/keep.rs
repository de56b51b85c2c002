//! `keep`: keeps a room in the list of the user.

use std::sync::Arc;

use chat_accounts::{AddError, RoomChange};
use chat_protocol::v2::{Dropped, ErrorCode, Keep, Kept, ServerFrame};
use chat_protocol::{Identity, Reference};
use futures::FutureExt;

use crate::accounts::Accounts;
use crate::context::Context;
use crate::context::inbox::{ListError, ListHandle};
use crate::session::{Busy, Done, Session, answer_with, error_frame};

impl Session {
    pub(super) fn keep(&mut self, keep: Keep, reference: Option<Reference>) {
        let Some((accounts, list, user)) = self.list(reference.as_ref()) else { return };
        let (context, session) = (Arc::clone(&self.context), self.number());
        let work = async move {
            let changed = change(&context, &accounts, &list, &user, keep).await;
            let answer = match changed {
                Ok(frame) => {
                    context.sessions.send_to_others(user.id(), session, &frame);
                    answer_with(frame, reference)
                }
                Err(AddError::LimitReached { max }) => {
                    let message = format!("a list has at most {max} rooms");
                    error_frame(reference, ErrorCode::LimitReached, message)
                }
                Err(AddError::NoAccount) => {
                    error_frame(reference, ErrorCode::Forbidden, "the account does not exist")
                }
                Err(error) => {
                    context.log_accounts_failure(&error);
                    let message = "storage is unavailable; try again later";
                    error_frame(reference, ErrorCode::StoreUnavailable, message)
                }
            };
            Done::Answered(Box::new(answer))
        };
        self.busy = Some(Busy::Working(work.boxed()));
    }
}

async fn change(
    context: &Context,
    accounts: &Accounts,
    list: &ListHandle,
    user: &Identity,
    Keep { room, favourite, notify }: Keep,
) -> Result<ServerFrame, AddError> {
    if favourite == Some(false) {
        accounts.store().drop_room(user.id().clone(), room.clone()).await?;
        list.remove(&room);
        return Ok(ServerFrame::Dropped(Dropped { reference: None, room }));
    }
    let in_store = |error: ListError| match error {
        ListError::Accounts(error) => AddError::from(error),
        ListError::History(error) => chat_accounts::StoreError::other(error).into(),
    };
    // a new entry is read up to the newest message
    let newest = context.engine.count_after(&room, u64::MAX, Vec::new(), 0).await;
    let newest = newest.map_err(|error| in_store(error.into()))?.newest;
    let mut change = RoomChange::new(context.engine.epoch(), newest).favourite(true);
    if let Some(notify) = notify {
        change = change.notify(notify);
    }
    let entry = accounts.store().keep(user.id().clone(), room, change).await?;
    let entry = list.put(entry, &context.engine).await.map_err(in_store)?;
    Ok(ServerFrame::Kept(Kept { reference: None, entry }))
}
