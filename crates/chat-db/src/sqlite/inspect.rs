//! Reads a database to find faults, whether or not a server has it open.

use std::fs;
use std::path::Path;

use diesel::prelude::*;
use diesel::sql_types::Text;

use super::connection;
use super::error::BackupError;
use super::migrate::{self, NOT_OURS};
use super::paths::sibling_path;

/// How many faults are listed. A badly damaged file has thousands.
const MAX_FAULTS: usize = 5;

/// The result of an inspection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The size of the file.
    pub bytes: u64,
    /// The size of its write-ahead log, which a running server copies into the file.
    pub log_bytes: u64,
    /// The first five faults; empty if the database is sound.
    pub faults: Vec<String>,
    /// Migrations that the next start would apply.
    pub pending: Vec<String>,
}

/// Reads the whole database (`PRAGMA integrity_check`,
/// <https://sqlite.org/pragma.html#pragma_integrity_check>), which takes as long as reading the
/// file. Blocks. A server that has the database open continues. Changes nothing.
///
/// # Errors
/// [`BackupError::Missing`] if there is no file, [`BackupError::Database`] if it can't be read at
/// all, and [`BackupError::Open`] if a newer version has written it.
pub fn inspect(path: &Path) -> Result<Inspection, BackupError> {
    let size = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
    if !path.exists() {
        return Err(BackupError::Missing(path.to_owned()));
    }
    let unreadable = |reason: String| BackupError::Database { path: path.to_owned(), reason };
    let mut connection = connection::reading(path).map_err(|error| unreadable(error.to_string()))?;
    let mut faults = faults(&mut connection, MAX_FAULTS).map_err(unreadable)?;
    if faults.is_empty()
        && !migrate::is_ours(&mut connection).map_err(|error| unreadable(error.to_string()))?
    {
        faults.push(NOT_OURS.to_owned());
    }
    let pending = if faults.is_empty() { migrate::waiting(&mut connection, path)? } else { Vec::new() };
    let (bytes, log_bytes) = (size(path), size(&sibling_path(path, "-wal")));
    Ok(Inspection { bytes, log_bytes, faults, pending })
}

#[derive(QueryableByName)]
struct Finding {
    #[diesel(sql_type = Text)]
    integrity_check: String,
}

/// The first `max` faults of a database. An error means that the database can't be read.
pub(crate) fn faults(connection: &mut SqliteConnection, max: usize) -> Result<Vec<String>, String> {
    let findings: Vec<Finding> = diesel::sql_query(format!("PRAGMA integrity_check({max})"))
        .load(connection)
        .map_err(|error| error.to_string())?;
    Ok(findings
        .into_iter()
        .map(|finding| finding.integrity_check)
        .filter(|finding| finding != "ok")
        .collect())
}
