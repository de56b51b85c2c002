//! The files of the repository.

use std::path::{Path, PathBuf};

/// The root of the workspace.
pub(crate) fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The content of a file, by its path from the root.
pub(crate) fn read(file: &str) -> String {
    std::fs::read_to_string(top().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The paths of all files with this extension, from the root, sorted. Build artifacts and installed
/// packages are left out.
pub(crate) fn files(extension: &str) -> Vec<String> {
    let (top, mut found) = (top(), Vec::new());
    collect(&top, &top, extension, &mut found);
    found.sort();
    assert!(!found.is_empty(), "no .{extension} file in {}", top.display());
    found
}

fn collect(top: &Path, folder: &Path, extension: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if name.starts_with('.') || ["target", "node_modules", "corpus"].contains(&&*name) {
            continue;
        }
        if path.is_dir() {
            collect(top, &path, extension, found);
        } else if path.extension().is_some_and(|one| one == extension) {
            found.push(path.strip_prefix(top).unwrap().to_string_lossy().into_owned());
        }
    }
}
