//! The file of an index.

use std::fs;
use std::path::{Path, PathBuf};

use chat_search::SqliteIndex;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use tempfile::TempDir;

/// A file in a temporary folder.
pub(crate) struct File {
    _folder: TempDir,
    path: PathBuf,
}

impl File {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("search#1.sqlite3");
        Self { _folder: folder, path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The path with this appended.
    pub(crate) fn sibling(&self, suffix: &str) -> PathBuf {
        format!("{}{suffix}", self.path.display()).into()
    }

    pub(crate) fn open(&self) -> SqliteIndex {
        SqliteIndex::open(&self.path).unwrap()
    }

    /// A connection that the index does not know of.
    pub(crate) fn outside(&self) -> SqliteConnection {
        SqliteConnection::establish(self.path.to_str().unwrap()).unwrap()
    }

    /// Runs statements on a connection that the index does not know of.
    pub(crate) fn execute(&self, sql: &str) {
        self.outside().batch_execute(sql).unwrap();
    }

    /// Whether the file, or its log, has this text.
    pub(crate) fn has(&self, text: &str) -> bool {
        ["", "-wal"]
            .iter()
            .any(|suffix| fs::read(self.sibling(suffix)).is_ok_and(|bytes| holds(&bytes, text)))
    }
}

/// Whether these bytes have this text.
pub(crate) fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
