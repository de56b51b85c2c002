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
    if favourite == Some(false) && context.decline(&user, &room).await? {
        return Ok(ServerFrame::Dropped(Dropped { reference: None, room }));
    }
    // a private room is in the list for as long as the user has a role in it
    let stays = room.is_address() && list.may_read(&room, &context.engine).await?;
    if favourite == Some(false) && !stays {
        accounts.store().drop_room(user.id().clone(), room.clone()).await?;
        list.remove(&room);
        return Ok(ServerFrame::Dropped(Dropped { reference: None, room }));
    }
    readable(&list, &context, &room).await?;
    // a new entry is read up to the newest message
    let newest = newest(&context.engine, &room).await?;
    let mut change = RoomChange::new(context.engine.epoch(), newest);
    if let Some(favourite) = if stays { favourite } else { Some(true) } {
        change = change.favourite(favourite);
    }
    if let Some(notify) = notify {
        change = change.notify(notify);
    }
    let entry = accounts.store().keep(user.id().clone(), room, change).await.map_err(not_kept)?;
    let entry = list.put(entry, &accounts, &context.engine).await?;
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
