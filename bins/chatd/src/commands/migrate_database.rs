//! `chatd migrate-database`.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chat_db::copy::{self, Copied, CopyError, Place, Progress, Step};
use chat_db::postgres::InvalidUrl;
use chat_search::SqliteIndex;
use indicatif::{ProgressBar, ProgressStyle};

use super::search::index_path;
use crate::cli::{Database, DatabaseUrlError, MigrateDatabase, plural};

/// Why the database was not copied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MigrateDatabaseError {
    #[error(transparent)]
    Copy(#[from] CopyError),
    #[error("{option}: a database in memory (:memory:) can't be copied")]
    InMemory { option: &'static str },
    #[error("{option}: {source}")]
    Url { option: &'static str, source: InvalidUrl },
    #[error("--password-file: {} can't be read: {source}", path.display())]
    PasswordFile { path: PathBuf, source: io::Error },
    #[error("the old index for searches can't be removed: {0}")]
    Index(#[from] chat_search::SearchError),
}

/// Copies the database, or continues an unfinished copy, and returns what to print.
pub(crate) fn run(arguments: &MigrateDatabase) -> Result<String, MigrateDatabaseError> {
    let password_file = arguments.password_file.as_deref();
    let from = place("--from", &arguments.from, password_file)?;
    let to = place("--to", &arguments.to, password_file)?;
    let bar = progress_bar();
    let copied = copy::copy(&from, &to, |progress| show(&bar, progress));
    bar.finish_and_clear();
    let copied = copied?;
    if let Place::File(path) = &to {
        // an index that is left from another database: the server builds it again
        SqliteIndex::remove(&index_path(path))?;
    }
    Ok(describe(copied))
}

fn place(
    option: &'static str,
    database: &Database,
    password_file: Option<&Path>,
) -> Result<Place, MigrateDatabaseError> {
    match database {
        Database::Memory => Err(MigrateDatabaseError::InMemory { option }),
        Database::File(path) => Ok(Place::File(path.clone())),
        Database::Postgres(url) => url
            .resolve(password_file)
            .map(|url| Place::Postgres(Box::new(url)))
            .map_err(|error| match error {
                DatabaseUrlError::Url(source) => MigrateDatabaseError::Url { option, source },
                DatabaseUrlError::PasswordFile { path, source } => {
                    MigrateDatabaseError::PasswordFile { path, source }
                }
            }),
    }
}

fn progress_bar() -> ProgressBar {
    const TICK: Duration = Duration::from_millis(100);
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {elapsed_precise} {msg}, {eta} left") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}

fn show(bar: &ProgressBar, Progress { step, table, rows, total, .. }: Progress) {
    let doing = match step {
        Step::Copy => "copying",
        _ => "verifying",
    };
    if rows < bar.position() {
        // the next step begins at the start
        bar.reset_eta();
    }
    bar.set_length(total);
    bar.set_position(rows);
    bar.set_message(format!("{doing} {table}: {rows} of {}", count(total, "row")));
}

fn describe(Copied { tables, rows, messages, resumed, keeps_epoch, .. }: Copied) -> String {
    let what = [count(tables as u64, "table"), count(rows, "row"), count(messages, "message")];
    let mut text = format!("copied {}, verified", what.join(", "));
    if resumed > 0 {
        text += &format!("; {} had been copied before", count(resumed, "row"));
    }
    if !keeps_epoch {
        text += "; the next start begins a new epoch, because the source was restored or replaced";
    }
    text
}

fn count(number: u64, noun: &str) -> String {
    plural(usize::try_from(number).unwrap_or(usize::MAX), noun)
}
