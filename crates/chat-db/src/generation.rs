//! Whether a file is the one that was open here last, as it was left.

use std::io;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::lock::ProcessLock;

diesel::table! {
    database_seal (id) {
        id -> BigInt,
        seal -> Text,
    }
}

/// A seal could not be renewed: the one in the file stays, and both are told apart at the next start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
    #[error(transparent)]
    Note(#[from] io::Error),
}

/// Whether the database has the seal that was noted beside it.
pub(crate) fn is_unbroken(connection: &mut SqliteConnection, lock: &ProcessLock) -> Result<bool, SealError> {
    let seal = read(connection)?;
    Ok(seal.is_some_and(|seal| lock.note().is_ok_and(|noted| noted.lines().any(|line| line == seal))))
}

/// Seals the database anew, in itself and beside it. Wherever this ends halfway, what is in the database is noted.
pub(crate) fn renew(connection: &mut SqliteConnection, lock: &ProcessLock) -> Result<(), SealError> {
    let before = read(connection)?.unwrap_or_default();
    let seal = format!("{:032x}", rand::random::<u128>());
    lock.set_note(&format!("{before}\n{seal}\n"))?;
    // in its own commit, which waits for the disk
    connection.batch_execute("PRAGMA synchronous = FULL")?;
    let row = (database_seal::id.eq(1), database_seal::seal.eq(&seal));
    let written = diesel::replace_into(database_seal::table).values(row).execute(connection);
    connection.batch_execute("PRAGMA synchronous = NORMAL")?;
    written?;
    Ok(lock.set_note(&format!("{seal}\n"))?)
}

/// Takes the seal away: whoever starts with it takes the database for another one.
pub(crate) fn remove(connection: &mut SqliteConnection) -> QueryResult<usize> {
    diesel::delete(database_seal::table).execute(connection)
}

fn read(connection: &mut SqliteConnection) -> QueryResult<Option<String>> {
    database_seal::table.select(database_seal::seal).first(connection).optional()
}
