//! `chatd search`: the index for searches.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chat_db::{postgres, sqlite};
use chat_history::{
    HistoryLog, HistoryStore, PostgresHistory, PostgresHistoryLog, Retention, SqliteHistory, SqliteHistoryLog,
};
use chat_search::{PostgresIndex, Progress, SearchIndex, SqliteIndex, rebuild};
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::{Database, DatabaseLocation, DatabaseUrlError, SearchCommand, plural};

/// Why the index was not built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SearchCommandError {
    #[error(transparent)]
    OpenFile(#[from] sqlite::OpenError),
    #[error(transparent)]
    OpenPostgres(#[from] postgres::OpenError),
    #[error(transparent)]
    DatabaseUrl(#[from] DatabaseUrlError),
    #[error(transparent)]
    History(#[from] chat_history::HistoryError),
    #[error(transparent)]
    Index(#[from] chat_search::SearchError),
    #[error(transparent)]
    Rebuild(#[from] chat_search::RebuildError),
    #[error("the database is in memory (:memory:): name a database file with --database")]
    InMemory,
    #[error("the runtime can't be started: {0}")]
    Runtime(#[from] io::Error),
}

/// The file of the index of this database.
pub(super) fn index_path(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".search");
    path.into()
}

/// Runs the command, and returns what to print.
pub(crate) fn run(command: &SearchCommand) -> Result<String, SearchCommandError> {
    match command {
        SearchCommand::Rebuild(location) => build(location),
    }
}

/// Builds the index of a database from the start, while the server is stopped.
fn build(location: &DatabaseLocation) -> Result<String, SearchCommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (place, Progress { rooms, messages, .. }) = match &location.database {
        Database::Memory => return Err(SearchCommandError::InMemory),
        Database::File(path) => {
            // excludes a running server
            let database = sqlite::Database::open(path)?;
            let path = index_path(path);
            SqliteIndex::remove(&path)?;
            let progress = runtime.block_on(async {
                let index = SqliteIndex::open(&path)?;
                let history = SqliteHistory::open(database.clone()).await?;
                let built = show(&SqliteHistoryLog::new(database.clone()), history, &index).await;
                index.close().await;
                database.close().await;
                built
            })?;
            (path.display().to_string(), progress)
        }
        Database::Postgres(url) => {
            let url = url.resolve(location.database_password_file.0.as_deref())?;
            let database = postgres::Database::open(&url, &postgres::Options::default())?;
            let progress = runtime.block_on(async {
                let index = PostgresIndex::open(database.clone()).await?;
                let history = PostgresHistory::open(database.clone()).await?;
                let built = show(&PostgresHistoryLog::new(database.clone()), history, &index).await;
                database.close().await;
                built
            })?;
            (url.to_string(), progress)
        }
    };
    Ok(format!("{place}: {} in {}", count(messages, "message"), count(rooms, "room")))
}

/// Builds the index, and shows the progress.
async fn show(
    log: &impl HistoryLog,
    history: impl HistoryStore,
    index: &impl SearchIndex,
) -> Result<Progress, SearchCommandError> {
    let bar = progress_bar();
    // what retention does not keep, the server removes
    let built = rebuild(log, Arc::new(history), index, Retention::default(), |progress| {
        bar.set_message(describe(progress));
    });
    let built = built.await;
    bar.finish_and_clear();
    Ok(built?)
}

fn progress_bar() -> ProgressBar {
    const TICK: Duration = Duration::from_millis(100);
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}, {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}

fn describe(Progress { rooms, messages, .. }: Progress) -> String {
    format!("{} of {}", count(messages, "message"), count(rooms, "room"))
}

fn count(number: u64, noun: &str) -> String {
    plural(usize::try_from(number).unwrap_or(usize::MAX), noun)
}
