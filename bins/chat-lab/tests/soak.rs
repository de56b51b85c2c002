//! A short soak test with the built programs. Only a long one shows whether the memory grows.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The path of chatd: the variable `CHATD`, or the program of this workspace. It is built here,
/// because cargo builds only the programs of the package under test.
fn chatd() -> PathBuf {
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

#[test]
fn restarts_breaks_and_slow_readers_cost_no_message() {
    let output = Command::new(env!("CARGO_BIN_EXE_chat-lab"))
        .args(["soak", "--duration", "20s", "--rooms", "2", "--members", "8", "--classic", "2", "--json"])
        .args(["--rate", "200", "--size", "8192", "--chatd"])
        .arg(chatd())
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for fault in ["lost", "duplicated", "out_of_order"] {
        assert_eq!(report["faults"][fault], 0, "{report}");
    }
    assert_eq!(report["violations"], serde_json::json!({}), "{report}");
    assert_eq!(report["sent"], report["acked"], "{report}");
    assert_eq!(report["restarts"], 4, "{report}");
    for exercised in
        ["sent", "delivered", "delivered_classic", "reconnects", "slow_readers_disconnected", "guest_visits"]
    {
        assert!(report[exercised].as_u64().unwrap() > 0, "{exercised}: {report}");
    }
}

#[test]
fn a_server_that_does_not_start_is_an_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_chat-lab"))
        .args(["soak", "--chatd", "/bin/false"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("does not start"), "{output:?}");
}
