//! `chatd backup` and `chatd restore`.

use std::path::{Path, PathBuf};

use chat_db::backup::{self, BackupError};
use clap::Args;

use crate::cli::options::Database;
use crate::cli::text::plural;
use crate::config::USUAL_FILE;

/// What to copy, and where to.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    #[command(flatten)]
    database: Located,

    /// The new file
    to: PathBuf,
}

/// What to put back.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    database: Located,

    /// The backup
    from: PathBuf,
}

/// Where the database is: what is set for the server counts for these commands, too.
#[derive(Debug, Args)]
struct Located {
    /// The server's database file
    #[arg(long, env = "CHATD_DATABASE", value_name = "PATH", default_value = "./chatd.sqlite3")]
    database: Database,

    /// Configuration file of the server [default: chatd.toml in the current folder, if it exists]
    #[arg(long, env = "CHATD_CONFIG", value_name = "PATH", default_value = USUAL_FILE, hide_default_value = true)]
    config: PathBuf,
}

/// Nothing was backed up or restored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error("the database is in memory (:memory:): name a database file with --database")]
    InMemory,
}

impl Located {
    fn path(&self) -> Result<&Path, CopyError> {
        match &self.database {
            Database::File(path) => Ok(path),
            Database::Memory => Err(CopyError::InMemory),
        }
    }
}

impl Backup {
    pub(crate) fn run(&self) -> Result<String, CopyError> {
        let bytes = backup::back_up(self.database.path()?, &self.to)?;
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        Ok(format!("{}: {}, checked", self.to.display(), plural(bytes, "byte")))
    }
}

impl Restore {
    pub(crate) fn run(&self) -> Result<String, CopyError> {
        let database = self.database.path()?;
        let replaced = backup::restore(&self.from, database)?;
        let kept =
            replaced.map_or(String::new(), |path| format!("; the old database is now {}", path.display()));
        Ok(format!("{} is restored to {}{kept}", self.from.display(), database.display()))
    }
}
