//! Where symbolic links lead.

use std::path::{Path, PathBuf};

/// So many links lead on to others, as in the kernel; more go in a circle.
const MAX_LINKS: usize = 40;

/// The file that a name leads to, whether or not it exists.
pub(crate) fn resolved(name: &Path) -> PathBuf {
    if let Ok(path) = name.canonicalize() {
        return path;
    }
    let mut path = name.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(target) = path.read_link() else { return path };
        // a relative one begins where the link is
        path = path.parent().map_or_else(|| target.clone(), |folder| folder.join(&target));
    }
    name.to_owned()
}
