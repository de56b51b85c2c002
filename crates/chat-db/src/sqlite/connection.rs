//! How connections to the file are configured.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::{Connection, ConnectionError, ConnectionResult, SqliteConnection};

/// Opens the connection that writes.
///
/// WAL lets readers continue while it writes. Another process (a backup, the SQLite shell) may hold
/// the lock for a moment; the connection waits for it.
///
/// Savepoint journals are kept in memory: with a temporary file for each savepoint a batch of a
/// thousand messages took twice as long. The cache (16 MiB) holds the inner pages of a file of
/// several GiB and the pages that are being filled. The log may grow to 4,000 pages (16 MiB) before
/// a checkpoint, so that a page that changes in each commit is copied once for many commits.
pub(crate) fn writing(path: &Path) -> ConnectionResult<SqliteConnection> {
    open(
        path,
        "PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
         PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384; PRAGMA wal_autocheckpoint = 4000;",
    )
}

/// Opens a connection that can't write.
///
/// Its cache is small: the cached pages are outdated after the next commit, so they help within a
/// single read only, and there are several readers.
pub(crate) fn reading(path: &Path) -> ConnectionResult<SqliteConnection> {
    open(path, "PRAGMA busy_timeout = 2000; PRAGMA query_only = ON; PRAGMA cache_size = -512;")
}

/// Opens a connection for copying the file, whatever its journal mode is.
pub(crate) fn copying(path: &Path) -> ConnectionResult<SqliteConnection> {
    open(path, "PRAGMA busy_timeout = 2000;")
}

/// The path as an SQLite URI (<https://sqlite.org/uri.html>) that does not create the file. A
/// missing file was removed, and a new one would not have its data.
fn uri(path: &Path) -> ConnectionResult<String> {
    let path = path.to_str().ok_or_else(|| ConnectionError::BadConnection("its path is not UTF-8".into()))?;
    let authority = if path.starts_with('/') { "//" } else { "" };
    let escaped = path.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    Ok(format!("file:{authority}{escaped}?mode=rw"))
}

fn open(path: &Path, setup: &str) -> ConnectionResult<SqliteConnection> {
    let mut connection = SqliteConnection::establish(&uri(path)?)?;
    connection.batch_execute(setup).map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}
