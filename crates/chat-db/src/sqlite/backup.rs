//! Online backups of a database, and restoring them.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_migrations::MigrationHarness;

use super::lock::ProcessLock;
use super::migrate::{self, NOT_OURS};
use super::paths::{resolved, sibling_path};
use super::{connection, generation, inspect};

pub use super::error::BackupError;

/// Copies the database into a new file (`VACUUM INTO`, <https://sqlite.org/lang_vacuum.html>) and
/// returns its size in bytes. A server may have the database open and write to it. The copy
/// contains everything that was committed before the call, and is read once to verify it. Only its
/// owner may read the file, from its first byte on.
///
/// Blocks. Writers continue meanwhile, and their write-ahead log grows. A server that starts with
/// the copy begins a new epoch.
///
/// # Errors
/// [`BackupError`]; then there is no new file.
pub fn back_up(database: &Path, to: &Path) -> Result<u64, BackupError> {
    if !database.exists() {
        return Err(BackupError::Missing(database.to_owned()));
    }
    let target = resolved(to);
    let partial = PartialFile::create(&target)?;
    // checked under the lock: no other backup can still create it
    if target.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let failed = |reason: String| BackupError::Database { path: database.to_owned(), reason };
    let mut from = open(database).map_err(failed)?;
    if !migrate::is_ours(&mut from).map_err(|error| failed(error.to_string()))? {
        let (path, reason) = (database.to_owned(), NOT_OURS.to_owned());
        return Err(BackupError::Unsound { path, reason });
    }
    let name = partial.path.to_string_lossy().into_owned();
    diesel::sql_query("VACUUM INTO ?")
        .bind::<Text, _>(name)
        .execute(&mut from)
        .map_err(|error| failed(error.to_string()))?;
    drop(from);
    // errors about the copy name the target, not the database
    check(&partial.path, to)?;
    partial.finish(&target)
}

/// Replaces the database with a backup, after the backup was copied and found sound. The previous
/// database is kept under another name, which is returned; `None` if there was none. The new file
/// belongs to the owner of the previous one, or of the folder. Only its owner may read it, or those
/// who could read the previous one. If the database is a symbolic link, its target is replaced.
///
/// The server must not run. It starts with a new epoch, so that no client mistakes one message for
/// another.
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
    if fs::metadata(sibling_path(backup, "-wal")).is_ok_and(|log| log.len() > 0) {
        return Err(BackupError::InUse(backup.to_owned()));
    }
    // SQLite's log is next to the file itself, not next to a link
    let database = &resolved(database);
    let lock = ProcessLock::take(database)?;
    let partial = PartialFile::create(database)?;
    partial.fill_from(backup).map_err(system(backup))?;
    check(&partial.path, backup)?;
    let (was_there, replaced) = (database.exists(), replaced_name(database));
    // root runs the restore, but another user runs the server
    let owned = if was_there { database } else { folder(database) };
    for ours in [&partial.path, lock.path()] {
        give_to_owner_of(ours, owned).map_err(system(ours))?;
    }
    if was_there {
        // the new file must not be readable by more users than the previous one
        let permissions = fs::metadata(database).map_err(system(database))?.permissions();
        fs::set_permissions(&partial.path, permissions).map_err(system(database))?;
    }
    // the database before its log: a log without a database is useless, but a database without its
    // log has lost its newest data
    for suffix in ["", "-wal", "-shm"] {
        let old = sibling_path(database, suffix);
        if old.exists() {
            fs::rename(&old, sibling_path(&replaced, suffix)).map_err(system(&old))?;
        }
    }
    partial.finish(database)?;
    // if the copy had the generation that is noted here, it would count as unchanged
    lock.set_note("").map_err(system(database))?;
    Ok(was_there.then_some(replaced))
}

/// A file that gets its final name when it is complete, and is removed otherwise. Only one process
/// at a time has it.
struct PartialFile {
    path: PathBuf,
    /// Locked until the file is renamed. SQLite uses locks of another kind.
    file: File,
}

impl PartialFile {
    /// Creates an empty file that only its owner may read.
    fn create(target: &Path) -> Result<Self, BackupError> {
        let path = sibling_path(target, ".unfinished");
        let system = |source| BackupError::System { path: path.clone(), source };
        let mut options = OpenOptions::new();
        // leftovers of a killed attempt are truncated after the file is locked
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
            // another process may have renamed or removed the file before it was locked
            if !is_at(&file, &path).map_err(system)? {
                continue;
            }
            make_private(&file).map_err(system)?;
            file.set_len(0).map_err(system)?;
            for suffix in SUFFIXES {
                let _ = fs::remove_file(sibling_path(&path, suffix));
            }
            return Ok(Self { path, file });
        }
    }

    /// Copies a file into this one.
    fn fill_from(&self, from: &Path) -> io::Result<u64> {
        io::copy(&mut File::open(from)?, &mut &self.file)
    }

    /// Renames the file after it was written to disk, and returns its size.
    fn finish(self, to: &Path) -> Result<u64, BackupError> {
        let finished = self.file.sync_all().and_then(|()| {
            let size = self.file.metadata()?.len();
            fs::rename(&self.path, to)?;
            // the name is durable once the folder is synced
            File::open(folder(to))?.sync_all()?;
            Ok(size)
        });
        finished.map_err(|source| BackupError::System { path: to.to_owned(), source })
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        // another process may have created a file of this name by now
        if is_at(&self.file, &self.path).unwrap_or_default() {
            let _ = fs::remove_file(&self.path);
        }
        for suffix in SUFFIXES {
            let _ = fs::remove_file(sibling_path(&self.path, suffix));
        }
    }
}

/// The suffixes of files that SQLite may leave next to a database.
const SUFFIXES: [&str; 3] = ["-journal", "-wal", "-shm"];

/// Whether this path leads to this open file.
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

/// Makes the file readable by its owner only, even if it existed before.
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

/// Reads the whole copy to verify it, and removes its generation marker. Errors name the path `of`.
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
        // databases of older versions have no such table
        Err(error) if !error.to_string().contains("no such table") => Err(unsound(error.to_string())),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn open(path: &Path) -> Result<SqliteConnection, String> {
    connection::copying(path).map_err(|error| error.to_string())
}

/// The folder of a file.
pub(crate) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Gives a file to the owner of another file or folder.
#[cfg(unix)]
pub(crate) fn give_to_owner_of(file: &Path, owned: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, chown};

    let (own, other) = (fs::metadata(file)?, fs::metadata(owned)?);
    if (own.uid(), own.gid()) == (other.uid(), other.gid()) {
        return Ok(());
    }
    chown(file, Some(other.uid()), Some(other.gid()))
}

#[cfg(not(unix))]
pub(crate) fn give_to_owner_of(_file: &Path, _owned: &Path) -> io::Result<()> {
    Ok(())
}

fn replaced_name(database: &Path) -> PathBuf {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    sibling_path(database, &format!(".replaced-{}", since_1970.as_millis()))
}
