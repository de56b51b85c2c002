//! Why a database could not be opened.

use std::error::Error;

use crate::DbError;

/// Why a database could not be opened. No text contains the password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process uses the database.
    #[error("the database {url} is in use by another chatd")]
    InUse {
        /// The address, without the password.
        url: String,
    },
    /// The server can't be reached, refuses the connection, or is not writable.
    #[error("the database {url} can't be opened: {reason}")]
    Open {
        /// The address, without the password.
        url: String,
        /// The cause.
        reason: String,
    },
    /// A newer program has changed the schema. This program refuses to write to it.
    #[error("the database {url} is newer than this program: it has the migration {version}")]
    Newer {
        /// The address, without the password.
        url: String,
        /// The first migration that this program does not know.
        version: String,
    },
    /// The database is a copy that is not finished.
    #[error(
        "the database {url} is an unfinished copy of {source_name}: run chatd migrate-database again to finish it"
    )]
    Unfinished {
        /// The address, without the password.
        url: String,
        /// The database that is copied, without a password.
        source_name: String,
    },
    /// A migration failed. The migrations before it have been applied.
    #[error("the database {url} can't be migrated: {reason}")]
    Migrate {
        /// The address, without the password.
        url: String,
        /// The cause.
        reason: String,
    },
}

/// The text of an error and of its causes.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// The error of a connection that could not be made.
pub(crate) fn not_connected(error: &dyn Error) -> DbError {
    DbError::failure(&format_args!("no connection: {}", chain(error)))
}
