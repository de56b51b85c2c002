//! Copies of a database, made while it is written to, and put back.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_migrations::MigrationHarness;

use crate::lock::ProcessLock;
use crate::{OpenError, connection, generation, inspect, migrate, paths};

/// What is wrong with a database of another program.
pub(crate) const NOT_OURS: &str = "it has no chatd tables";

/// Why there is no backup, or nothing was restored. What was there before is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// It is not there.
    #[error("the file {} does not exist", .0.display())]
    Missing(PathBuf),
    /// Nothing is written over.
    #[error("the file {} exists already: choose another name for the backup", .0.display())]
    Exists(PathBuf),
    /// Another backup to the same name, or a restore to it, is at work.
    #[error("the file {} is being written by another chatd", .0.display())]
    BeingWritten(PathBuf),
    /// SQLite could not read or write one of both.
    #[error("{}: {reason}", path.display())]
    Database {
        /// Which.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// It is damaged, or none of ours.
    #[error("{} is not a sound chatd database: {reason}", path.display())]
    Unsound {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The newest of it stands in a log beside it, so it was copied from under a running server.
    #[error(
        "{} has a write-ahead log beside it: it is not a backup, but a copy of a database that was in use",
        .0.display()
    )]
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
/// Only its owner may read it, from its first byte on.
///
/// Blocks; writers go on meanwhile, and their log grows. A server that starts with the copy begins a new epoch.
///
/// # Errors
/// [`BackupError`]; there is no new file then.
pub fn back_up(database: &Path, to: &Path) -> Result<u64, BackupError> {
    if !database.exists() {
        return Err(BackupError::Missing(database.to_owned()));
    }
    let target = paths::resolved(to);
    let unfinished = Unfinished::beside(&target)?;
    // looked at only now: nobody else of ours finishes it any more
    if target.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let failed = |reason: String| BackupError::Database { path: database.to_owned(), reason };
    let mut from = open(database).map_err(failed)?;
    if !migrate::is_ours(&mut from).map_err(|error| failed(error.to_string()))? {
        let (path, reason) = (database.to_owned(), NOT_OURS.to_owned());
        return Err(BackupError::Unsound { path, reason });
    }
    let name = unfinished.path.to_string_lossy().into_owned();
    diesel::sql_query("VACUUM INTO ?")
        .bind::<Text, _>(name)
        .execute(&mut from)
        .map_err(|error| failed(error.to_string()))?;
    drop(from);
    // what is wrong with the copy is not said of the database
    check(&unfinished.path, to)?;
    unfinished.finish(&target)
}

/// Puts a backup in the place of the database, once it is copied and found sound. What was there is kept under another name, which is
/// given; none where nothing was there. It belongs to whoever owned that, or owns the folder; only its owner may read it, or those who might read
/// what was there. Where the database is a link, what it leads to is replaced. The server must
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
    // SQLite's log stands beside the file itself, whatever links lead there
    let database = &paths::resolved(database);
    let lock = ProcessLock::take(database)?;
    let unfinished = Unfinished::beside(database)?;
    unfinished.fill_from(backup).map_err(system(backup))?;
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

/// A file that becomes another one when it is whole; else it goes. Only one process at a time has it.
struct Unfinished {
    path: PathBuf,
    /// Locked, until the file has its name. SQLite's own locks are others.
    file: File,
}

impl Unfinished {
    /// Makes an empty one, which only its owner may read.
    fn beside(target: &Path) -> Result<Self, BackupError> {
        let path = beside(target, ".unfinished");
        let system = |source| BackupError::System { path: path.clone(), source };
        let mut options = OpenOptions::new();
        // what an earlier try that was killed has left is emptied once it is locked
        options.create(true).truncate(false).read(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        loop {
            let file = options.open(&path).map_err(system)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(BackupError::BeingWritten(target.to_owned())),
                Err(TryLockError::Error(source)) => return Err(system(source)),
            }
            // another process may have finished or removed it between the two
            if !is_at(&file, &path).map_err(system)? {
                continue;
            }
            make_private(&file).map_err(system)?;
            file.set_len(0).map_err(system)?;
            for end in SIDES {
                let _ = fs::remove_file(beside(&path, end));
            }
            return Ok(Self { path, file });
        }
    }

    /// Copies a file into it.
    fn fill_from(&self, from: &Path) -> io::Result<u64> {
        io::copy(&mut File::open(from)?, &mut &self.file)
    }

    /// Gives it its name, once it is on the disk. Gives its size.
    fn finish(self, to: &Path) -> Result<u64, BackupError> {
        let finished = self.file.sync_all().and_then(|()| {
            let size = self.file.metadata()?.len();
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
        // under this name there may be the file of another process by now
        if is_at(&self.file, &self.path).unwrap_or_default() {
            let _ = fs::remove_file(&self.path);
        }
        for end in SIDES {
            let _ = fs::remove_file(beside(&self.path, end));
        }
    }
}

/// What SQLite may leave beside a file.
const SIDES: [&str; 3] = ["-journal", "-wal", "-shm"];

/// Whether this name leads to this file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;

    let own = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((own.dev(), own.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> io::Result<bool> {
    Ok(path.exists())
}

/// Lets only the owner read it, whoever made it.
#[cfg(unix)]
fn make_private(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let mode = file.metadata()?.permissions().mode();
    file.set_permissions(fs::Permissions::from_mode(mode & 0o600))
}

#[cfg(not(unix))]
fn make_private(_file: &File) -> io::Result<()> {
    Ok(())
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
        return Err(unsound(NOT_OURS.to_owned()));
    }
    match generation::remove(&mut connection) {
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
