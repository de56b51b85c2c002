//! Removing text so that it is not in the file any more.

use diesel::connection::SimpleConnection;
use diesel::sqlite::SqliteConnection;

/// Runs statements that overwrite what they remove with zeros in the file
/// (<https://sqlite.org/pragma.html#pragma_secure_delete>). Call it on the connection of the
/// writer.
///
/// SQLite moves rows to other pages at times and does not clear where they were, whatever this
/// setting says. Such a fragment is smaller than a page, and stays until its place is used again. A
/// [backup](super::backup) has none.
///
/// # Errors
/// Any error of the statements.
pub fn overwriting<T, E: From<diesel::result::Error>>(
    connection: &mut SqliteConnection,
    change: impl FnOnce(&mut SqliteConnection) -> Result<T, E>,
) -> Result<T, E> {
    connection.batch_execute("PRAGMA secure_delete = ON")?;
    let changed = change(connection);
    connection.batch_execute("PRAGMA secure_delete = OFF")?;
    changed
}
