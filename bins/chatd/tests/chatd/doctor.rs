//! `chatd doctor`.
#![cfg(target_os = "linux")]

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use chat_testkit::v2::Session;
use serde_json::Value;

use crate::process::{Running, chatd, with_descriptors};

/// Whether the command succeeds, and its findings.
fn findings(command: &mut Command) -> (bool, Vec<Value>) {
    let output = command.arg("--json").output().unwrap();
    let output_json: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.success(), output_json["findings"].as_array().unwrap().clone())
}

fn about<'a>(findings: &'a [Value], what: &str) -> &'a Value {
    findings.iter().rfind(|finding| finding["what"] == what).unwrap_or_else(|| panic!("no finding {what}"))
}

fn files(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = names.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn checking_a_running_server_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (_, before_the_start) = findings(chatd(folder.path()).arg("doctor"));
    assert_eq!(about(&before_the_start, "database")["verdict"], "good");
    assert!(files(folder.path()).is_empty(), "{:?}", files(folder.path()));

    let server = Running::start(&mut chatd(folder.path()));
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    ana.send_message("r", "not for doctors").await;
    let before = files(folder.path());
    let mut command = chatd(folder.path());
    let pid = server.pid().to_string();
    let (_, findings) = findings(command.args(["doctor", "--pid", &pid]));
    assert_eq!(files(folder.path()), before);
    for what in [
        "open files",
        "memory",
        "kernel",
        "listen",
        "clock sync",
        "disk space",
        "file system",
        "disk sync",
        "database time",
        "database access",
        "database",
    ] {
        let finding = about(&findings, what);
        assert!(finding["found"].as_str().is_some_and(|found| !found.is_empty()), "{finding}");
        let (is_good, has_advice) = (finding["verdict"] == "good", finding["advice"].is_string());
        assert!(is_good != has_advice || finding["verdict"] == "unknown", "{finding}");
    }
    assert!(about(&findings, "open files")["found"].as_str().unwrap().contains(&pid));
    assert_eq!(about(&findings, "database")["verdict"], "good");
    let mut names: Vec<_> = findings.iter().map(|finding| finding["what"].as_str().unwrap()).collect();
    names.retain(|name| *name != "kernel");
    let different: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(different.len(), names.len(), "names are unique: {names:?}");
    ana.send_message("r", "still there").await;
}

#[test]
fn problems_are_printed_with_advice_and_fail_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = with_descriptors(folder.path(), 256);
    let output = command.args(["doctor", "--database", ":memory:"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success());
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("problem open files the limit of this shell is 256"), "{text}");
    assert!(text.contains("-> set LimitNOFILE="), "{text}");
    assert!(text.contains("warning database in memory: everything is lost when the server ends"), "{text}");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.starts_with("chatd: found ") && error.contains(" problem"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_database_and_a_foreign_file_are_problems() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chatd.sqlite3");
    {
        let mut server = Running::start(&mut chatd(folder.path()));
        let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
        for _ in 0..100 {
            ana.send_message("r", &"x".repeat(900)).await;
        }
        server.signal(rustix::process::Signal::TERM);
        server.end_within(std::time::Duration::from_secs(10)).await;
    }
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let pages = file.metadata().unwrap().len() / 4_096;
    assert!(pages > 20, "{pages}");
    for page in 10..pages {
        file.write_all_at(&[0xA5; 4_096], page * 4_096).unwrap();
    }
    let (is_ok, found) = findings(chatd(folder.path()).arg("doctor"));
    assert!(!is_ok);
    assert_eq!(about(&found, "database")["verdict"], "problem");
    assert!(about(&found, "database")["advice"].as_str().unwrap().contains("chatd restore"));

    for (content, expected) in [
        (&b"no database at all, but a text that is long enough to be taken for one"[..], "not a database"),
        (&[], "no chatd tables"),
    ] {
        std::fs::write(&path, content).unwrap();
        let (is_ok, found) = findings(chatd(folder.path()).arg("doctor"));
        assert!(!is_ok);
        let text = about(&found, "database")["found"].as_str().unwrap().to_owned();
        assert!(text.contains(expected), "{text}");
        assert_eq!(std::fs::read(&path).unwrap(), content, "the file is not changed");
    }
}
