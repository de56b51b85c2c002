//! `chatd search`: the index for searches.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chat_history::{Retention, SqliteHistory, SqliteHistoryLog};
use chat_search::{Progress, SqliteIndex, rebuild};
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::{Database, DatabaseLocation, SearchCommand, plural};

/// Why the index was not built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SearchCommandError {
    #[error(transparent)]
    Open(#[from] chat_db::sqlite::OpenError),
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
    let Database::File(path) = &location.database else { return Err(SearchCommandError::InMemory) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // excludes a running server
    let database = chat_db::sqlite::Database::open(path)?;
    let path = index_path(path);
    SqliteIndex::remove(&path)?;
    let Progress { rooms, messages, .. } = runtime.block_on(async {
        let index = SqliteIndex::open(&path)?;
        let history = Arc::new(SqliteHistory::open(database.clone()).await?);
        let log = SqliteHistoryLog::new(database.clone());
        let bar = progress_bar();
        // what retention does not keep, the server removes
        let built = rebuild(&log, history, &index, Retention::default(), |progress| {
            bar.set_message(describe(progress));
        });
        let built = built.await;
        bar.finish_and_clear();
        index.close().await;
        database.close().await;
        Ok::<_, SearchCommandError>(built?)
    })?;
    Ok(format!("{}: {} in {}", path.display(), count(messages, "message"), count(rooms, "room")))
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
