//! The tables, and the conversion of rows to messages.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chat_protocol::{
    Content, DeletedBy, Mention, Message, ReplyTo, RoomName, Text, Timestamp, UserId, Username,
};
use diesel::prelude::*;

use super::from_stored;
use crate::{HistoryError, HistoryErrorKind};

diesel::table! {
    rooms (id) {
        id -> BigInt,
        name -> Text,
        next_seq -> BigInt,
        first_seq -> BigInt,
        message_count -> BigInt,
        settings -> Nullable<Text>,
        policy_version -> BigInt,
        is_public -> Bool,
    }
}

diesel::table! {
    messages (row_key) {
        #[sql_name = "place"]
        row_key -> BigInt,
        username -> Text,
        id -> Text,
        body -> Nullable<Text>,
        sent_at -> BigInt,
        user -> Text,
        #[sql_name = "changed"]
        change_key -> Nullable<BigInt>,
        deleted_by -> Nullable<Text>,
        edited_at -> Nullable<BigInt>,
        reply_to -> Nullable<BigInt>,
        reply_user -> Nullable<Text>,
        reply_username -> Nullable<Text>,
        mentions -> Nullable<Text>,
    }
}

diesel::table! {
    reactions (row_key, user, emoji) {
        #[sql_name = "place"]
        row_key -> BigInt,
        user -> Text,
        emoji -> Text,
        username -> Text,
    }
}

diesel::table! {
    reaction_counts (row_key, emoji) {
        #[sql_name = "place"]
        row_key -> BigInt,
        emoji -> Text,
        first_seq -> BigInt,
        count -> BigInt,
        names -> Text,
    }
}

