//! Detects that the open files are no longer those that the next start would find.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use metrics::{Gauge, describe_gauge, gauge};

use super::file_id::FileId;
use super::paths::sibling_path;
use crate::DbError;

/// A check is reused for this long: under load one check serves many transactions.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// Compares the open files with those at the database's path. SQLite does not do this: it continues
/// to write to a file that was removed or moved, and everything in it is lost with the process.
#[derive(Debug)]
pub(crate) struct Watch {
    database: Watched,
    /// The write-ahead log, which alone contains the newest messages. `None` until the writer has
    /// opened it.
    log: Option<Watched>,
    /// The time and the result of the last check.
    last: Option<(Instant, Result<(), Misplaced>)>,
    in_place: Gauge,
}

#[derive(Debug)]
struct Watched {
    path: PathBuf,
    id: FileId,
}

/// What is wrong with the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misplaced {
    #[error(
        "the database file was removed or moved; put it back, or restart chatd to use what is there then"
    )]
    DatabaseMissing,
    #[error("the database file was replaced by another file; restart chatd to use that one")]
    DatabaseReplaced,
    #[error("the database's write-ahead log was removed or replaced; restart chatd")]
    Log,
    #[error("the path of the database file can't be read any more: {0}")]
    Unreadable(io::ErrorKind),
}

impl From<Misplaced> for DbError {
    fn from(misplaced: Misplaced) -> Self {
        Self::Unavailable(misplaced.to_string())
    }
}

impl Watch {
    /// Watches the database file with this id.
    pub(crate) fn new(path: &Path, id: FileId) -> Self {
        describe_gauge!(
            "chatd_database_in_place",
            "1 while the open database file is the one at its path, 0 after it was removed, moved or replaced"
        );
        let in_place = gauge!("chatd_database_in_place");
        in_place.set(1.0);
        Self { database: Watched { path: path.to_owned(), id }, log: None, last: None, in_place }
    }

    /// Sets the write-ahead log to the one of a new connection.
    pub(crate) fn set_log(&mut self) {
        // SQLite resolves links before it names its log
        let database = self.database.path.canonicalize().unwrap_or_else(|_| self.database.path.clone());
        let path = sibling_path(&database, "-wal");
        self.log = FileId::at(&path).ok().map(|id| Watched { path, id });
    }

    /// Forgets the log after its connection was closed: SQLite removes the log with the last
    /// connection.
    pub(crate) fn forget_log(&mut self) {
        self.log = None;
        self.last = None;
    }

    /// Whether the files are in place, as of at most [`CHECK_INTERVAL`] ago.
    pub(crate) fn check(&mut self, now: Instant) -> Result<(), Misplaced> {
        match self.last {
            Some((at, found)) if now.saturating_duration_since(at) < CHECK_INTERVAL => found,
            _ => self.check_now(now),
        }
    }

    /// Whether the files are in place now.
    pub(crate) fn check_now(&mut self, now: Instant) -> Result<(), Misplaced> {
        let found = self.compare();
        self.in_place.set(if found.is_ok() { 1.0 } else { 0.0 });
        self.last = Some((now, found));
        found
    }

    fn compare(&self) -> Result<(), Misplaced> {
        match self.database.is_in_place() {
            Ok(true) => {}
            Ok(false) => return Err(Misplaced::DatabaseReplaced),
            Err(error) if is_missing(&error) => return Err(Misplaced::DatabaseMissing),
            Err(error) => return Err(Misplaced::Unreadable(error.kind())),
        }
        match self.log.as_ref().map(Watched::is_in_place) {
            None | Some(Ok(true)) => Ok(()),
            Some(Ok(false)) => Err(Misplaced::Log),
            Some(Err(error)) if is_missing(&error) => Err(Misplaced::Log),
            Some(Err(error)) => Err(Misplaced::Unreadable(error.kind())),
        }
    }
}

impl Watched {
    fn is_in_place(&self) -> io::Result<bool> {
        Ok(FileId::at(&self.path)? == self.id)
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
