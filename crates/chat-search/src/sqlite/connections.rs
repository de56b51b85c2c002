//! The file, and the connections to it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Hours, schema};
use crate::{SearchError, SearchErrorKind};

/// How many searches run at the same time.
const MAX_READERS: usize = 2;

/// The connection that writes, and those that read.
pub(super) struct Connections {
    path: PathBuf,
    writer: Mutex<Writer>,
    /// One permit for each connection that may read.
    free: Arc<Semaphore>,
    /// Connections that are not in use, and how often the file was replaced.
    idle: Mutex<(u64, Vec<SqliteConnection>)>,
}

enum Writer {
    Open(SqliteConnection),
    /// A transaction failed. The file is opened again, so that nothing is left of it.
    Failed,
    Closed,
}

impl Connections {
    /// Opens the file. Replaces one that can't be used.
    pub(super) fn open(path: &Path) -> Result<(Self, Hours), SearchError> {
        let (writer, hours) = match open(path) {
            Ok(Some(opened)) => opened,
            Ok(None) => {
                tracing::info!(path = %path.display(), "the search index is of another version, and is built again");
                remove_files(path)?;
                create(path)?
            }
            Err(Unusable::Damaged(reason)) => {
                tracing::warn!(path = %path.display(), reason, "the search index is damaged, and is built again");
                remove_files(path)?;
                create(path)?
            }
            Err(Unusable::Foreign) => {
                tracing::warn!(path = %path.display(), "the file is not a search index, and is renamed");
                set_aside(path)?;
                create(path)?
            }
            Err(Unusable::Failed(error)) => return Err(error),
        };
        let connections = Self {
            path: path.to_owned(),
            writer: Mutex::new(Writer::Open(writer)),
            free: Arc::new(Semaphore::new(MAX_READERS)),
            idle: Mutex::default(),
        };
        Ok((connections, hours))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `work` on the connection that writes. Blocks while others do.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> QueryResult<T>,
    ) -> Result<T, SearchError> {
        let mut writer = self.writer.lock();
        if matches!(*writer, Writer::Failed) {
            *writer = Writer::Open(connect(&self.path, "rw", WRITING)?);
        }
        let Writer::Open(connection) = &mut *writer else { return Err(closed()) };
        let value = work(connection);
        if value.is_err() {
            *writer = Writer::Failed;
        }
        value.map_err(|error| failure(&error))
    }

    /// Waits for a connection that reads. The caller holds the permit until the read is done.
    pub(super) async fn reader(&self) -> Result<OwnedSemaphorePermit, SearchError> {
        Arc::clone(&self.free).acquire_owned().await.map_err(|_| closed())
    }

    /// Runs `work` on a connection that reads. One that failed is not used again.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> QueryResult<T>,
    ) -> Result<T, SearchError> {
        let (file, idle) = {
            let mut idle = self.idle.lock();
            (idle.0, idle.1.pop())
        };
        let mut connection = match idle {
            Some(connection) => connection,
            None => connect(&self.path, "rw", READING)?,
        };
        let value = work(&mut connection).map_err(|error| failure(&error))?;
        let mut idle = self.idle.lock();
        if idle.0 == file {
            idle.1.push(connection);
        }
        Ok(value)
    }

    /// Replaces the file by an empty index.
    pub(super) fn recreate(&self) -> Result<Hours, SearchError> {
        let mut writer = self.writer.lock();
        if matches!(*writer, Writer::Closed) {
            return Err(closed());
        }
        *writer = Writer::Failed;
        let outdated = {
            let mut idle = self.idle.lock();
            idle.0 += 1;
            std::mem::take(&mut idle.1)
        };
        drop(outdated);
        remove_files(&self.path)?;
        let (connection, hours) = create(&self.path)?;
        *writer = Writer::Open(connection);
        // those that were opened meanwhile may be of the file before
        self.idle.lock().0 += 1;
        Ok(hours)
    }

    /// Waits for those that read, and closes their connections.
    pub(super) async fn close_readers(&self) {
        let all = self.free.acquire_many(MAX_READERS as u32).await;
        self.free.close();
        drop(all);
        let idle = std::mem::take(&mut self.idle.lock().1);
        drop(idle);
    }

    /// Waits for the one that writes, and closes its connection. Blocks.
    pub(super) fn close_writer(&self) {
        let writer = std::mem::replace(&mut *self.writer.lock(), Writer::Closed);
        drop(writer);
    }
}

/// WAL lets searches continue while it writes. After a power cut the last updates may be missing;
/// they are applied again. What is deleted is overwritten with zeros. The log may grow to 4,000
/// pages (16 MiB) before it is copied to the file.
const WRITING: &str = "PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
    PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;
    PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 33554432;";

