//! The schema: the folder `migrations/postgres`, embedded, in both directions.

use diesel::dsl::sql;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, Text};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connection::{DbConnection, Link};
use super::error::OpenError;
use super::identity::MIGRATION_LOCK;
use super::inspect::MIN_VERSION;
use super::url::Url;
use super::{identity, tls};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Applies all pending migrations, as each start does, and returns their versions. Blocks.
///
/// # Errors
/// The same as [`Database::open`](super::Database::open).
pub fn up(url: &Url) -> Result<Vec<String>, OpenError> {
    pending(&mut connect(url)?.connection, url)
}

/// Reverts the newest migration and returns its version. Data that only the newer schema can hold
/// is lost. Blocks.
///
/// # Errors
/// [`OpenError::InUse`] if a chatd uses the database, [`OpenError::Migrate`] if there is no
/// migration to revert; else the same as [`up`].
pub fn down(url: &Url) -> Result<String, OpenError> {
    let mut link = connect(url)?;
    let connection = &mut link.connection;
    waiting_on(connection, url)?;
    let fault = |reason: String| OpenError::Migrate { url: url.to_string(), reason };
    if !identity::try_lock(connection).map_err(|error| fault(error.to_string()))? {
        return Err(OpenError::InUse { url: url.to_string() });
    }
    let version = connection.revert_last_migration(MIGRATIONS).map_err(|error| fault(error.to_string()))?;
    Ok(version.to_string())
}

/// Makes the next start take the database for another one, and begin a new epoch: after a restore,
/// the numbers that clients know may stand for other messages. Blocks.
///
/// # Errors
/// [`OpenError::InUse`] if a chatd uses the database; else the same as [`up`].
pub fn forget_identity(url: &Url) -> Result<(), OpenError> {
    let mut link = connect(url)?;
    waiting_on(&mut link.connection, url)?;
    let fault = |reason: String| OpenError::Migrate { url: url.to_string(), reason };
    if !identity::try_lock(&mut link.connection).map_err(|error| fault(error.to_string()))? {
        return Err(OpenError::InUse { url: url.to_string() });
    }
    identity::forget(&mut link.connection).map_err(|error| fault(error.to_string()))?;
    Ok(())
}

/// The versions of pending migrations. Changes nothing. Fails if a newer program has written the
/// database.
pub(crate) fn waiting_on(connection: &mut DbConnection, url: &Url) -> Result<Vec<String>, OpenError> {
    let fault = |reason: String| OpenError::Migrate { url: url.to_string(), reason };
    let failed = |error: diesel::result::Error| fault(error.to_string());
    // unlike the functions of the library, this creates no table
    let table = sql::<Bool>("to_regclass('__diesel_schema_migrations') IS NOT NULL");
    let applied: Vec<String> = if diesel::select(table).get_result(connection).map_err(failed)? {
        sql::<Text>("SELECT version FROM __diesel_schema_migrations").load(connection).map_err(failed)?
    } else {
        Vec::new()
    };
    let known: Vec<Box<dyn Migration<Pg>>> =
        MIGRATIONS.migrations().map_err(|error| fault(error.to_string()))?;
    let known: Vec<_> = known.iter().map(|migration| migration.name().version().to_string()).collect();
    match applied.iter().find(|version| !known.contains(*version)) {
        None => Ok(known.into_iter().filter(|version| !applied.contains(version)).collect()),
        Some(version) => Err(OpenError::Newer { url: url.to_string(), version: version.clone() }),
    }
}

/// Connects for migrations, which may take long.
pub(crate) fn connect(url: &Url) -> Result<Link, OpenError> {
    let fault = |reason: String| OpenError::Open { url: url.to_string(), reason };
    let tls = tls::connector(&url.verify).map_err(|error| fault(error.to_string()))?;
    Link::open(url, &tls, None).map_err(|error| fault(error.to_string()))
}

/// Applies pending migrations, one process at a time.
pub(crate) fn pending(connection: &mut DbConnection, url: &Url) -> Result<Vec<String>, OpenError> {
    let fault = |reason: String| OpenError::Migrate { url: url.to_string(), reason };
    let lock = |connection: &mut DbConnection, function: &str| {
        diesel::sql_query(format!("SELECT {function}({MIGRATION_LOCK})"))
            .execute(connection)
            .map_err(|error| fault(error.to_string()))
    };
    refuse_unsuitable(connection, url)?;
    lock(connection, "pg_advisory_lock")?;
    let applied = waiting_on(connection, url).and_then(|_| {
        let versions =
            connection.run_pending_migrations(MIGRATIONS).map_err(|error| fault(error.to_string()))?;
        Ok(versions.iter().map(ToString::to_string).collect())
    });
    lock(connection, "pg_advisory_unlock")?;
    applied
}

/// Refuses a server that is too old, and a database that can't store all texts.
fn refuse_unsuitable(connection: &mut DbConnection, url: &Url) -> Result<(), OpenError> {
    let fault = |reason: String| OpenError::Open { url: url.to_string(), reason };
    let (version, encoding): (i32, String) = diesel::select((
        sql::<Integer>("current_setting('server_version_num')::INTEGER / 10000"),
        sql::<Text>("current_setting('server_encoding')"),
    ))
    .get_result(connection)
    .map_err(|error| fault(error.to_string()))?;
    if version < MIN_VERSION {
        return Err(fault(format!("it is PostgreSQL {version}, and {MIN_VERSION} is the lowest version")));
    }
    if encoding != "UTF8" {
        return Err(fault(format!("its encoding is {encoding}, and UTF8 is needed")));
    }
    Ok(())
}
