//! How connections to the file are set up.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::{Connection, ConnectionError, ConnectionResult, SqliteConnection};

/// Opens the connection that writes.
///
/// WAL lets readers go on while it writes. `synchronous=NORMAL` keeps committed rows through the end of the process, not
/// through a power cut (<https://sqlite.org/pragma.html#pragma_synchronous>): presence is no longer true after one anyway.
/// Another process (a backup, the SQLite shell) may hold the lock for a moment: it is waited for.
pub(crate) fn writing(path: &Path) -> ConnectionResult<SqliteConnection> {
    open(path, "PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
}

/// Opens a connection that can't write.
pub(crate) fn reading(path: &Path) -> ConnectionResult<SqliteConnection> {
    open(path, "PRAGMA busy_timeout = 2000; PRAGMA query_only = ON;")
}

fn open(path: &Path, setup: &str) -> ConnectionResult<SqliteConnection> {
    let name = path.to_str().ok_or_else(|| ConnectionError::BadConnection("its path is not UTF-8".into()))?;
    let mut connection = SqliteConnection::establish(name)?;
    connection.batch_execute(setup).map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}
