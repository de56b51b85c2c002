//! Rows to be inserted.

use std::fmt;
use std::sync::Arc;

use chat_protocol::{Message, MessageId, Text, UserId, Username};
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sqlite::Sqlite;

use super::durable::schema::{mentions_text, messages, signed};

/// A message to be inserted. It owns its texts, because only then diesel keeps a statement for
/// several rows prepared.
#[derive(Insertable)]
#[diesel(table_name = messages, treat_none_as_default_value = false)]
pub(super) struct NewRow {
    row_key: i64,
    user: Shared<UserId>,
    username: Shared<Username>,
    id: Shared<MessageId>,
    body: Shared<Arc<str>>,
    sent_at: i64,
}

/// A message to be inserted that replies to another one, or addresses users. Few do.
#[derive(Insertable)]
#[diesel(table_name = messages, treat_none_as_default_value = false)]
pub(super) struct NewAddressedRow {
    #[diesel(embed)]
    row: NewRow,
    reply_to: Option<i64>,
    reply_user: Option<Shared<UserId>>,
    reply_username: Option<Shared<Username>>,
    mentions: Option<String>,
}

impl NewAddressedRow {
    /// Completes the row of a message. Returns it unchanged if the message neither replies to
    /// another one nor addresses anybody.
    pub(super) fn new(row: NewRow, message: &Message) -> Result<Self, NewRow> {
        let Some(Text { reply_to, mentions, .. }) = message.text() else { return Err(row) };
        if reply_to.is_none() && mentions.is_none() {
            return Err(row);
        }
        let reply_to = reply_to.as_deref();
        Ok(Self {
            row,
            reply_to: reply_to.map(|reply_to| signed(reply_to.seq)),
            reply_user: reply_to.map(|reply_to| Shared(reply_to.user.clone())),
            reply_username: reply_to.map(|reply_to| Shared(reply_to.from.clone())),
            mentions: mentions.as_deref().map(mentions_text),
        })
    }
}

impl NewRow {
    /// The row of a message. `None` if it is deleted.
    pub(super) fn new(row_key: i64, message: &Message) -> Option<Self> {
        let Text { user, from, id, body, .. } = message.text()?;
        Some(Self {
            row_key,
            user: Shared(user.clone()),
            username: Shared(from.clone()),
            id: Shared(id.clone()),
            body: Shared(Arc::clone(body)),
            sent_at: message.sent_at.as_millis(),
        })
    }
}

/// A text that is shared, for a column.
#[derive(Debug, AsExpression)]
#[diesel(sql_type = diesel::sql_types::Text)]
pub(super) struct Shared<T: fmt::Debug>(pub(super) T);

/// The text of a shared value.
pub(super) trait AsText {
    fn as_text(&self) -> &str;
}

macro_rules! as_text {
    ($($name:ty),*) => {
        $(impl AsText for $name {
            fn as_text(&self) -> &str {
                self.as_str()
            }
        })*
    };
}

as_text!(UserId, Username, MessageId);

impl AsText for Arc<str> {
    fn as_text(&self) -> &str {
        self
    }
}

impl<T: AsText + fmt::Debug> ToSql<diesel::sql_types::Text, Sqlite> for Shared<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.as_text());
        Ok(IsNull::No)
    }
}
