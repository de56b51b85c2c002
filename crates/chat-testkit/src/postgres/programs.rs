//! The programs of PostgreSQL, and the user that may run them.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::needs::{NOBODY, gives_files_away};

/// The oldest version that is supported.
const MIN_VERSION: u32 = 15;

/// Where Debian's packages install the programs of each version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The programs that must be in the folder.
const PROGRAMS: [&str; 4] = ["initdb", "postgres", "psql", "pg_basebackup"];

/// What this machine lacks for running PostgreSQL. `None` if it lacks nothing.
pub fn missing() -> Option<String> {
    if folder().is_none() {
        let names = PROGRAMS.map(|name| format!("\"{name}\"")).join(", ");
        return Some(format!("PostgreSQL {MIN_VERSION} or later (the programs {names})"));
    }
    if !Path::new("/proc/self/cwd").exists() {
        return Some("the folder \"/proc\" of Linux".to_owned());
    }
    if owner().is_some() && !gives_files_away() {
        return Some("the right to give files to other users".to_owned());
    }
    None
}

/// The folder with the programs of the newest version.
///
/// # Panics
/// If they are [`missing`].
pub fn programs() -> &'static Path {
    folder().expect("PostgreSQL")
}

/// The folder with the programs of the newest version.
fn folder() -> Option<&'static Path> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || {
        let versions = std::fs::read_dir(DEBIAN).into_iter().flatten().flatten();
        let debian = versions.map(|version| version.path().join("bin"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        debian
            .chain(std::env::split_paths(&path))
            .filter_map(|folder| Some((version(&folder)?, folder)))
            .filter(|(version, _)| *version >= MIN_VERSION)
            .max_by_key(|(version, _)| *version)
            .map(|(_, folder)| folder)
    };
    FOLDER.get_or_init(find).as_deref()
}

/// The major version of the programs in a folder. `None` unless all are there.
fn version(folder: &Path) -> Option<u32> {
    if !PROGRAMS.iter().all(|name| folder.join(name).is_file()) {
        return None;
    }
    let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    // postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)
    let text = String::from_utf8(output.stdout).ok()?;
    let number = text.split_whitespace().nth(2)?;
    number.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

/// A command that runs a program of PostgreSQL in English, without variables of the caller that
/// change what it does.
pub(super) fn program(name: &str) -> Command {
    let folder =
        folder().unwrap_or_else(|| panic!("PostgreSQL is not installed; state `Need::Postgres` first"));
    let mut command = Command::new(folder.join(name));
    for (variable, _) in std::env::vars_os() {
        if variable.as_encoded_bytes().starts_with(b"PG") {
            command.env_remove(variable);
        }
    }
    command.env("LC_ALL", "C").stdin(Stdio::null());
    command
}

/// The same for a program that must not run as root. It runs in the folder, which its user can
/// enter.
pub(super) fn unprivileged(name: &str, folder: &Path) -> Command {
    let mut command = program(name);
    if let Some((user, group)) = owner() {
        command.uid(user).gid(group);
    }
    command.current_dir(folder).env("HOME", folder);
    command
}

/// Runs a command. Returns what it has written to standard output.
///
/// # Errors
/// The command fails: what it has written to standard error.
pub(super) fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// The user and the group that run the server. `None` if that is the current user, who is not root.
pub(super) fn owner() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    Some(user(&users, "postgres").unwrap_or((NOBODY, NOBODY)))
}

/// The ids of a user and of its group in the lines of `/etc/passwd`.
fn user(users: &str, name: &str) -> Option<(u32, u32)> {
    let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// The name of a file for a message.
pub(super) fn named(path: impl AsRef<OsStr>) -> String {
    format!("\"{}\"", path.as_ref().display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_of_postgres_is_found_by_name() {
        let users = "root:x:0:0:root:/root:/bin/bash\npostgres:x:101:104:PostgreSQL:/var:/bin/bash\n";
        assert_eq!(user(users, "postgres"), Some((101, 104)));
        assert_eq!(user(users, "postgre"), None);
    }
}
