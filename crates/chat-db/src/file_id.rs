//! Which file is behind a path, whatever the path is called.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

/// A file's device and inode: two paths to one file (links, bind mounts, relative paths) have the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// The file at a path, through links. It is not opened: closing a descriptor of a database would drop SQLite's locks on it
    /// (<https://sqlite.org/howtocorrupt.html>, section 2.2).
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::NotFound`] where there is no file.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        Ok(Self::of(&fs::metadata(path)?))
    }

    #[cfg(unix)]
    pub(crate) fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    /// Other systems do not say which file it is: all that are there count as the same one.
    #[cfg(not(unix))]
    pub(crate) fn of(_: &Metadata) -> Self {
        Self { device: 0, inode: 0 }
    }
}
