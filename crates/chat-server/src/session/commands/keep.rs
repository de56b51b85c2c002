//! `keep`: keeps a room in the list of the user.

use chat_accounts::{AddError, RoomChange};
use chat_protocol::Reference;
use chat_protocol::v2::{Dropped, ErrorCode, Keep, Kept, ServerFrame};

use crate::context::inbox::newest;
use crate::session::Session;
use crate::session::list::{Lists, NotChanged, readable};

impl Session {
    pub(super) fn keep(&mut self, keep: Keep, reference: Option<Reference>) {
        self.change_list(reference, |lists| change(lists, keep));
    }
}

async fn change(
    Lists { context, accounts, list, user }: Lists,
    Keep { room, favourite, notify }: Keep,
) -> Result<ServerFrame, NotChanged> {
    if favourite == Some(false) {
        accounts.store().drop_room(user.id().clone(), room.clone()).await?;
        list.remove(&room);
        return Ok(ServerFrame::Dropped(Dropped { reference: None, room }));
    }
    readable(&list, &context, &room).await?;
    // a new entry is read up to the newest message
    let newest = newest(&context.engine, &room).await?;
    let mut change = RoomChange::new(context.engine.epoch(), newest).favourite(true);
    if let Some(notify) = notify {
        change = change.notify(notify);
    }
    let entry = accounts.store().keep(user.id().clone(), room, change).await.map_err(not_kept)?;
    let entry = list.put(entry, &context.engine).await?;
    Ok(ServerFrame::Kept(Kept { reference: None, entry }))
}

fn not_kept(error: AddError) -> NotChanged {
    match error {
        AddError::LimitReached { max } => {
            NotChanged::Refused(ErrorCode::LimitReached, format!("a list has at most {max} rooms"))
        }
        AddError::NoAccount => {
            NotChanged::Refused(ErrorCode::Forbidden, "the account does not exist".to_owned())
        }
        AddError::Store(error) => error.into(),
        other => chat_accounts::StoreError::other(other).into(),
    }
}
