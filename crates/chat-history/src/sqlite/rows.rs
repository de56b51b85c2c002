//! Rows to be inserted.

use std::fmt;
use std::sync::Arc;

use chat_protocol::{Message, MessageId, UserId, Username};
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::Sqlite;

use super::durable::schema::{mentions_text, messages, signed};

/// A row that is inserted together with others.
pub(super) trait BatchRow: 'static {
    /// The statement, up to the rows.
    const INSERT: &str;

    /// Adds its values, separated by commas.
    fn push_values<'b>(&'b self, out: &mut AstPass<'_, 'b, Sqlite>) -> QueryResult<()>;
}

/// Inserts `N` rows. diesel would walk over each value of a batch of its own four to five times,
/// and each message has fourteen values: that is a tenth of what the server does for it.
pub(super) struct InsertRows<'r, T, const N: usize>(pub(super) &'r [T; N]);

impl<T: BatchRow, const N: usize> QueryFragment<Sqlite> for InsertRows<'_, T, N> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql(T::INSERT);
        for (i, row) in self.0.iter().enumerate() {
            out.push_sql(if i == 0 { " VALUES (" } else { ", (" });
            row.push_values(&mut out)?;
            out.push_sql(")");
        }
        Ok(())
    }
}

/// The text depends on the kind and the number of the rows only, so the statement is prepared once.
impl<T: BatchRow, const N: usize> QueryId for InsertRows<'_, T, N> {
    type QueryId = InsertRows<'static, T, N>;
}

impl<T, const N: usize> RunQueryDsl<SqliteConnection> for InsertRows<'_, T, N> {}

/// A message to be inserted.
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

impl BatchRow for NewRow {
    const INSERT: &str = "INSERT INTO messages (place, user, username, id, body, sent_at)";

    fn push_values<'b>(&'b self, out: &mut AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_bind_param::<BigInt, _>(&self.row_key)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(self.user.0.as_str())?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(self.username.0.as_str())?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(self.id.0.as_str())?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(&*self.body.0)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.sent_at)
    }
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
        let Some(chat_protocol::Text { reply_to, mentions, .. }) = message.text() else { return Err(row) };
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
        let chat_protocol::Text { user, from, id, body, .. } = message.text()?;
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
#[diesel(sql_type = Text)]
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

impl<T: AsText + fmt::Debug> ToSql<Text, Sqlite> for Shared<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.as_text());
        Ok(IsNull::No)
    }
}