const READING: &str = "PRAGMA busy_timeout = 2000; PRAGMA query_only = ON; PRAGMA cache_size = -8192;";

/// Why a file is not used.
enum Unusable {
    /// It is not a database, or not what was written.
    Damaged(String),
    /// It is a database of another program.
    Foreign,
    /// It can't be opened.
    Failed(SearchError),
}

impl From<SearchError> for Unusable {
    fn from(error: SearchError) -> Self {
        match error.kind() {
            SearchErrorKind::Damaged => Self::Damaged(error.to_string()),
            _ => Self::Failed(error),
        }
    }
}

/// Opens the file, or creates it. `None` if it is an index of another version.
fn open(path: &Path) -> Result<Option<(SqliteConnection, Hours)>, Unusable> {
    if !path.exists() {
        return Ok(Some(create(path)?));
    }
    // a connection that changes nothing, because the file may be of another program
    let mut connection = connect(path, "rw", "PRAGMA busy_timeout = 2000")?;
    let stamp = schema::stamp(&mut connection).map_err(|error| failure(&error))?;
    match stamp {
        schema::Stamp::Empty => {
            drop(connection);
            remove_files(path)?;
            Ok(Some(create(path)?))
        }
        schema::Stamp::Foreign => Err(Unusable::Foreign),
        schema::Stamp::Other => Ok(None),
        schema::Stamp::Current => {
            let opened = connection
                .batch_execute(WRITING)
                .and_then(|()| schema::check(&mut connection))
                .and_then(|()| schema::hours(&mut connection));
            match opened {
                Ok(hours) => Ok(Some((connection, hours))),
                // a table is missing or has other columns
                Err(error) if failure(&error).kind() == SearchErrorKind::Other => {
                    Err(Unusable::Damaged(error.to_string()))
                }
                Err(error) => Err(failure(&error).into()),
            }
        }
    }
}

fn create(path: &Path) -> Result<(SqliteConnection, Hours), SearchError> {
    // only its owner may read it, because messages are private; SQLite gives its other files the
    // permissions of this one
    let mut private = fs::OpenOptions::new();
    private.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut private, 0o600);
    private.open(path).map_err(|error| SearchError::new(SearchErrorKind::Other, error))?;
    let mut connection = connect(path, "rwc", WRITING)?;
    connection.immediate_transaction(schema::create).map_err(|error| failure(&error))?;
    Ok((connection, Hours::new()))
}

fn connect(path: &Path, mode: &str, setup: &str) -> Result<SqliteConnection, SearchError> {
    let not_utf8 = || SearchError::new(SearchErrorKind::Other, "the path of the index is not UTF-8");
    let text = path.to_str().ok_or_else(not_utf8)?;
    let authority = if text.starts_with('/') { "//" } else { "" };
    let escaped = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let uri = format!("file:{authority}{escaped}?mode={mode}");
    let mut connection = SqliteConnection::establish(&uri).map_err(|error| failure(&error))?;
    connection.batch_execute(setup).map_err(|error| failure(&error))?;
    Ok(connection)
}

/// The path with this appended.
fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The suffixes of the files of a database, itself included.
const FILES: [&str; 3] = ["", "-wal", "-shm"];

/// Removes the files of an index.
pub(super) fn remove_files(path: &Path) -> Result<(), SearchError> {
    for suffix in FILES {
        match fs::remove_file(sibling(path, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(SearchError::new(SearchErrorKind::Other, error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Renames the files of another program.
fn set_aside(path: &Path) -> Result<(), SearchError> {
    let aside = (0..).map(|n| if n == 0 { ".old".to_owned() } else { format!(".old{n}") });
    let mut aside = aside.map(|suffix| sibling(path, &suffix));
    let Some(aside) = aside.find(|aside| !aside.exists()) else { return Ok(()) };
    for suffix in FILES {
        match fs::rename(sibling(path, suffix), sibling(&aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(SearchError::new(SearchErrorKind::Other, error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn closed() -> SearchError {
    SearchError::new(SearchErrorKind::Closed, "it was closed")
}

/// The error of a connection, with its kind by the text of SQLite: diesel passes on the texts, but
/// not the codes.
fn failure(error: &dyn std::fmt::Display) -> SearchError {
    let reason = error.to_string();
    let has = |texts: &[&str]| texts.iter().any(|text| reason.contains(text));
    let kind = if has(&["is malformed", "not a database", "database corruption", "missing row"]) {
        SearchErrorKind::Damaged
    } else if has(&["is locked"]) {
        SearchErrorKind::Busy
    } else if has(&["disk is full"]) {
        SearchErrorKind::Full
    } else {
        SearchErrorKind::Other
    };
    SearchError::new(kind, reason)
}
