//! Whether the files that are open are still those that the next start would find.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use metrics::{Gauge, describe_gauge, gauge};

use crate::DbError;
use crate::file_id::FileId;

/// Transactions that follow sooner than this after a look rely on it: under load one look serves many.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Compares the files that are open with those at the database's path. SQLite does not: it goes on writing to a file that was removed or
/// moved, and all of that is lost with the process.
#[derive(Debug)]
pub(crate) struct Watch {
    database: Watched,
    /// The write-ahead log: the newest messages are in it alone. `None` until the writer has opened it.
    log: Option<Watched>,
    /// When the files were looked at last, and what was found.
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

    /// Notes which write-ahead log a new connection writes to.
    pub(crate) fn note_log(&mut self) {
        // SQLite follows links before it names its log
        let database = self.database.path.canonicalize().unwrap_or_else(|_| self.database.path.clone());
        let mut path = OsString::from(database);
        path.push("-wal");
        let path = PathBuf::from(path);
        self.log = FileId::at(&path).ok().map(|id| Watched { path, id });
    }

    /// The connection that wrote to the log is closed: with the last one SQLite removes it.
    pub(crate) fn forget_log(&mut self) {
        self.log = None;
        self.last = None;
    }

    /// Whether the files are in place, as of at most [`LOOK_EVERY`] ago.
    pub(crate) fn look(&mut self, now: Instant) -> Result<(), Misplaced> {
        match self.last {
            Some((at, found)) if now.saturating_duration_since(at) < LOOK_EVERY => found,
            _ => self.look_now(now),
        }
    }

    /// Whether the files are in place now.
    pub(crate) fn look_now(&mut self, now: Instant) -> Result<(), Misplaced> {
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
