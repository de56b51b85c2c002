//! Whether the database is the one that this program knows.

use std::time::{Duration, Instant};

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use super::connection::DbConnection;

/// Held for as long as a process uses the database.
const OWNER_LOCK: i64 = 0x6368_6174_6400_0001;
/// Held, shared, by every transaction that writes; exclusively by one that changes the incarnation.
const FENCE_LOCK: i64 = 0x6368_6174_6400_0002;
/// Held while migrations run.
pub(crate) const MIGRATION_LOCK: i64 = 0x6368_6174_6400_0003;

/// How long [`lock`] waits: the server may not have noticed yet that the last process has ended.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);

/// How long [`lock`] waits between two attempts.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// What a database is known by, and who uses it.
#[derive(Debug, PartialEq, Eq, QueryableByName)]
pub(crate) struct State {
    /// The server's system identifier, the database's OID, and the timeline of the server's log:
    /// a copy on another server, and a standby that was promoted, have another identity.
    #[diesel(sql_type = Text)]
    pub(crate) identity: String,
    /// The identity when it was last used.
    #[diesel(sql_type = Nullable<Text>)]
    pub(crate) known_identity: Option<String>,
    /// How far the server's log is on its disk. It only grows, except if the server was replaced by
    /// an older copy of itself. What is not on the disk yet is lost in a crash.
    #[diesel(sql_type = BigInt)]
    pub(crate) position: i64,
    /// A random text of the process that uses it, or last used it.
    #[diesel(sql_type = Nullable<Text>)]
    pub(crate) incarnation: Option<String>,
}

/// Reads the state.
pub(crate) fn read(connection: &mut DbConnection) -> QueryResult<State> {
    diesel::sql_query(
        "SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || d.oid || '/' \
                || left(pg_walfile_name(pg_current_wal_lsn()), 8) AS identity, \
                (pg_current_wal_flush_lsn() - '0/0')::BIGINT AS position, \
                s.identity AS known_identity, s.incarnation AS incarnation \
         FROM pg_database d LEFT JOIN database_state s ON true WHERE d.datname = current_database()",
    )
    .get_result(connection)
}

/// Takes the lock of the process that uses the database, until the connection ends. Returns `false`
/// if another one has it.
pub(crate) fn try_lock(connection: &mut DbConnection) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Bool)]
        is_locked: bool,
    }

    let query = format!("SELECT pg_try_advisory_lock({OWNER_LOCK}) AS is_locked");
    diesel::sql_query(query).get_result::<Row>(connection).map(|row| row.is_locked)
}

/// As [`try_lock`], but waits a little for a process that ends.
pub(crate) fn lock(connection: &mut DbConnection) -> QueryResult<bool> {
    let begun = Instant::now();
    while !try_lock(connection)? {
        if begun.elapsed() > LOCK_PATIENCE {
            return Ok(false);
        }
        std::thread::sleep(RETRY_INTERVAL);
    }
    Ok(true)
}

/// Writes the identity and a new incarnation. Waits for the transactions of the last one.
pub(crate) fn write(connection: &mut DbConnection, identity: &str, incarnation: &str) -> QueryResult<()> {
    diesel::sql_query(format!("SELECT pg_advisory_xact_lock({FENCE_LOCK})")).execute(connection)?;
    diesel::sql_query(
        "INSERT INTO database_state (single, identity, incarnation) VALUES (true, $1, $2) \
         ON CONFLICT (single) DO UPDATE SET identity = $1, incarnation = $2",
    )
    .bind::<Text, _>(identity)
    .bind::<Text, _>(incarnation)
    .execute(connection)?;
    Ok(())
}

/// Writes a new incarnation, and leaves the identity as it is. Waits for the transactions of the
/// last one.
#[cfg(feature = "copy")]
pub(crate) fn set_incarnation(connection: &mut DbConnection, incarnation: &str) -> QueryResult<()> {
    diesel::sql_query(format!("SELECT pg_advisory_xact_lock({FENCE_LOCK})")).execute(connection)?;
    diesel::sql_query("UPDATE database_state SET incarnation = $1")
        .bind::<Text, _>(incarnation)
        .execute(connection)?;
    Ok(())
}

/// Forgets the identity, so that the next start takes the database for another one.
pub(crate) fn forget(connection: &mut DbConnection) -> QueryResult<usize> {
    diesel::sql_query("UPDATE database_state SET identity = ''").execute(connection)
}
