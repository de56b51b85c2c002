//! `chatd backup` and `chatd restore`.

use std::path::Path;

use chat_db::sqlite::backup::{self, BackupError};

use crate::cli::{Backup, Database, DatabaseLocation, Restore, plural};

/// Why nothing was backed up or restored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error("the database is in memory (:memory:): name a database file with --database")]
    InMemory,
    #[error("the database is on a PostgreSQL server: use {0}, as docs/postgresql.md shows")]
    Postgres(&'static str),
}

/// Copies the database to a new file, checks the copy, and returns what to print.
pub(crate) fn back_up(arguments: &Backup) -> Result<String, CopyError> {
    let bytes = backup::back_up(database_file(&arguments.location, "pg_dump")?, &arguments.to)?;
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    Ok(format!("{}: {}, checked", arguments.to.display(), plural(bytes, "byte")))
}

/// Checks a backup, replaces the database with it, and returns what to print.
pub(crate) fn restore(arguments: &Restore) -> Result<String, CopyError> {
    let database = database_file(&arguments.location, "pg_restore")?;
    let replaced = backup::restore(&arguments.from, database)?;
    let kept = replaced.map_or(String::new(), |path| format!("; the old database is now {}", path.display()));
    Ok(format!("{} is restored to {}{kept}", arguments.from.display(), database.display()))
}

/// The database file. `tool` is the program that does the same on PostgreSQL.
fn database_file<'a>(location: &'a DatabaseLocation, tool: &'static str) -> Result<&'a Path, CopyError> {
    match &location.database {
        Database::File(path) => Ok(path),
        Database::Memory => Err(CopyError::InMemory),
        Database::Postgres(_) => Err(CopyError::Postgres(tool)),
    }
}
