//! Rows of the open transaction that are inserted together.

use std::sync::Arc;

use chat_protocol::Message;
use diesel::prelude::*;

use super::durable::change::address;
use super::durable::schema::messages;
use super::rows::{BatchRow, InsertRows, NewAddressedRow, NewRow};
use crate::Mentions;

/// How many rows one statement inserts.
pub(super) const ROWS_PER_INSERT: usize = 16;

/// How many rows a statement inserts if there are fewer.
const FEW_ROWS: usize = 4;

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
        let rows: Vec<_> = self.messages.drain(..).filter_map(row).collect();
        insert(connection, &rows)?;
        for row in addressed {
            diesel::insert_into(messages::table).values(row).execute(connection)?;
        }
        for (row_key, user) in self.mentions.drain(..) {
            address(connection, row_key, &user)?;
        }
        Ok(())
    }
}

/// Inserts rows, 16 in a statement as far as possible, then 4: a statement costs more than a row.
/// Their texts are always the same, so they are prepared once.
pub(super) fn insert<T: BatchRow>(connection: &mut SqliteConnection, rows: &[T]) -> QueryResult<()> {
    let (batches, rest) = rows.as_chunks::<ROWS_PER_INSERT>();
    for batch in batches {
        InsertRows(batch).execute(connection)?;
    }
    let (batches, rest) = rest.as_chunks::<FEW_ROWS>();
    for batch in batches {
        InsertRows(batch).execute(connection)?;
    }
    let (batches, _) = rest.as_chunks::<1>();
    for row in batches {
        InsertRows(row).execute(connection)?;
    }
    Ok(())
}
