//! The built program, with chatd and with the floor.
#![allow(clippy::unwrap_used)]

mod against;
mod floor;
mod soak;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) fn chat_lab() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-lab"));
    command.stdin(Stdio::null());
    command
}

/// The path of chatd: the variable `CHATD`, or the program of this workspace. It is built here,
/// because cargo builds only the programs of the package under test.
pub(crate) fn chatd() -> PathBuf {
    if let Some(path) = std::env::var_os("CHATD") {
        return path.into();
    }
    let beside = Path::new(env!("CARGO_BIN_EXE_chat-lab")).parent().unwrap();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "-p", "chatd", "--bin", "chatd", "--target-dir"])
        .arg(beside.parent().unwrap())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(built.unwrap().success());
    beside.join("chatd")
}
