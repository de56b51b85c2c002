//! Copies of a database, made while it is written to, and put back.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_migrations::MigrationHarness;

use crate::lock::ProcessLock;
use crate::{OpenError, connection, inspect, migrate, seal};

/// Why there is no backup, or nothing was restored. What was there before is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// It is not there.
    #[error("there is no {}", .0.display())]
    Missing(PathBuf),
    /// Nothing is written over.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// SQLite could not read or write one of both.
    #[error("{}: {reason}", path.display())]
    Database {
        /// Which.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// It is damaged, or none of ours.
    #[error("{} is no sound database of chatd: {reason}", path.display())]
    Unsound {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The newest of it stands in a log beside it, so it was copied from under a running server.
    #[error("{} has a write-ahead log beside it: it is no backup, but a database that was in use", .0.display())]
    InUse(PathBuf),
    /// The database is in use, or newer than the program.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// What the system says.
    #[error("{}: {source}", path.display())]
    System {
        /// About which file.
        path: PathBuf,
        /// What.
        source: io::Error,
    },
}

/// Copies the database into a new file, whether or not a server has it open and writes to it: the copy has everything that was
/// committed before this began (`VACUUM INTO`, <https://sqlite.org/lang_vacuum.html>), and was read once more. Gives its size in bytes.
///
/// Blocks; writers go on meanwhile, and their log grows. A server that starts with the copy begins a new epoch.
///
/// # Errors
/// [`BackupError`]; there is no new file then.
pub fn back_up(database: &Path, to: &Path) -> Result<u64, BackupError> {
    if !database.exists() {
        return Err(BackupError::Missing(database.to_owned()));
    }
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let unfinished = Unfinished::beside(to)?;
    let copied = open(database).and_then(|mut from| {
        let name = unfinished.path.to_string_lossy().into_owned();
        diesel::sql_query("VACUUM INTO ?")
            .bind::<Text, _>(name)
            .execute(&mut from)
            .map_err(|error| error.to_string())
    });
    copied.map_err(|reason| BackupError::Database { path: database.to_owned(), reason })?;
    check(&unfinished.path, database)?;
    unfinished.finish(to)
}

/// Puts a backup in the place of the database, once it is copied and found sound. What was there is kept under another name, which is
/// given; none where nothing was there. It belongs to whoever owned that, or owns the folder. The server must
/// not run: it starts with a new epoch, so no client takes one message for another.
///
/// # Errors
/// [`BackupError`].
pub fn restore(backup: &Path, database: &Path) -> Result<Option<PathBuf>, BackupError> {
    let system = |path: &Path| {
        let path = path.to_owned();
        move |source| BackupError::System { path, source }
    };
    if !backup.exists() {
        return Err(BackupError::Missing(backup.to_owned()));
    }
    if fs::metadata(beside(backup, "-wal")).is_ok_and(|log| log.len() > 0) {
        return Err(BackupError::InUse(backup.to_owned()));
    }
    let lock = ProcessLock::take(database)?;
    let unfinished = Unfinished::beside(database)?;
    fs::copy(backup, &unfinished.path).map_err(system(backup))?;
    check(&unfinished.path, backup)?;
    let (was_there, replaced) = (database.exists(), replaced_name(database));
    // root restores, and the server is somebody else
    let owned = if was_there { database } else { folder(database) };
    for ours in [&unfinished.path, lock.path()] {
        give(ours, owned).map_err(system(ours))?;
    }
    if was_there {
        // nobody is to read more than before
        let permissions = fs::metadata(database).map_err(system(database))?.permissions();
        fs::set_permissions(&unfinished.path, permissions).map_err(system(database))?;
    }
    // the file before its log: without the file the log is nothing, without the log the file would have lost its newest
    for end in ["", "-wal", "-shm"] {
        let old = beside(database, end);
        if old.exists() {
            fs::rename(&old, beside(&replaced, end)).map_err(system(&old))?;
        }
    }
    unfinished.finish(database)?;
    // where the copy has the seal that is noted here, it would count as left by the last run
    lock.set_note("").map_err(system(database))?;
    Ok(was_there.then_some(replaced))
}

/// A file that becomes another one when it is whole; else it goes.
struct Unfinished {
    path: PathBuf,
}

impl Unfinished {
    fn beside(path: &Path) -> Result<Self, BackupError> {
        let path = beside(path, ".unfinished");
        // of an earlier try that was killed
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(BackupError::System { path, source })
            }
            _ => Ok(Self { path }),
        }
    }

    /// Gives it its name, once it is on the disk. Gives its size.
    fn finish(self, to: &Path) -> Result<u64, BackupError> {
        let finished = File::open(&self.path).and_then(|file| {
            file.sync_all()?;
            let size = file.metadata()?.len();
            fs::rename(&self.path, to)?;
            // the name is on the disk when its folder is
            File::open(folder(to))?.sync_all()?;
            Ok(size)
        });
        finished.map_err(|source| BackupError::System { path: to.to_owned(), source })
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        for end in ["", "-journal", "-wal", "-shm"] {
            let _ = fs::remove_file(beside(&self.path, end));
        }
    }
}

/// Reads all of a copy and takes its seal away; `of` is whose copy it is.
fn check(copy: &Path, of: &Path) -> Result<(), BackupError> {
    let unsound = |reason: String| BackupError::Unsound { path: of.to_owned(), reason };
    let mut connection = open(copy).map_err(unsound)?;
    if let Some(fault) = inspect::faults(&mut connection, 1).map_err(unsound)?.pop() {
        return Err(unsound(fault));
    }
    migrate::refuse_newer(&mut connection, of)?;
    if connection.applied_migrations().map_err(|error| unsound(error.to_string()))?.is_empty() {
        return Err(unsound("it has no tables of chatd".to_owned()));
    }
    match seal::remove(&mut connection) {
        // one that was made before there were seals has none
        Err(error) if !error.to_string().contains("no such table") => Err(unsound(error.to_string())),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn open(path: &Path) -> Result<SqliteConnection, String> {
    connection::copying(path).map_err(|error| error.to_string())
}

/// Where a file is.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Gives a file to whoever owns another one, or a folder.
#[cfg(unix)]
fn give(file: &Path, owned: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, chown};

    let (own, other) = (fs::metadata(file)?, fs::metadata(owned)?);
    if (own.uid(), own.gid()) == (other.uid(), other.gid()) {
        return Ok(());
    }
    chown(file, Some(other.uid()), Some(other.gid()))
}

#[cfg(not(unix))]
fn give(_file: &Path, _owned: &Path) -> io::Result<()> {
    Ok(())
}

/// A name with this at its end.
pub(crate) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    name.into()
}

fn replaced_name(database: &Path) -> PathBuf {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    beside(database, &format!(".replaced-{}", since_1970.as_millis()))
}
