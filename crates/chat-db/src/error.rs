//! What can go wrong with a database, as a person reads it and a program tells it apart.

use std::path::PathBuf;

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open. One process to a file: two would not know of each other's members.
    #[error("the database {} is in use by another chatd", path.display())]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// The lock file beside the database could not be made.
    #[error("the database {} can't be opened, nor its lock file: {source}", path.display())]
    Lock {
        /// The database.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// SQLite can't open the file, or it is no database.
    #[error("the database {} can't be opened: {reason}", path.display())]
    Open {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// A newer program has changed the schema; this one does not know what it would break.
    #[error("the database {} is newer than this program: it has the migration {version}", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// The first migration that this program does not have.
        version: String,
    },
    /// A migration failed. Migrations before it stand.
    #[error("the database {} can't be brought up to date: {reason}", path.display())]
    Migrate {
        /// The database.
        path: PathBuf,
        /// What failed.
        reason: String,
    },
}

/// Why work on the database has no result. Unless it says so, nothing of that work is in the database.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DbError {
    /// The statement failed for a reason of its own (a constraint, nothing found); other work was not affected.
    #[error("{0}")]
    Query(String),
    /// The database failed: full, locked, read-only, damaged. Everything in the same transaction was given up. After
    /// a failed commit the work may have reached the disk all the same.
    #[error("the database does not answer: {0}")]
    Unavailable(String),
    /// The database was closed.
    #[error("the database is closed")]
    Closed,
}
