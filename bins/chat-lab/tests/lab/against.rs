//! Comparisons of two builds. Only a long one shows which build is more expensive.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use crate::{chat_lab, chatd};

/// Compares an old build with the one of this workspace, as briefly as possible, and on one CPU:
/// the machine may have no other.
fn compare(old: &Path, cases: &[&str]) -> Output {
    chat_lab()
        .args(["bench", "--pairs", "1", "--duration", "200ms", "--server-cpu", "0", "--load-cpu", "0"])
        .arg("--chatd")
        .arg(chatd())
        .arg("--against")
        .arg(old)
        .args(cases)
        .output()
        .unwrap()
}

/// Asserts that the comparison was made, whatever its verdict, and returns the output.
fn verdict(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let expected = if text.contains("does not hold") { 2 } else { 0 };
    assert_eq!(output.status.code(), Some(expected), "{output:?}");
    text
}

#[test]
fn a_copy_of_the_program_is_compared_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old");
    std::fs::copy(chatd(), &old).unwrap();
    let table = verdict(&compare(&old, &["storing", "many rooms"]));
    for expected in ["storing: 200 rooms", "many rooms: 200 of 10", "CPU us/delivery", "lower end <= 1.03"] {
        assert!(table.contains(expected), "no {expected:?} in {table}");
    }
    assert!(!table.contains("busy room") && !table.contains("does not know"), "{table}");
    assert!(table.contains("note: fewer than 12 pairs are too few for a decision"), "{table}");
}

#[test]
fn a_build_without_an_option_runs_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old");
    let script = format!(
        "#!/bin/sh\n\
         case \"$*\" in\n\
         --help) '{chatd}' --help | grep -v -e '--history ' ;;\n\
         *--history*) echo 'unexpected argument --history' >&2; exit 2 ;;\n\
         *) exec '{chatd}' \"$@\" ;;\n\
         esac\n",
        chatd = chatd().display()
    );
    std::fs::write(&old, script).unwrap();
    std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o755)).unwrap();
    let table = verdict(&compare(&old, &["storing"]));
    assert!(table.contains("note: the old build does not know --history, so it ran without"), "{table}");
}

#[test]
fn a_program_is_not_compared_with_itself() {
    let output = compare(&chatd(), &["storing"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("copy the old program elsewhere"), "{output:?}");
}
