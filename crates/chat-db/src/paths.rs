//! Where symbolic links lead.

use std::path::{Path, PathBuf};

/// How many links in a row are followed, as in the kernel. More than that form a circle.
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
