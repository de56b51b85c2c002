//! `chatd admin new-epoch`: what a restored database needs that chatd can't recognise.

use chat_db::{postgres, sqlite};

use crate::cli::{Database, DatabaseLocation, DatabaseUrlError};

/// Why no new epoch begins.
#[derive(Debug, thiserror::Error)]
pub(in crate::commands) enum NewEpochError {
    #[error(transparent)]
    File(#[from] sqlite::OpenError),
    #[error(transparent)]
    Postgres(#[from] postgres::OpenError),
    #[error(transparent)]
    Url(#[from] DatabaseUrlError),
    #[error("the database is in memory (:memory:): each start begins a new epoch")]
    InMemory,
}

/// Makes the next start begin a new epoch, and returns what to print.
pub(super) fn run(location: &DatabaseLocation) -> Result<String, NewEpochError> {
    match &location.database {
        Database::Memory => return Err(NewEpochError::InMemory),
        Database::File(path) => sqlite::migrate::forget_identity(path)?,
        Database::Postgres(url) => {
            let url = url.resolve(location.database_password_file.0.as_deref())?;
            postgres::migrate::forget_identity(&url)?;
        }
    }
    Ok("the next start begins a new epoch".to_owned())
}
