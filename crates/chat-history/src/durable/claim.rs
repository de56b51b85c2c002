//! The ids that authors have chosen, to recognise duplicates.

use std::sync::Arc;

use chat_protocol::{Message, MessageId, Timestamp, UserId, Username};
use diesel::prelude::*;

use super::DbConnection;
use super::read;
use super::schema::{row_key, unsigned};
use crate::{AppendError, Appended, HistoryError, HistoryErrorKind, NewEdit, NewMessage};

/// How long an id is recognised, in milliseconds.
pub(crate) const KEPT_FOR: i64 = 24 * 60 * 60 * 1_000;

/// The use of an id by a user, who has this name at that time.
#[derive(Clone, Copy)]
pub(crate) struct Claim<'a> {
    pub(crate) user: &'a UserId,
    pub(crate) from: &'a Username,
    pub(crate) id: &'a MessageId,
}

impl<'a> Claim<'a> {
    /// `None` if the edit has no id.
    pub(crate) fn of_edit(edit: &'a NewEdit) -> Option<Self> {
        Some(Self { user: edit.authors.first()?, from: &edit.from, id: edit.id.as_ref()? })
    }
}

/// The first message with an id.
pub(crate) struct First {
    pub(crate) seq: i64,
    /// `None` if the row is from before ids had digests.
    pub(crate) digest: Option<i64>,
    /// Whether the row has the id of the author.
    pub(crate) has_user: bool,
    pub(crate) username: String,
    pub(crate) sent_at: Timestamp,
}

impl First {
    /// The first message if it was pruned: it was the same as `message`, which repeats it, except
    /// for the name that the author had, and what it replied to. A row without a digest does not
    /// say what the text was.
    pub(crate) fn pruned(&self, message: &NewMessage) -> Result<Message, HistoryError> {
        let fault = |error| {
            let text = format!("the id of message {} of the room {}: {error}", self.seq, message.room);
            HistoryError::new(HistoryErrorKind::Damaged, text)
        };
        let from = Username::parse(&self.username).map_err(fault)?;
        let user = if self.has_user { message.user.clone() } else { UserId::unknown() };
        let first = NewMessage { user, from, ..message.clone() };
        Ok(first.numbered(unsigned(self.seq), self.sent_at, None))
    }
}

/// The result for a message whose id was used before.
pub(crate) fn duplicate(
    connection: &mut DbConnection,
    room_id: i64,
    message: &NewMessage,
    digest: i64,
    first: &First,
) -> QueryResult<Result<Appended, AppendError>> {
    if first.digest.is_some_and(|known| known != digest) {
        return Ok(Err(AppendError::IdReused));
    }
    let stored = read::message(connection, &message.room, row_key(room_id, first.seq))?;
    let stored = match stored.and_then(|stored| stored.map_or_else(|| first.pruned(message), Ok)) {
        Ok(stored) => Arc::new(stored),
        Err(error) => return Ok(Err(error.into())),
    };
    // without a digest, only the text can tell
    if first.digest.is_none() && stored.text().is_some_and(|text| text.body != message.body) {
        return Ok(Err(AppendError::IdReused));
    }
    Ok(Ok(Appended::Duplicate(stored)))
}

/// The result for an edit whose id was used before.
pub(crate) fn repeated_edit(digest: i64, first: &First) -> Result<Appended, AppendError> {
    match first.digest {
        Some(known) if known == digest => Ok(Appended::Repeated(unsigned(first.seq))),
        _ => Err(AppendError::IdReused),
    }
}
