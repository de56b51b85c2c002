//! A look at a database, whether or not a server has it open.

use std::fs;
use std::path::Path;

use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::backup::{BackupError, NOT_OURS, beside};
use crate::{connection, migrate};

/// How many faults are told; a file that lies in ruins has thousands.
const FAULTS: usize = 5;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Size of the file.
    pub bytes: u64,
    /// Size of the log beside it, which is copied into the file as the server goes on.
    pub log_bytes: u64,
    /// What is wrong with it, the first five; empty where it is sound.
    pub faults: Vec<String>,
    /// Migrations that the next start would run.
    pub pending: Vec<String>,
}

/// Reads all of a database (`PRAGMA integrity_check`, <https://sqlite.org/pragma.html#pragma_integrity_check>): that takes as long as the
/// disk takes to read the file. Blocks; a server that has it open goes on. Changes nothing.
///
/// # Errors
/// [`BackupError::Missing`] where there is none, [`BackupError::Database`] where it can't be read at all, and [`BackupError::Open`]
/// where a newer version has written it.
pub fn inspect(path: &Path) -> Result<Inspection, BackupError> {
    let size = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
    if !path.exists() {
        return Err(BackupError::Missing(path.to_owned()));
    }
    let unreadable = |reason: String| BackupError::Database { path: path.to_owned(), reason };
    let mut connection = connection::reading(path).map_err(|error| unreadable(error.to_string()))?;
    let mut faults = faults(&mut connection, FAULTS).map_err(unreadable)?;
    if faults.is_empty()
        && !migrate::is_ours(&mut connection).map_err(|error| unreadable(error.to_string()))?
    {
        faults.push(NOT_OURS.to_owned());
    }
    let pending = if faults.is_empty() { migrate::waiting(&mut connection, path)? } else { Vec::new() };
    let (bytes, log_bytes) = (size(path), size(&beside(path, "-wal")));
    Ok(Inspection { bytes, log_bytes, faults, pending })
}

#[derive(QueryableByName)]
struct Finding {
    #[diesel(sql_type = Text)]
    integrity_check: String,
}

/// What is wrong with a database, so many faults at most. An error says that it can't be read.
pub(crate) fn faults(connection: &mut SqliteConnection, most: usize) -> Result<Vec<String>, String> {
    let findings: Vec<Finding> = diesel::sql_query(format!("PRAGMA integrity_check({most})"))
        .load(connection)
        .map_err(|error| error.to_string())?;
    Ok(findings
        .into_iter()
        .map(|finding| finding.integrity_check)
        .filter(|finding| finding != "ok")
        .collect())
}
