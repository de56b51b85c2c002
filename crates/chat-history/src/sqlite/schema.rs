//! The tables, and rows as messages.

use std::collections::HashMap;
use std::sync::Arc;

use chat_db::DbError;
use chat_protocol::{Content, Message, RoomName, Timestamp, Username};
use diesel::prelude::*;

use crate::HistoryError;

diesel::table! {
    rooms (id) {
        id -> BigInt,
        name -> Text,
        next_seq -> BigInt,
        first_seq -> BigInt,
    }
}

diesel::table! {
    messages (place) {
        place -> BigInt,
        username -> Text,
        id -> Text,
        body -> Nullable<Text>,
        sent_at -> BigInt,
    }
}

diesel::table! {
    message_ids (n) {
        n -> BigInt,
        room_id -> BigInt,
        username -> Text,
        message_id -> Text,
        seq -> BigInt,
        sent_at -> BigInt,
    }
}

diesel::table! {
    history_epoch (id) {
        id -> BigInt,
        epoch -> Text,
        checks -> BigInt,
    }
}

/// How many bits of a place are the number in the room; those above are the room's id.
const SEQ_BITS: u32 = 40;

/// The highest number that a message can have.
const LAST_SEQ: i64 = (1 << SEQ_BITS) - 1;

/// The highest id of a room that can have messages.
const LAST_ROOM: i64 = i64::MAX >> SEQ_BITS;

/// Where a message lies in the table.
pub(super) fn place(room_id: i64, seq: i64) -> i64 {
    (room_id << SEQ_BITS) + seq
}

/// Whether there is such a place.
pub(super) fn has_place(room_id: i64, seq: i64) -> bool {
    (1..=LAST_ROOM).contains(&room_id) && (1..=LAST_SEQ).contains(&seq)
}

/// The number of the message that lies there.
pub(super) fn seq_at(place: i64) -> i64 {
    place & LAST_SEQ
}

/// The id of the room that it lies in.
pub(super) fn room_at(place: i64) -> i64 {
    place >> SEQ_BITS
}

/// A number as others see it. There are none below 0, unless somebody has put one into the table.
pub(super) fn unsigned(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or_default()
}

/// A message as it is written.
#[derive(Insertable)]
#[diesel(table_name = messages)]
pub(super) struct NewRow<'a> {
    pub(super) place: i64,
    pub(super) username: &'a str,
    pub(super) id: &'a str,
    pub(super) body: &'a str,
    pub(super) sent_at: i64,
}

/// A message as it is read.
#[derive(Queryable, Selectable)]
#[diesel(table_name = messages, check_for_backend(diesel::sqlite::Sqlite))]
pub(super) struct Row {
    place: i64,
    username: String,
    id: String,
    body: Option<String>,
    sent_at: i64,
}

impl Row {
    /// Where it lies.
    pub(super) fn place(&self) -> i64 {
        self.place
    }

    /// The bytes of its text.
    pub(super) fn size(&self) -> usize {
        self.body.as_ref().map_or(0, String::len)
    }
}

/// Turns the rows of one room into messages. Most of them are of a few people: each name is looked at once.
pub(super) struct Rows {
    room: RoomName,
    users: HashMap<String, Username>,
}

impl Rows {
    pub(super) fn of(room: RoomName) -> Self {
        Self { room, users: HashMap::new() }
    }

    /// Names in the database were validated when they were written; a row that somebody else has put there with a name that
    /// is none is a fault of the store.
    pub(super) fn message(&mut self, row: Row) -> Result<Arc<Message>, HistoryError> {
        let seq = seq_at(row.place);
        let fault = |what: &dyn std::fmt::Display| {
            HistoryError(format!("message {seq} of the room {}: {what}", self.room))
        };
        let content = match row.body {
            None => Content::Erased,
            Some(body) => {
                let from = match self.users.get(&row.username) {
                    Some(user) => user.clone(),
                    None => {
                        let user = Username::parse(&row.username).map_err(|error| fault(&error))?;
                        self.users.insert(row.username, user.clone());
                        user
                    }
                };
                Content::Said { id: row.id.parse().map_err(|error| fault(&error))?, from, body: body.into() }
            }
        };
        let (room, sent_at) = (self.room.clone(), Timestamp(row.sent_at));
        Ok(Arc::new(Message { room, seq: unsigned(seq), sent_at, content }))
    }
}

impl From<DbError> for HistoryError {
    fn from(error: DbError) -> Self {
        Self(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_a_room_lie_behind_those_of_the_one_before() {
        assert!(place(1, LAST_SEQ) < place(2, 1));
        assert_eq!(seq_at(place(LAST_ROOM, LAST_SEQ)), LAST_SEQ);
        assert_eq!(room_at(place(LAST_ROOM, LAST_SEQ)), LAST_ROOM);
        assert_eq!(room_at(place(7, 1)), 7);
        assert_eq!(place(LAST_ROOM, LAST_SEQ), i64::MAX);
        assert!(has_place(LAST_ROOM, LAST_SEQ) && has_place(1, 1));
        assert!(
            !has_place(LAST_ROOM + 1, 1)
                && !has_place(1, LAST_SEQ + 1)
                && !has_place(0, 1)
                && !has_place(1, 0)
        );
    }
}
