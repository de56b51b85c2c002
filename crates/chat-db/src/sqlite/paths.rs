//! The paths of a database and the files next to it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// How many symbolic links in a row are followed, as in the Linux kernel. More than that form a
/// loop.
const MAX_LINKS: usize = 40;

/// The path that a name leads to through symbolic links, whether or not a file exists there.
pub(crate) fn resolved(name: &Path) -> PathBuf {
    if let Ok(path) = name.canonicalize() {
        return path;
    }
    let mut path = name.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(target) = path.read_link() else { return path };
        // a relative target starts at the folder of the link
        path = path.parent().map_or_else(|| target.clone(), |folder| folder.join(&target));
    }
    name.to_owned()
}

/// The path with a suffix appended to its name.
pub(crate) fn sibling_path(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
