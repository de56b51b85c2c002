//! The schema: the `migrations` folder, embedded, in both directions.

use std::path::Path;

use diesel::migration::{Migration, MigrationSource};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::lock::ProcessLock;
use super::{OpenError, connection, generation};

/// What is wrong with the database of another program.
pub(crate) const NOT_OURS: &str = "it has no chatd tables";

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// Applies all pending migrations, as each start does, and returns their versions.
///
/// # Errors
/// The same as [`Database::open`](super::Database::open).
pub fn up(path: &Path) -> Result<Vec<String>, OpenError> {
    let _lock = ProcessLock::take_to_open(path)?;
    pending(&mut open(path)?, path)
}

/// Reverts the newest migration and returns its version. Data that only the newer schema can hold
/// is lost.
///
/// # Errors
/// [`OpenError::Migrate`] if there is no migration to revert; else the same as [`up`].
pub fn down(path: &Path) -> Result<String, OpenError> {
    let _lock = ProcessLock::take_to_open(path)?;
    let mut connection = open(path)?;
    refuse_newer(&mut connection, path)?;
    match connection.revert_last_migration(MIGRATIONS) {
        Ok(version) => Ok(version.to_string()),
        Err(error) => Err(OpenError::migrate(path, &error)),
    }
}

/// Makes the next start take the file for an older state of itself: it begins a new epoch.
///
/// # Errors
/// The same as [`up`].
pub fn forget_identity(path: &Path) -> Result<(), OpenError> {
    let _lock = ProcessLock::take_to_open(path)?;
    let mut connection = open(path)?;
    refuse_newer(&mut connection, path)?;
    generation::remove(&mut connection).map_err(|error| OpenError::open(path, &error))?;
    Ok(())
}

/// Opens the file for migrations.
pub(crate) fn open(path: &Path) -> Result<SqliteConnection, OpenError> {
    connection::writing(path).map_err(|error| OpenError::open(path, &error))
}

/// Applies pending migrations.
pub(crate) fn pending(connection: &mut SqliteConnection, path: &Path) -> Result<Vec<String>, OpenError> {
    refuse_newer(connection, path)?;
    match connection.run_pending_migrations(MIGRATIONS) {
        Ok(versions) => Ok(versions.iter().map(ToString::to_string).collect()),
        Err(error) => Err(OpenError::migrate(path, &error)),
    }
}

/// Whether migrations were ever applied here. Unlike the functions of the library, this writes
/// nothing.
pub(crate) fn is_ours(connection: &mut SqliteConnection) -> QueryResult<bool> {
    let table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '__diesel_schema_migrations'";
    diesel::select(diesel::dsl::sql::<Bool>(&format!("EXISTS ({table})"))).get_result(connection)
}

/// The versions of pending migrations.
pub(crate) fn waiting(connection: &mut SqliteConnection, path: &Path) -> Result<Vec<String>, OpenError> {
    refuse_newer(connection, path)?;
    match connection.pending_migrations(MIGRATIONS) {
        Ok(migrations) => {
            Ok(migrations.iter().map(|migration| migration.name().version().to_string()).collect())
        }
        Err(error) => Err(OpenError::migrate(path, &error)),
    }
}

pub(crate) fn refuse_newer(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let fault = |reason: String| OpenError::migrate(path, &reason);
    let applied = connection.applied_migrations().map_err(|error| fault(error.to_string()))?;
    let known: Vec<Box<dyn Migration<Sqlite>>> =
        MIGRATIONS.migrations().map_err(|error| fault(error.to_string()))?;
    let unknown = |version: &&diesel::migration::MigrationVersion<'_>| {
        known.iter().all(|migration| migration.name().version() != **version)
    };
    match applied.iter().find(unknown) {
        None => Ok(()),
        Some(version) => Err(OpenError::Newer { path: path.to_owned(), version: version.to_string() }),
    }
}
