//! How connections to the file are set up.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::{Connection, ConnectionError, ConnectionResult, SqliteConnection};

use crate::Durability;

/// What the commits of a new connection that writes wait for.
pub(crate) const DURABILITY: Durability = Durability::Process;

/// The statement that changes it.
pub(crate) fn synchronous(durability: Durability) -> &'static str {
    match durability {
        Durability::Process => "PRAGMA synchronous = NORMAL",
        Durability::Disk => "PRAGMA synchronous = FULL",
    }
}

/// Opens the connection that writes.
///
/// WAL lets readers go on while it writes. Another process (a backup, the SQLite shell) may hold the lock for a moment: it
/// is waited for.
///
/// What a savepoint may have to take back is kept in memory, not in a file that is made for each: with the file a batch of a
/// thousand messages took twice as long. The cache (16 MiB) has room for the inner pages of a file of several GiB and the
/// pages that are being filled. The log may grow to 4,000 pages (16 MiB) before it is copied back, so that a page that
/// changes in each commit is copied once for many of them.
pub(crate) fn writing(path: &Path) -> ConnectionResult<SqliteConnection> {
    open(
        path,
        "PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
         PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384; PRAGMA wal_autocheckpoint = 4000;",
    )
}

/// Opens a connection that can't write.
///
/// Its cache is small: what it holds is out of date with the next commit, so it is of use within one read alone, and there are several
/// of them.
pub(crate) fn reading(path: &Path) -> ConnectionResult<SqliteConnection> {
    open(path, "PRAGMA busy_timeout = 2000; PRAGMA query_only = ON; PRAGMA cache_size = -512;")
}

/// Opens a connection for a copy of the file, whatever its journal is.
pub(crate) fn copying(path: &Path) -> ConnectionResult<SqliteConnection> {
    open(path, "PRAGMA busy_timeout = 2000;")
}

/// The path as SQLite takes it (<https://sqlite.org/uri.html>), with the request not to create the file: one that is missing was removed, and
/// whatever was in it is not in a new one.
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
