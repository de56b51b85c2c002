//! A room, while events are appended to it.

use chat_protocol::RoomName;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::BigInt;

use super::schema::rooms;
use super::{Backend, DbConnection};

/// A room.
pub(crate) struct Room {
    pub(crate) id: i64,
    /// The number of the next event.
    pub(crate) next_seq: i64,
    /// The version of the room's policy.
    pub(crate) policy_version: i64,
    /// How many messages were inserted since the room was written.
    pub(crate) inserted: i64,
    /// The next number as it is in the database.
    written: i64,
}

impl Room {
    /// The room as it is in the database. Creates it if there is none.
    pub(crate) fn load(connection: &mut DbConnection, name: &RoomName) -> QueryResult<Self> {
        let found = rooms::table
            .filter(rooms::name.eq(name.as_str()))
            .select((rooms::id, rooms::next_seq, rooms::policy_version))
            .first::<(i64, i64, i64)>(connection)
            .optional()?;
        let (id, next_seq, policy_version) = match found {
            Some(room) => room,
            None => {
                let new = (rooms::name.eq(name.as_str()), rooms::next_seq.eq(1), rooms::first_seq.eq(1));
                (
                    diesel::insert_into(rooms::table)
                        .values(new)
                        .returning(rooms::id)
                        .get_result(connection)?,
                    1,
                    0,
                )
            }
        };
        Ok(Self { id, next_seq, policy_version, inserted: 0, written: next_seq })
    }

    /// Writes the next number to the database, and counts the messages that were inserted.
    pub(crate) fn write(&mut self, connection: &mut DbConnection) -> QueryResult<()> {
        if self.written != self.next_seq {
            let inserted = std::mem::take(&mut self.inserted);
            Advance { id: self.id, next_seq: self.next_seq, inserted }.execute(connection)?;
            self.written = self.next_seq;
        }
        Ok(())
    }
}

/// Sets the next number of a room, and counts its new messages. Each commit does that for each of
/// its rooms, and diesel prepares its own updates every time: this statement is prepared once.
#[derive(QueryId)]
struct Advance {
    id: i64,
    next_seq: i64,
    inserted: i64,
}

impl QueryFragment<Backend> for Advance {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        out.push_sql("UPDATE rooms SET next_seq = ");
        out.push_bind_param::<BigInt, _>(&self.next_seq)?;
        // pruning changes the count in the database, too, so it is not cached
        out.push_sql(", message_count = message_count + ");
        out.push_bind_param::<BigInt, _>(&self.inserted)?;
        out.push_sql(" WHERE id = ");
        out.push_bind_param::<BigInt, _>(&self.id)
    }
}

impl RunQueryDsl<DbConnection> for Advance {}
