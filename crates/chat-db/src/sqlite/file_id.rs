//! Identifies a file independently of its path.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

/// The device and inode of a file. All paths to a file (links, bind mounts, relative paths) have
/// the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// The file at a path, through links. The file is not opened: closing a descriptor of a
    /// database would drop SQLite's locks on it (<https://sqlite.org/howtocorrupt.html>, section
    /// 2.2).
    ///
    /// # Errors
    /// The error of the system; [`io::ErrorKind::NotFound`] if there is no file.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        Ok(Self::of(&fs::metadata(path)?))
    }

    #[cfg(unix)]
    pub(crate) fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    /// Other systems do not identify files: all existing files count as the same one.
    #[cfg(not(unix))]
    pub(crate) fn of(_: &Metadata) -> Self {
        Self { device: 0, inode: 0 }
    }
}
