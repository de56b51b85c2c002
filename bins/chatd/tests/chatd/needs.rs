//! What a test needs of the machine. A test checks it before it starts anything: what is missing is named, and the test is skipped.
//! In CI (`CI` is set) a skipped test is a failure.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// Folders of programs for administrators. The `PATH` of a user may leave them out.
const FOR_ADMINISTRATORS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// The user and the group without rights.
pub(crate) const NOBODY: u32 = 65_534;

/// One thing that a test needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// The test runs as root.
    Root,
    /// The test may give files to other users: it runs as root, and other users exist in its namespace.
    OtherOwners,
    /// A program that can be run by its name.
    Program(&'static str),
    /// A file or a folder.
    Path(&'static str),
}

impl Need {
    /// What is missing. `None` if it is there.
    fn missing(self) -> Option<String> {
        match self {
            Self::Root => (!rustix::process::geteuid().is_root()).then(|| "root's rights".to_owned()),
            Self::OtherOwners => {
                (!gives_files_away()).then(|| "the right to give files to other users".to_owned())
            }
            Self::Program(name) => program(name).is_none().then(|| format!("the program \"{name}\"")),
            Self::Path(path) => (!Path::new(path).exists()).then(|| format!("\"{path}\"")),
        }
    }
}

/// Whether the machine has all of this. If not, the caller returns: the test is skipped.
pub(crate) fn are_met(needs: &[Need]) -> bool {
    let missing: Vec<_> = needs.iter().filter_map(|need| need.missing()).collect();
    if !missing.is_empty() {
        skip(&missing.join(", "));
    }
    missing.is_empty()
}

/// Names what a test lacks and says that it is skipped. In CI it fails.
///
/// `just test` collects these lines in the file that `SKIPPED_TESTS` names, and prints them at the end.
pub(crate) fn skip(missing: &str) {
    let thread = std::thread::current();
    let line = format!("skipped {}: this machine lacks {missing}\n", thread.name().unwrap_or("a test"));
    assert!(std::env::var_os("CI").is_none(), "{line}");
    // not through `print!`: the test harness hides what a test prints, unless the test fails
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    if let Some(list) = std::env::var_os("SKIPPED_TESTS") {
        OpenOptions::new().create(true).append(true).open(list).unwrap().write_all(line.as_bytes()).unwrap();
    }
}

/// Where a program is. `None` if the machine does not have it.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let own = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&own).chain(FOR_ADMINISTRATORS.map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|path| is_program(path))
}

fn gives_files_away() -> bool {
    let folder = tempfile::tempdir().unwrap();
    chown(folder.path(), Some(NOBODY), Some(NOBODY)).is_ok()
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// The name of a program for a command: where it is, or the bare name if it is missing.
pub(crate) fn located(name: &str) -> OsString {
    program(name).map_or_else(|| name.into(), PathBuf::into_os_string)
}

#[test]
fn what_is_missing_is_named() {
    assert!(are_met(&[Need::Program("sh"), Need::Path("/")]));
    assert_eq!(Need::Program("no-such-program").missing().unwrap(), "the program \"no-such-program\"");
    assert_eq!(Need::Path("/no/such/path").missing().unwrap(), "\"/no/such/path\"");
    assert_eq!(program("no-such-program"), None);
}
