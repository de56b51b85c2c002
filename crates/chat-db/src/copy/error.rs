//! Why a database was not copied.

use std::path::PathBuf;

use crate::{postgres, sqlite};

/// Why a database was not copied, or the copy is not finished. An unfinished copy continues where
/// it was interrupted, unless a variant says otherwise. No text contains a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// Both databases are of the same kind.
    #[error("{0}")]
    SameKind(&'static str),
    /// The source does not exist.
    #[error("the file {} does not exist", .0.display())]
    Missing(PathBuf),
    /// The source is not a database of chatd, or the target is one of another program.
    #[error("{place} is not a chatd database")]
    NotOurs {
        /// The database.
        place: String,
    },
    /// The file can't be opened.
    #[error(transparent)]
    File(#[from] sqlite::OpenError),
    /// The database on the server can't be opened.
    #[error(transparent)]
    Postgres(#[from] postgres::OpenError),
    /// The target has rows, and they are not an unfinished copy. Nothing was changed.
    #[error("{target} is not empty: its table \"{table}\" has rows; copy into a new database")]
    NotEmpty {
        /// The target.
        target: String,
        /// A table with rows.
        table: &'static str,
    },
    /// The target is an unfinished copy of another database, or the source was used after the copy
    /// was begun. Nothing was changed.
    #[error("{target} is an unfinished copy of {source_name} in another state; copy into a new database")]
    OtherSource {
        /// The target.
        target: String,
        /// What the unfinished copy was made from.
        source_name: String,
    },
    /// A text has a character that PostgreSQL can't store.
    #[error(
        "the column \"{column}\" of the table \"{table}\" has a NUL character in the row {row}, which PostgreSQL can't store"
    )]
    Nul {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The key of the row.
        row: String,
    },
    /// The rows of the target are not those of the source. The copy can't be used.
    #[error(
        "the copy of the table \"{table}\" differs from the source: {source_rows} rows in the source, \
         {target_rows} in the copy, and the first difference is at the row {row}; copy into a new database"
    )]
    Differs {
        /// The table.
        table: &'static str,
        /// How many rows the source has.
        source_rows: u64,
        /// How many rows the target has.
        target_rows: u64,
        /// The key of the first row that differs.
        row: String,
    },
    /// One of the databases has failed.
    #[error("{place}: {reason}")]
    Database {
        /// The database.
        place: String,
        /// The message of the database.
        reason: String,
    },
}
