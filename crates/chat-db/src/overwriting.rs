//! Removing text so that it is not in the file any more.

use diesel::connection::SimpleConnection;
use diesel::sqlite::SqliteConnection;

/// Runs statements that overwrite what they remove with zeros in the file
/// (<https://sqlite.org/pragma.html#pragma_secure_delete>). Call it on the connection of the
/// writer.
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
