//! One process to a database file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::OpenError;

/// A longer note is none of ours.
const MOST_OF_A_NOTE: u64 = 1_024;

/// Held as long as the database is open; the kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct ProcessLock {
    path: PathBuf,
    file: File,
}

impl ProcessLock {
    /// Takes the lock beside the database. It is a file of its own: closing any descriptor of the database itself would
    /// drop SQLite's own locks on it (<https://sqlite.org/howtocorrupt.html>, section 2.2).
    pub(crate) fn take(database: &Path) -> Result<Self, OpenError> {
        let mut name = resolved(database).into_os_string();
        name.push(".lock");
        let path = PathBuf::from(name);
        let fault = |source| OpenError::Lock { path: database.to_owned(), source };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(fault)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path, file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: database.to_owned() }),
            Err(TryLockError::Error(source)) => Err(fault(source)),
        }
    }

    /// Its file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What was noted in the lock's file; nothing in a new one.
    pub(crate) fn note(&self) -> io::Result<String> {
        let mut note = String::new();
        (&self.file).seek(SeekFrom::Start(0))?;
        (&self.file).take(MOST_OF_A_NOTE).read_to_string(&mut note)?;
        Ok(note)
    }

    /// Notes something there instead, on the disk.
    pub(crate) fn set_note(&self, note: &str) -> io::Result<()> {
        (&self.file).seek(SeekFrom::Start(0))?;
        (&self.file).write_all(note.as_bytes())?;
        self.file.set_len(note.len() as u64)?;
        self.file.sync_all()
    }
}

/// The same file under one name, whichever way it was spelled.
fn resolved(database: &Path) -> PathBuf {
    if let Ok(path) = database.canonicalize() {
        return path;
    }
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (folder.canonicalize(), database.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => database.to_owned(),
    }
}
