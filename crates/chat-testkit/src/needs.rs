//! Requirements of a test. A test checks them before it starts anything; if the machine does not
//! meet them, the test is skipped and the skip names what is missing. In CI (`CI` is set) a skipped
//! test fails.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Folders of programs for administrators. The `PATH` of a user may not include them.
const FOR_ADMINISTRATORS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// The id of the user and the group without privileges.
pub const NOBODY: u32 = 65_534;

/// A requirement of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The test runs as root.
    Root,
    /// The test can give files to other users: it runs as root, and other users exist in its
    /// namespace.
    OtherOwners,
    /// A program with this name.
    Program(&'static str),
    /// A file or a folder.
    Path(&'static str),
    /// The test can mount file systems.
    Mount,
    /// The programs of PostgreSQL. See [`postgres`](crate::postgres).
    Postgres,
    /// The program of NATS. See [`nats`](crate::nats).
    Nats,
}

impl Need {
    /// What is missing. `None` if the requirement is met.
    fn missing(self) -> Option<String> {
        match self {
            Self::Root => (!rustix::process::geteuid().is_root()).then(|| "root's rights".to_owned()),
            Self::OtherOwners => {
                (!gives_files_away()).then(|| "the right to give files to other users".to_owned())
            }
            Self::Program(name) => program(name).is_none().then(|| format!("the program \"{name}\"")),
            Self::Path(path) => (!Path::new(path).exists()).then(|| format!("\"{path}\"")),
            Self::Mount => (!mounts()).then(|| "the right to mount file systems".to_owned()),
            Self::Postgres => crate::postgres::missing(),
            Self::Nats => Self::Program(crate::nats::PROGRAM).missing(),
        }
    }
}

/// Whether the machine meets all requirements. If not, the skip is reported and the caller must
/// return.
pub fn are_met(needs: &[Need]) -> bool {
    let missing: Vec<_> = needs.iter().filter_map(|need| need.missing()).collect();
    if !missing.is_empty() {
        skip(&missing.join(", "));
    }
    missing.is_empty()
}

/// Reports that the current test is skipped, and why. In CI it panics.
///
/// `just test` collects the reports in the file that `SKIPPED_TESTS` names, and prints them at the
/// end.
pub fn skip(missing: &str) {
    let thread = std::thread::current();
    let line = format!("skipped {}: this machine lacks {missing}\n", thread.name().unwrap_or("a test"));
    assert!(std::env::var_os("CI").is_none(), "{line}");
    // not with `eprint!`: the test harness captures its output unless the test fails
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    if let Some(list) = std::env::var_os("SKIPPED_TESTS") {
        OpenOptions::new().create(true).append(true).open(list).unwrap().write_all(line.as_bytes()).unwrap();
    }
}

/// The path of a program. `None` if the machine does not have it.
pub fn program(name: &str) -> Option<PathBuf> {
    let own = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&own).chain(FOR_ADMINISTRATORS.map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|path| is_program(path))
}

pub(crate) fn gives_files_away() -> bool {
    let folder = tempfile::tempdir().unwrap();
    chown(folder.path(), Some(NOBODY), Some(NOBODY)).is_ok()
}

/// Whether this process may mount a file system: tried in a namespace of its own.
fn mounts() -> bool {
    let mut command = Command::new(located("unshare"));
    command.args(["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    rustix::process::geteuid().is_root() && command.status().is_ok_and(|status| status.success())
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// A program for a [`Command`]: its path, or its name if it is missing.
pub fn located(name: &str) -> OsString {
    program(name).map_or_else(|| name.into(), PathBuf::into_os_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_requirement_is_named() {
        assert!(are_met(&[Need::Program("sh"), Need::Path("/")]));
        assert_eq!(Need::Program("no-such-program").missing().unwrap(), "the program \"no-such-program\"");
        assert_eq!(Need::Path("/no/such/path").missing().unwrap(), "\"/no/such/path\"");
        assert_eq!(program("no-such-program"), None);
    }
}
