//! Ensures that only one process uses a database file.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::OpenError;
use super::file_id::FileId;
use super::paths::{resolved, sibling_path};

/// A longer note was not written by this program.
const MAX_NOTE_BYTES: u64 = 1_024;

/// The files that this process has locked. A second lock in the same process has to be refused
/// before the file is opened: closing that descriptor would drop SQLite's own locks.
static LOCKED: Mutex<BTreeSet<FileId>> = Mutex::new(BTreeSet::new());

/// The locks of an open database. The kernel releases them when the process ends, however it ends.
///
/// There are two locks. The lock file next to the database reserves its path, also while a restore
/// replaces the file; it contains the note. The lock on the database file itself holds for all
/// paths to it.
#[derive(Debug)]
pub(crate) struct ProcessLock {
    path: PathBuf,
    file: File,
    /// `None` if there is no database yet.
    inode: Option<Arc<InodeLock>>,
}

impl ProcessLock {
    /// Takes the locks of a database, which need not exist.
    ///
    /// # Errors
    /// [`OpenError::InUse`] or [`OpenError::Lock`].
    pub(crate) fn take(database: &Path) -> Result<Self, OpenError> {
        let path = sibling_path(&resolved(database), ".lock");
        let fault = |source| OpenError::Lock { path: database.to_owned(), source };
        let file =
            private().read(true).write(true).create(true).truncate(false).open(&path).map_err(fault)?;
        try_lock(&file, database)?;
        let inode = match FileId::at(database) {
            Ok(id) => Some(Arc::new(InodeLock::take(database, id)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(fault(source)),
        };
        Ok(Self { path, file, inode })
    }

    /// Takes the locks of a database that is about to be opened. Creates an empty file if there is
    /// none, because only an existing file can be locked.
    ///
    /// # Errors
    /// [`OpenError::InUse`] or [`OpenError::Lock`].
    pub(crate) fn take_to_open(database: &Path) -> Result<Self, OpenError> {
        let mut lock = Self::take(database)?;
        if lock.inode.is_none() {
            let fault = |source| OpenError::Lock { path: database.to_owned(), source };
            drop(private().write(true).create(true).truncate(false).open(database).map_err(fault)?);
            let id = FileId::at(database).map_err(fault)?;
            lock.inode = Some(Arc::new(InodeLock::take(database, id)?));
        }
        Ok(lock)
    }

    /// The path of the lock file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The lock on the database file itself; `None` if there is no database yet.
    pub(crate) fn inode(&self) -> Option<&Arc<InodeLock>> {
        self.inode.as_ref()
    }

    /// The note in the lock file; empty in a new file.
    pub(crate) fn note(&self) -> io::Result<String> {
        let mut note = String::new();
        (&self.file).seek(SeekFrom::Start(0))?;
        (&self.file).take(MAX_NOTE_BYTES).read_to_string(&mut note)?;
        Ok(note)
    }

    /// Replaces the note, and waits for the disk.
    pub(crate) fn set_note(&self, note: &str) -> io::Result<()> {
        (&self.file).seek(SeekFrom::Start(0))?;
        (&self.file).write_all(note.as_bytes())?;
        self.file.set_len(note.len() as u64)?;
        self.file.sync_all()
    }
}

/// The lock on the database file itself (flock(2), which locks the inode and does not interfere
/// with SQLite's locks). It must outlive all connections of this process: when it ends, its
/// descriptor is closed, and SQLite's locks on the file end with it.
#[derive(Debug)]
pub(crate) struct InodeLock {
    id: FileId,
    /// `None` after it was released.
    file: Option<File>,
}

impl InodeLock {
    fn take(database: &Path, id: FileId) -> Result<Self, OpenError> {
        if cfg!(not(unix)) {
            // on other systems the lock would exclude SQLite, too
            return Ok(Self { id, file: None });
        }
        let mut locked = LOCKED.lock();
        if locked.contains(&id) {
            return Err(OpenError::InUse { path: database.to_owned() });
        }
        let fault = |source| OpenError::Lock { path: database.to_owned(), source };
        let file = File::open(database).map_err(fault)?;
        try_lock(&file, database)?;
        let metadata = file.metadata().map_err(fault)?;
        warn_of_hard_links(database, &metadata);
        let id = FileId::of(&metadata);
        locked.insert(id);
        Ok(Self { id, file: Some(file) })
    }

    /// The locked file.
    pub(crate) fn id(&self) -> FileId {
        self.id
    }
}

impl Drop for InodeLock {
    fn drop(&mut self) {
        let mut locked = LOCKED.lock();
        if self.file.take().is_some() {
            locked.remove(&self.id);
        }
    }
}

fn try_lock(file: &File, database: &Path) -> Result<(), OpenError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: database.to_owned() }),
        Err(TryLockError::Error(source)) => Err(OpenError::Lock { path: database.to_owned(), source }),
    }
}

/// Options for files that only their owner may read, because messages are private.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(unix)]
fn warn_of_hard_links(database: &Path, metadata: &std::fs::Metadata) {
    let links = std::os::unix::fs::MetadataExt::nlink(metadata);
    if links > 1 {
        tracing::warn!(
            database = %database.display(),
            links,
            "the database file has several names (hard links): open it by one of them only, because its write-ahead log belongs to the name"
        );
    }
}

#[cfg(not(unix))]
fn warn_of_hard_links(_: &Path, _: &std::fs::Metadata) {}
