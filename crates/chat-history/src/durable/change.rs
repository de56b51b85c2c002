//! Changes of stored messages: edits and deletions.

use std::sync::Arc;

use chat_protocol::{Content, DeletedBy, Deletion, Edit, Message, Timestamp};
use diesel::prelude::*;

use super::read;
use super::room::Room;
use super::schema::{
    deleted_by_text, mentions, mentions_text, messages, reaction_counts, reactions, row_key, seq_of, signed,
    unsigned,
};
use super::{DbConnection, overwriting, to_stored};
use crate::{AppendError, Appended, NewDeletion, NewEdit, Permission, StoredEvent};

/// Replaces the text of a message. The target has to be in the table if it exists.
pub(crate) fn edit(
    connection: &mut DbConnection,
    room: &mut Room,
    edit: &NewEdit,
    now: Timestamp,
) -> QueryResult<Result<Appended, AppendError>> {
    let target = signed(edit.target);
    if target >= room.next_seq {
        return Ok(Err(AppendError::NotFound));
    }
    let row_key = row_key(room.id, target);
    let before = match read::message(connection, &edit.room, row_key)? {
        Ok(Some(message)) => message,
        Ok(None) => return Ok(Err(AppendError::NotFound)),
        Err(error) => return Ok(Err(error.into())),
    };
    let named = &edit.mentions.named;
    let after = before.edited(Arc::clone(&edit.body), named.clone(), now, unsigned(room.next_seq));
    let (Some(text), Some(after)) = (before.text(), after) else { return Ok(Err(AppendError::NotFound)) };
    if !edit.authors.contains(&text.user) {
        return Ok(Err(AppendError::NotAuthor));
    }
    if edit.is_late(before.sent_at, now) {
        return Ok(Err(AppendError::TooLate));
    }
    if let Err(reason) = Permission::check(edit.permission, unsigned(room.policy_version)) {
        return Ok(Err(reason.into_error(edit.clone())));
    }
    if text.body == edit.body {
        return Ok(Ok(Appended::Unchanged));
    }
    let change = (
        messages::body.eq(to_stored(&edit.body)),
        messages::mentions.eq(named.as_deref().map(mentions_text)),
        messages::edited_at.eq(now.as_millis()),
        messages::change_key.eq(super::schema::row_key(room.id, room.next_seq)),
    );
    overwriting(connection, |connection| {
        diesel::update(messages::table.find(row_key)).set(change).execute(connection)
    })?;
    diesel::delete(mentions::table.filter(mentions::row_key.eq(row_key))).execute(connection)?;
    for user in edit.mentions.all() {
        address(connection, row_key, user)?;
    }
    let seq = unsigned(room.next_seq);
    room.next_seq += 1;
    Ok(Ok(Appended::Stored(StoredEvent::Edit(Arc::new(Edit::new(seq, Arc::new(after)))))))
}

/// Deletes messages: their text, author and id are overwritten with zeros in the file. The targets
/// have to be in the table if they exist.
pub(crate) fn delete(
    connection: &mut DbConnection,
    room: &mut Room,
    deletion: NewDeletion,
) -> QueryResult<Result<Appended, AppendError>> {
    let numbers =
        deletion.targets.iter().map(|target| signed(*target)).filter(|number| *number < room.next_seq);
    let row_keys: Vec<_> = numbers.map(|number| row_key(room.id, number)).collect();
    let found: Vec<(i64, i64, String, bool)> = messages::table
        .filter(messages::row_key.eq_any(row_keys))
        .order(messages::row_key)
        .select((messages::row_key, messages::sent_at, messages::user, messages::body.is_null()))
        .load(connection)?;
    if found.is_empty() {
        return Ok(Err(AppendError::NotFound));
    }
    let found: Vec<_> = found.into_iter().filter(|(.., is_deleted)| !is_deleted).collect();
    if found.is_empty() {
        return Ok(Ok(Appended::Unchanged));
    }
    let is_own = found.iter().all(|(_, _, user, _)| deletion.is_author(user));
    let by = match deletion.deleted_by(is_own, unsigned(room.policy_version)) {
        Ok(by) => by,
        Err(error) => return Ok(Err(error)),
    };
    let name = deletion.room;
    let seq = room.next_seq;
    overwriting(connection, |connection| clear(connection, room, &found, by))?;
    room.next_seq += 1;
    let state = |(key, sent_at, ..): (i64, i64, String, bool)| {
        let (number, sent_at) = (unsigned(seq_of(key)), Timestamp::from_millis(sent_at));
        let mut message = Message::new(name.clone(), number, sent_at, Content::Deleted { by });
        message.changed_seq = Some(unsigned(seq));
        Arc::new(message)
    };
    let deleted = found.into_iter().map(state).collect();
    let deletion = Deletion::new(name.clone(), unsigned(seq), by, deleted);
    Ok(Ok(Appended::Stored(StoredEvent::Deletion(Arc::new(deletion)))))
}

/// Clears the rows of these messages.
fn clear(
    connection: &mut DbConnection,
    room: &Room,
    found: &[(i64, i64, String, bool)],
    by: DeletedBy,
) -> QueryResult<usize> {
    let row_keys: Vec<_> = found.iter().map(|(key, ..)| *key).collect();
    diesel::delete(mentions::table.filter(mentions::row_key.eq_any(&row_keys))).execute(connection)?;
    diesel::delete(reactions::table.filter(reactions::row_key.eq_any(&row_keys))).execute(connection)?;
    let counts = reaction_counts::table.filter(reaction_counts::row_key.eq_any(&row_keys));
    diesel::delete(counts).execute(connection)?;
    let nothing = (
        messages::body.eq(None::<String>),
        messages::user.eq(""),
        messages::username.eq(""),
        messages::id.eq(""),
        messages::edited_at.eq(None::<i64>),
        messages::reply_to.eq(None::<i64>),
        messages::reply_user.eq(None::<String>),
        messages::reply_username.eq(None::<String>),
        messages::mentions.eq(None::<String>),
        messages::change_key.eq(row_key(room.id, room.next_seq)),
        messages::deleted_by.eq(deleted_by_text(by)),
    );
    diesel::update(messages::table.filter(messages::row_key.eq_any(row_keys)))
        .set(nothing)
        .execute(connection)
}

/// Inserts one user whom a message addresses.
pub(crate) fn address(connection: &mut DbConnection, row_key: i64, user: &str) -> QueryResult<()> {
    // a user may be named and counted
    diesel::insert_into(mentions::table)
        .values((mentions::row_key.eq(row_key), mentions::user.eq(user)))
        .on_conflict_do_nothing()
        .execute(connection)
        .map(drop)
}
