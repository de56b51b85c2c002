//! The schema: the top-level `migrations` folder, embedded, forwards and backwards.

use std::path::Path;

use diesel::migration::{Migration, MigrationSource};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::lock::ProcessLock;
use crate::{OpenError, connection};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// Brings the database up to date, as every start does, and says which migrations ran.
///
/// # Errors
/// The same as [`Database::open`](crate::Database::open).
pub fn up(path: &Path) -> Result<Vec<String>, OpenError> {
    let _lock = ProcessLock::take_to_open(path)?;
    pending(&mut open(path)?, path)
}

/// Takes the newest migration back and says which one it was. What only it could hold is lost.
///
/// # Errors
/// [`OpenError::Migrate`] when there is none to take back; else the same as [`up`].
pub fn down(path: &Path) -> Result<String, OpenError> {
    let _lock = ProcessLock::take_to_open(path)?;
    let mut connection = open(path)?;
    refuse_newer(&mut connection, path)?;
    match connection.revert_last_migration(MIGRATIONS) {
        Ok(version) => Ok(version.to_string()),
        Err(error) => Err(OpenError::Migrate { path: path.to_owned(), reason: error.to_string() }),
    }
}

/// Opens the file for migrations.
pub(crate) fn open(path: &Path) -> Result<SqliteConnection, OpenError> {
    connection::writing(path)
        .map_err(|error| OpenError::Open { path: path.to_owned(), reason: error.to_string() })
}

/// Runs what has not run yet.
pub(crate) fn pending(connection: &mut SqliteConnection, path: &Path) -> Result<Vec<String>, OpenError> {
    refuse_newer(connection, path)?;
    match connection.run_pending_migrations(MIGRATIONS) {
        Ok(versions) => Ok(versions.iter().map(ToString::to_string).collect()),
        Err(error) => Err(OpenError::Migrate { path: path.to_owned(), reason: error.to_string() }),
    }
}

/// Whether migrations ever ran here. Unlike what asks the library, it writes nothing.
pub(crate) fn is_ours(connection: &mut SqliteConnection) -> QueryResult<bool> {
    let table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '__diesel_schema_migrations'";
    diesel::select(diesel::dsl::sql::<Bool>(&format!("EXISTS ({table})"))).get_result(connection)
}

/// What has not run yet.
pub(crate) fn waiting(connection: &mut SqliteConnection, path: &Path) -> Result<Vec<String>, OpenError> {
    refuse_newer(connection, path)?;
    match connection.pending_migrations(MIGRATIONS) {
        Ok(migrations) => {
            Ok(migrations.iter().map(|migration| migration.name().version().to_string()).collect())
        }
        Err(error) => Err(OpenError::Migrate { path: path.to_owned(), reason: error.to_string() }),
    }
}

pub(crate) fn refuse_newer(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let fault = |reason: String| OpenError::Migrate { path: path.to_owned(), reason };
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
