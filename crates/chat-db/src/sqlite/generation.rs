//! The generation marker: it shows whether a database is in the state in which this path's last run
//! left it. The same random value is stored in the database and in the lock file next to it.

use std::io;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use super::lock::ProcessLock;

diesel::table! {
    database_seal (id) {
        id -> BigInt,
        seal -> Text,
    }
}

/// The marker could not be renewed. The database keeps its previous one, which the next start
/// compares with the lock file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GenerationError {
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
    #[error(transparent)]
    Note(#[from] io::Error),
}

/// Whether the database has the marker that is noted in the lock file.
pub(crate) fn is_current(
    connection: &mut SqliteConnection,
    lock: &ProcessLock,
) -> Result<bool, GenerationError> {
    let seal = read(connection)?;
    Ok(seal.is_some_and(|seal| lock.note().is_ok_and(|noted| noted.lines().any(|line| line == seal))))
}

/// Writes a new marker to the lock file and to the database. If this fails halfway, the lock file
/// still has the marker that is in the database.
pub(crate) fn renew(connection: &mut SqliteConnection, lock: &ProcessLock) -> Result<(), GenerationError> {
    let before = read(connection)?.unwrap_or_default();
    let seal = format!("{:032x}", rand::random::<u128>());
    lock.set_note(&format!("{before}\n{seal}\n"))?;
    // a commit of its own that waits for the disk
    connection.batch_execute("PRAGMA synchronous = FULL")?;
    let row = (database_seal::id.eq(1), database_seal::seal.eq(&seal));
    let written = diesel::replace_into(database_seal::table).values(row).execute(connection);
    connection.batch_execute("PRAGMA synchronous = NORMAL")?;
    written?;
    Ok(lock.set_note(&format!("{seal}\n"))?)
}

/// Removes the marker. A database without a marker counts as changed.
pub(crate) fn remove(connection: &mut SqliteConnection) -> QueryResult<usize> {
    diesel::delete(database_seal::table).execute(connection)
}

/// The marker in the database.
pub(crate) fn read(connection: &mut SqliteConnection) -> QueryResult<Option<String>> {
    database_seal::table.select(database_seal::seal).first(connection).optional()
}
