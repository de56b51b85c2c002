//! What can go wrong with a database, as a person reads it and a program tells it apart.

use std::path::PathBuf;

/// What to do about a database that is damaged.
const REMEDY: &str = "restore a backup, or recover what is still readable with sqlite3's .recover";

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
    #[error("the database {} can't be opened: {source}", path.display())]
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
    /// What is in the file is not what SQLite has written there.
    #[error("the database {} is damaged: {reason}; {REMEDY}", path.display())]
    Damaged {
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
    #[error("the database {} can't be migrated: {reason}", path.display())]
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
    /// The database failed: full, locked, read-only. Everything in the same transaction was given up. After
    /// a failed commit the work may have reached the disk all the same.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// What is in the file is not what SQLite has written there. Everything in the same transaction was given up.
    #[error("the database is damaged: {0}; {REMEDY}")]
    Damaged(String),
    /// The database was closed.
    #[error("the database is closed")]
    Closed,
}

impl DbError {
    /// Of what failed as a whole, as SQLite or diesel says it.
    pub(crate) fn failure(error: &dyn std::fmt::Display) -> Self {
        let reason = error.to_string();
        if is_damage(&reason) { Self::Damaged(reason) } else { Self::Unavailable(reason) }
    }
}

/// Whether SQLite says that the file is not what it has written there. diesel passes on the text of `SQLITE_CORRUPT` and
/// `SQLITE_NOTADB` (<https://sqlite.org/rescode.html>), and not their codes.
pub(crate) fn is_damage(reason: &str) -> bool {
    ["database disk image is malformed", "file is not a database"].iter().any(|text| reason.contains(text))
}
