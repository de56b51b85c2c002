//! Why a database file could not be opened, copied or restored.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{MALFORMED, REMEDY};

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
    /// The database is a copy that is not finished.
    #[error(
        "the database {} is an unfinished copy of {source_name}: run chatd migrate-database again to finish it",
        path.display()
    )]
    Unfinished {
        /// The database file.
        path: PathBuf,
        /// The database that is copied, without a password.
        source_name: String,
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
