//! The arguments of `chatd migrate-database`.

use std::path::PathBuf;

use clap::Args;

use super::Database;

/// The arguments of `chatd migrate-database`.
#[derive(Debug, Args)]
pub(crate) struct MigrateDatabase {
    /// The database to copy: a file, or a PostgreSQL server
    #[arg(long, value_name = "PATH|URL")]
    pub(crate) from: Database,

    /// The new database: a PostgreSQL server if --from is a file, and a file otherwise
    #[arg(long, value_name = "PATH|URL")]
    pub(crate) to: Database,

    /// File with the password for PostgreSQL [default: the password in the URL, or PGPASSWORD]
    #[arg(long, value_name = "PATH")]
    pub(crate) password_file: Option<PathBuf>,
}