diesel::table! {
    mentions (row_key, user) {
        #[sql_name = "place"]
        row_key -> BigInt,
        user -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(messages, mentions);

diesel::table! {
    message_ids (n) {
        n -> BigInt,
        room_id -> BigInt,
        username -> Text,
        message_id -> Text,
        seq -> BigInt,
        sent_at -> BigInt,
        user -> Nullable<Text>,
        digest -> Nullable<BigInt>,
    }
}

diesel::table! {
    history_epoch (id) {
        id -> BigInt,
        epoch -> Text,
        checks -> BigInt,
    }
}

/// How many bits of a row key are the number in the room. The higher bits are the id of the room.
const SEQ_BITS: u32 = 40;

/// The highest number of a message.
const MAX_SEQ: i64 = (1 << SEQ_BITS) - 1;

/// The highest id of a room that can have messages.
const MAX_ROOM: i64 = i64::MAX >> SEQ_BITS;

/// The row key of a message, and the change key of a message that the event `seq` has changed.
pub(crate) fn row_key(room_id: i64, seq: i64) -> i64 {
    (room_id << SEQ_BITS) + seq
}

/// Whether there is a row key for this number.
pub(crate) fn is_valid(room_id: i64, seq: i64) -> bool {
    (1..=MAX_ROOM).contains(&room_id) && (1..=MAX_SEQ).contains(&seq)
}

/// The number in this key.
pub(crate) fn seq_of(row_key: i64) -> i64 {
    row_key & MAX_SEQ
}

/// The id of the room in this key.
pub(crate) fn room_of(row_key: i64) -> i64 {
    row_key >> SEQ_BITS
}

/// A number as the API has it. Negative numbers occur only if another program has written them.
pub(crate) fn unsigned(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or_default()
}

/// A number as the database has it.
pub(crate) fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// The value for the column `mentions`: ids, which contain no spaces.
pub(crate) fn mentions_text(mentions: &[Mention]) -> String {
    mentions.iter().map(Mention::as_str).collect::<Vec<_>>().join(" ")
}

/// A message row.
#[derive(Queryable, Selectable)]
#[diesel(table_name = messages, check_for_backend(super::Backend))]
pub(crate) struct Row {
    row_key: i64,
    user: String,
    username: String,
    id: String,
    body: Option<String>,
    sent_at: i64,
    change_key: Option<i64>,
    deleted_by: Option<String>,
    edited_at: Option<i64>,
    reply_to: Option<i64>,
    reply_user: Option<String>,
    reply_username: Option<String>,
    mentions: Option<String>,
}

impl Row {
    /// The key of the row.
    pub(crate) fn row_key(&self) -> i64 {
        self.row_key
    }

    /// Whether the message may have reactions: each one has changed it.
    pub(crate) fn may_have_reactions(&self) -> bool {
        self.change_key.is_some() && self.body.is_some()
    }

    /// The size of the text in bytes.
    pub(crate) fn size(&self) -> usize {
        self.body.as_ref().map_or(0, String::len)
    }
}

/// Converts the rows of one room to messages. Most rows belong to a few users, so each id and each
/// name is validated once.
pub(crate) struct Rows {
    room: RoomName,
    users: HashMap<String, UserId>,
    names: HashMap<String, Username>,
}

impl Rows {
    pub(crate) fn of_room(room: RoomName) -> Self {
        Self { room, users: HashMap::new(), names: HashMap::new() }
    }

    /// Ids and names in the database were validated when they were written. A row with an invalid
    /// one was written by another program, and is reported as damaged.
    pub(crate) fn message(&mut self, row: Row) -> Result<Message, HistoryError> {
        let seq = seq_of(row.row_key);
        let fault = |what: &dyn fmt::Display| {
            let text = format!("message {seq} of the room {}: {what}", self.room);
            HistoryError::new(HistoryErrorKind::Damaged, text)
        };
        let content = match row.body {
            None => Content::Deleted { by: deleted_by(row.deleted_by.as_deref()) },
            Some(body) => {
                let user = parsed(&mut self.users, row.user).map_err(|error| fault(&error))?;
                let from = parsed(&mut self.names, row.username).map_err(|error| fault(&error))?;
                let id = from_stored(row.id).parse().map_err(|error| fault(&error))?;
                let mut text = Text::new(id, user, from, from_stored(body));
                text.edited_at = row.edited_at.map(Timestamp::from_millis);
                if let (Some(seq), Some(user), Some(from)) =
                    (row.reply_to, row.reply_user, row.reply_username)
                {
                    let user = parsed(&mut self.users, user).map_err(|error| fault(&error))?;
                    let from = parsed(&mut self.names, from).map_err(|error| fault(&error))?;
                    text.reply_to = Some(Arc::new(ReplyTo { seq: unsigned(seq), from, user }));
                }
                if let Some(mentions) = row.mentions {
                    let mentions = mentions.split(' ').map(str::parse).collect::<Result<Vec<_>, _>>();
                    text.mentions = Some(mentions.map_err(|error| fault(&error))?.into());
                }
                Content::Text(text)
            }
        };
        let (room, sent_at) = (self.room.clone(), Timestamp::from_millis(row.sent_at));
        let mut message = Message::new(room, unsigned(seq), sent_at, content);
        message.changed_seq = row.change_key.map(|key| unsigned(seq_of(key)));
        Ok(message)
    }
}

/// What the column `deleted_by` has for each kind of deletion.
const DELETED_BY: [(DeletedBy, &str); 3] =
    [(DeletedBy::Author, "author"), (DeletedBy::Moderator, "moderator"), (DeletedBy::Operator, "operator")];

/// The value for the column `deleted_by`.
pub(crate) fn deleted_by_text(by: DeletedBy) -> &'static str {
    DELETED_BY.iter().find(|(known, _)| *known == by).map_or("operator", |(_, text)| text)
}

/// Rows from before messages had this column were erased by the operator.
fn deleted_by(text: Option<&str>) -> DeletedBy {
    let known = DELETED_BY.iter().find(|(_, known)| Some(*known) == text);
    known.map_or(DeletedBy::Operator, |(by, _)| *by)
}

/// The value of a text, which is parsed once.
fn parsed<T: FromStr + Clone>(known: &mut HashMap<String, T>, text: String) -> Result<T, T::Err> {
    if let Some(value) = known.get(&text) {
        return Ok(value.clone());
    }
    let value: T = text.parse()?;
    known.insert(text, value.clone());
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_keys_are_ordered_by_room_and_number() {
        assert!(row_key(1, MAX_SEQ) < row_key(2, 1));
        assert_eq!(seq_of(row_key(MAX_ROOM, MAX_SEQ)), MAX_SEQ);
        assert_eq!(room_of(row_key(MAX_ROOM, MAX_SEQ)), MAX_ROOM);
        assert_eq!(room_of(row_key(7, 1)), 7);
        assert_eq!(row_key(MAX_ROOM, MAX_SEQ), i64::MAX);
        assert!(is_valid(MAX_ROOM, MAX_SEQ) && is_valid(1, 1));
        assert!(
            !is_valid(MAX_ROOM + 1, 1) && !is_valid(1, MAX_SEQ + 1) && !is_valid(0, 1) && !is_valid(1, 0)
        );
    }
}
