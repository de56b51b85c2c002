//! The errors of this crate: a kind for programs, a text for people.

use std::io;
use std::path::{Path, PathBuf};

/// The text of `SQLITE_CORRUPT`.
const MALFORMED: &str = "database disk image is malformed";

/// What to do about a damaged database.
const REMEDY: &str = "restore a backup, or recover what is still readable with sqlite3's .recover";

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has the database open. Only one process may use a file, because two would
    /// not know each other's members.
    #[error("the database {} is in use by another chatd", path.display())]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// The lock file next to the database could not be created or locked.
    #[error("the database {} can't be opened: {source}", path.display())]
    Lock {
        /// The database file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// SQLite can't open the file, or the file is not a database.
    #[error("the database {} can't be opened: {reason}", path.display())]
    Open {
        /// The database file.
        path: PathBuf,
        /// The message of SQLite.
        reason: String,
    },
    /// The content of the file is not what SQLite wrote.
    #[error("the database {} is damaged: {reason}; {REMEDY}", path.display())]
    Damaged {
        /// The database file.
        path: PathBuf,
        /// The message of SQLite.
        reason: String,
    },
    /// A newer program has changed the schema. This program refuses to write to it.
    #[error("the database {} is newer than this program: it has the migration {version}", path.display())]
    Newer {
        /// The database file.
        path: PathBuf,
        /// The first migration that this program does not know.
        version: String,
    },
    /// A migration failed. The migrations before it have been applied.
    #[error("the database {} can't be migrated: {reason}", path.display())]
    Migrate {
        /// The database file.
        path: PathBuf,
        /// The cause.
        reason: String,
    },
}

impl OpenError {
    /// The file can't be opened, or its schema can't be read.
    pub(crate) fn open(path: &Path, reason: &impl ToString) -> Self {
        let (path, reason) = (path.to_owned(), reason.to_string());
        if reason.contains(MALFORMED) { Self::Damaged { path, reason } } else { Self::Open { path, reason } }
    }

    /// A migration failed.
    pub(crate) fn migrate(path: &Path, reason: &impl ToString) -> Self {
        let (path, reason) = (path.to_owned(), reason.to_string());
        if reason.contains(MALFORMED) {
            Self::Damaged { path, reason }
        } else {
            Self::Migrate { path, reason }
        }
    }
}

/// What kind of failure a [`DbError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DbErrorKind {
    /// The statement failed by itself.
    Query,
    /// Another connection holds a lock on the database.
    Busy,
    /// The disk or the database is full.
    Full,
    /// The content of the file is not what SQLite wrote.
    Damaged,
    /// The database was closed.
    Closed,
    /// Any other failure of the database.
    Unavailable,
}

/// Why work on the database has no result. Unless a variant says otherwise, the work had no effect.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DbError {
    /// The statement failed for a reason of its own, such as a constraint or a missing row. Other
    /// work was not affected.
    #[error("{0}")]
    Query(String),
    /// The database failed: it is full, locked or read-only. The whole transaction was rolled back.
    /// If the commit failed, the work may have reached the disk nevertheless.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The content of the file is not what SQLite wrote. The whole transaction was rolled back.
    #[error("the database is damaged: {0}; {REMEDY}")]
    Damaged(String),
    /// The database was closed.
    #[error("the database is closed")]
    Closed,
}

impl DbError {
    /// The error of a failure that concerns the whole transaction, from the text of SQLite or
    /// diesel.
    pub(crate) fn failure(error: &dyn std::fmt::Display) -> Self {
        let reason = error.to_string();
        if is_damage(&reason) { Self::Damaged(reason) } else { Self::Unavailable(reason) }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> DbErrorKind {
        match self {
            Self::Query(_) => DbErrorKind::Query,
            Self::Damaged(_) => DbErrorKind::Damaged,
            Self::Closed => DbErrorKind::Closed,
            Self::Unavailable(reason) if contains_any(reason, &["is locked"]) => DbErrorKind::Busy,
            Self::Unavailable(reason) if contains_any(reason, &["disk is full"]) => DbErrorKind::Full,
            Self::Unavailable(_) => DbErrorKind::Unavailable,
        }
    }
}

/// Why there is no backup, or nothing was restored. Files that existed before are unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The file does not exist.
    #[error("the file {} does not exist", .0.display())]
    Missing(PathBuf),
    /// The target exists. A backup never overwrites a file.
    #[error("the file {} exists already: choose another name for the backup", .0.display())]
    Exists(PathBuf),
    /// Another backup to this file, or a restore to it, is running.
    #[error("the file {} is being written by another chatd", .0.display())]
    BeingWritten(PathBuf),
    /// SQLite could not read or write one of the files.
    #[error("{}: {reason}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// The message of SQLite.
        reason: String,
    },
    /// The file is damaged, or not a chatd database.
    #[error("{} is not a sound chatd database: {reason}", path.display())]
    Unsound {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file has a write-ahead log with its newest data: it was copied while a server used it.
    #[error(
        "{} has a write-ahead log beside it: it is not a backup, but a copy of a database that was in use",
        .0.display()
    )]
    InUse(PathBuf),
    /// The database is in use, or newer than the program.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A system call failed.
    #[error("{}: {source}", path.display())]
    System {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Whether SQLite reports that the content of the file is not what SQLite wrote. diesel passes on
/// the texts of `SQLITE_CORRUPT` and `SQLITE_NOTADB` (<https://sqlite.org/rescode.html>), but not
/// the codes.
pub(crate) fn is_damage(reason: &str) -> bool {
    contains_any(reason, &[MALFORMED, "file is not a database"])
}

fn contains_any(reason: &str, texts: &[&str]) -> bool {
    texts.iter().any(|text| reason.contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_failure_is_known_from_its_text() {
        for (text, kind) in [
            ("database is locked", DbErrorKind::Busy),
            ("database table is locked", DbErrorKind::Busy),
            ("database or disk is full", DbErrorKind::Full),
            ("database disk image is malformed", DbErrorKind::Damaged),
            ("attempt to write a readonly database", DbErrorKind::Unavailable),
        ] {
            assert_eq!(DbError::failure(&text).kind(), kind, "{text}");
        }
    }
}
