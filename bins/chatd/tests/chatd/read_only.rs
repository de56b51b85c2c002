//! A database file that can be read and not written.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Signal, geteuid};

use crate::process::{Running, chatd, chatd_at, refused};
use chat_testkit::needs::{self, NOBODY, Need};

/// Whether another user can own and reach this folder. Root needs another user, because file
/// permissions do not apply to root.
fn is_usable_unprivileged(folder: &Path) -> bool {
    if !geteuid().is_root() {
        return true;
    }
    if !needs::are_met(&[Need::OtherOwners]) {
        return false;
    }
    let is_open = |folder: &Path| folder.metadata().unwrap().mode() & 0o001 != 0;
    let closed = folder.ancestors().skip(1).find(|ancestor| !is_open(ancestor));
    if let Some(closed) = closed {
        needs::skip(&format!(
            "a temporary folder for all users (\"{}\" is closed to others)",
            closed.display()
        ));
    }
    closed.is_none()
}

/// The program, as a user to whom file permissions apply.
fn unprivileged(folder: &Path) -> Command {
    if !geteuid().is_root() {
        return chatd(folder);
    }
    // that user may have no access to the build folder
    let program = folder.join("chatd");
    // another process copies it: a child of another test could inherit the open file, and an
    // executable that is open for writing can't be run
    assert!(Command::new("cp").arg(chatd(folder).get_program()).arg(&program).status().unwrap().success());
    chown(folder, Some(NOBODY), Some(NOBODY)).unwrap();
    let mut command = chatd_at(&program, folder);
    command.uid(NOBODY).gid(NOBODY);
    command
}

#[tokio::test]
async fn the_server_does_not_start_until_the_file_is_writable() {
    let folder = tempfile::tempdir().unwrap();
    if !is_usable_unprivileged(folder.path()) {
        return;
    }
    let start = || Running::start(&mut unprivileged(folder.path()));
    let mut server = start();
    server.signal(Signal::TERM);
    assert_eq!(server.end_within(Duration::from_secs(10)).await.code(), Some(0));

    // SQLite gives its other files the mode of the database file
    let allow = |mode| {
        for file in ["chatd.sqlite3", "chatd.sqlite3-wal", "chatd.sqlite3-shm"] {
            let file = folder.path().join(file);
            if file.exists() {
                fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
            }
        }
    };
    allow(0o444);
    let output = refused(unprivileged(folder.path()).args(["--log", "off", "--listen", "127.0.0.1:0"]));
    assert!(output.starts_with("chatd: the database can't be written: "), "{output}");
    assert!(output.ends_with("attempt to write a readonly database\n"), "{output}");
    assert_eq!(output.lines().count(), 1);

    allow(0o644);
    drop(start());
}
