//! `chatd backup` and `chatd restore`.

use std::path::PathBuf;

use chat_db::backup::{self, BackupError};
use clap::Args;

/// What to copy, and where to.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    #[command(flatten)]
    database: File,

    /// The new file
    to: PathBuf,
}

/// What to put back.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    database: File,

    /// The backup
    from: PathBuf,
}

#[derive(Debug, Args)]
struct File {
    /// The server's database file
    #[arg(long, env = "CHATD_DATABASE", value_name = "PATH", default_value = "./chatd.sqlite3")]
    database: PathBuf,
}

impl Backup {
    pub(crate) fn run(&self) -> Result<String, BackupError> {
        let bytes = backup::back_up(&self.database.database, &self.to)?;
        Ok(format!("{}: {bytes} bytes, checked", self.to.display()))
    }
}

impl Restore {
    pub(crate) fn run(&self) -> Result<String, BackupError> {
        let database = &self.database.database;
        let replaced = backup::restore(&self.from, database)?;
        let kept = replaced.map_or(String::new(), |path| format!("; what was there is {}", path.display()));
        Ok(format!("{} is in the place of {}{kept}", self.from.display(), database.display()))
    }
}
