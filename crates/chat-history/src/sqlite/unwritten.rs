//! Rows of the open transaction that are inserted together.

use std::mem;
use std::sync::Arc;

use chat_protocol::Message;
use diesel::prelude::*;

use super::durable::change::address;
use super::durable::schema::messages;
use super::rows::{NewAddressedRow, NewRow};
use crate::Mentions;

/// How many rows one statement inserts.
pub(super) const ROWS_PER_INSERT: usize = 16;

/// Messages that have their numbers and are not in the table yet, and whom they address.
#[derive(Default)]
pub(super) struct Unwritten {
    messages: Vec<(i64, Arc<Message>)>,
    mentions: Vec<(i64, String)>,
}

impl Unwritten {
    pub(super) fn is_full(&self) -> bool {
        self.messages.len() >= ROWS_PER_INSERT
    }

    pub(super) fn push(&mut self, row_key: i64, message: Arc<Message>) {
        if self.messages.is_empty() {
            self.messages.reserve(ROWS_PER_INSERT);
        }
        self.messages.push((row_key, message));
    }

    /// Adds those whom a message addresses.
    pub(super) fn address(&mut self, row_key: i64, mentions: &Mentions) {
        self.mentions.extend(mentions.all().map(|user| (row_key, user.to_owned())));
    }

    /// Inserts everything.
    pub(super) fn write(&mut self, connection: &mut SqliteConnection) -> QueryResult<()> {
        let mut addressed = Vec::new();
        let row = |(row_key, message): (i64, Arc<Message>)| match NewAddressedRow::new(
            NewRow::new(row_key, &message)?,
            &message,
        ) {
            Ok(row) => {
                addressed.push(row);
                None
            }
            Err(row) => Some(row),
        };
        insert::<_, ROWS_PER_INSERT>(
            connection,
            self.messages.drain(..).filter_map(row),
            |connection, rows| diesel::insert_into(messages::table).values(rows).execute(connection),
            |connection, row| diesel::insert_into(messages::table).values(row).execute(connection),
        )?;
        for row in addressed {
            diesel::insert_into(messages::table).values(row).execute(connection)?;
        }
        for (row_key, user) in self.mentions.drain(..) {
            address(connection, row_key, &user)?;
        }
        Ok(())
    }
}

/// Inserts rows, `N` in a statement as far as possible: a statement costs more than a row. Its text
/// is always the same, so it is prepared once.
pub(super) fn insert<T, const N: usize>(
    connection: &mut SqliteConnection,
    rows: impl Iterator<Item = T>,
    insert_many: impl Fn(&mut SqliteConnection, [T; N]) -> QueryResult<usize>,
    insert_one: impl Fn(&mut SqliteConnection, T) -> QueryResult<usize>,
) -> QueryResult<()> {
    let mut chunk = Vec::with_capacity(N);
    for row in rows {
        chunk.push(row);
        if chunk.len() == N {
            match <[T; N]>::try_from(mem::replace(&mut chunk, Vec::with_capacity(N))) {
                Ok(rows) => insert_many(connection, rows)?,
                Err(_) => 0,
            };
        }
    }
    chunk.into_iter().try_for_each(|row| insert_one(connection, row).map(drop))
}
