//! The mark of a copy of a database that is not finished. A server must not use it.
//!
//! The mark is a table of its own, which a database does not have otherwise.

use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};

/// Of what a database is an unfinished copy.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub(crate) struct Unfinished {
    /// The source, for people.
    #[diesel(sql_type = Text)]
    pub(crate) source: String,
    /// The state of the source: another text after a server has used it.
    #[diesel(sql_type = Text)]
    #[cfg_attr(not(feature = "copy"), allow(dead_code))]
    pub(crate) state: String,
    /// Whether the source was in the state that clients know, so that they may continue with the
    /// copy.
    #[diesel(sql_type = Bool)]
    #[cfg_attr(not(feature = "copy"), allow(dead_code))]
    pub(crate) is_unchanged: bool,
}

/// Reads the mark.
pub(crate) const READ: &str = "SELECT source, state, is_unchanged FROM unfinished_copy";

/// Creates the table of the mark.
#[cfg(feature = "copy")]
pub(crate) const CREATE: &str =
    "CREATE TABLE unfinished_copy (source TEXT NOT NULL, state TEXT NOT NULL, is_unchanged BOOLEAN NOT NULL)";

/// Writes the mark.
#[cfg(feature = "copy")]
pub(crate) const WRITE: &str =
    "INSERT INTO unfinished_copy (source, state, is_unchanged) VALUES ($1, $2, $3)";

/// Removes the mark.
#[cfg(feature = "copy")]
pub(crate) const REMOVE: &str = "DROP TABLE unfinished_copy";

/// The mark on SQLite.
#[cfg(feature = "sqlite")]
pub(crate) fn on_sqlite(connection: &mut SqliteConnection) -> QueryResult<Option<Unfinished>> {
    let exists = "EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'unfinished_copy')";
    if !diesel::select(diesel::dsl::sql::<Bool>(exists)).get_result::<bool>(connection)? {
        return Ok(None);
    }
    diesel::sql_query(READ).get_result(connection).optional()
}

/// The mark on PostgreSQL.
#[cfg(feature = "postgres")]
pub(crate) fn on_postgres(connection: &mut crate::postgres::DbConnection) -> QueryResult<Option<Unfinished>> {
    let exists = "to_regclass('unfinished_copy') IS NOT NULL";
    if !diesel::select(diesel::dsl::sql::<Bool>(exists)).get_result::<bool>(connection)? {
        return Ok(None);
    }
    diesel::sql_query(READ).get_result(connection).optional()
}
