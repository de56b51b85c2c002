//! Backups of a running server, and what becomes of them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chat_testkit::v2;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::needs::{self, Need};
use crate::process::{self, Running, chatd};

/// So much is said before the backup, and about so much while it is made.
const BEFORE: usize = 500;

/// What a command says, and whether it is content.
async fn told(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let mut command = chatd(folder);
    command.args(arguments);
    process::told(command).await
}

async fn history(session: &mut v2::Session) -> Vec<String> {
    let page = session.ask(json!({ "type": "history", "room": "lobby", "limit": 100 })).await;
    let body = |message: &Value| message["body"].as_str().unwrap().to_owned();
    page["messages"].as_array().unwrap().iter().map(body).collect()
}

fn unfinished(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| path.to_string_lossy().contains("unfinished")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_is_whole_and_comes_back_as_another_life_of_the_room() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut running = Running::start(&mut chatd(folder));
    let (mut ana, joined) = v2::Session::enter(running.address, "lobby", "ana").await;
    for number in 0..BEFORE {
        ana.send(&json!({ "type": "send", "room": "lobby", "body": format!("before {number}") })).await;
    }
    for _ in 0..BEFORE {
        ana.next("ack").await;
    }
    let backing_up = tokio::spawn({
        let folder = folder.to_owned();
        async move { told(&folder, &["backup", "copy.sqlite3"]).await }
    });
    let mut during = 0;
    while !backing_up.is_finished() {
        ana.say("lobby", &format!("during {during}")).await;
        during += 1;
    }
    let (ok, said) = backing_up.await.unwrap();
    assert!(ok && said.starts_with("copy.sqlite3: ") && said.ends_with(" bytes, checked"), "{said}");
    ana.say("lobby", "after").await;
    let again = told(folder, &["backup", "copy.sqlite3"]).await;
    assert_eq!(again, (false, "chatd: copy.sqlite3 is there already".into()));

    let (ok, said) = told(folder, &["restore", "copy.sqlite3"]).await;
    assert!(!ok && said.contains("is in use by another chatd"), "{said}");
    // killed: it has not said that it was left in order
    running.signal(Signal::KILL);
    running.end_within(Duration::from_secs(10)).await;
    let (ok, said) = told(folder, &["restore", "copy.sqlite3"]).await;
    assert!(ok && said.contains("; what was there is ./chatd.sqlite3.replaced-"), "{said}");
    assert_eq!(unfinished(folder), Vec::<PathBuf>::new());

    let running = Running::start(&mut chatd(folder));
    let (mut bob, restored) = v2::Session::enter(running.address, "lobby", "bob").await;
    let seq = restored["seq"].as_u64().unwrap();
    assert!((BEFORE as u64..=(BEFORE + during) as u64).contains(&seq), "{seq}");
    assert_ne!(
        restored["epoch"], joined["epoch"],
        "what was said after the backup has numbers that are given anew"
    );
    assert!(!history(&mut bob).await.contains(&"after".to_owned()));
    drop(running);

    // and what was replaced is whole, too
    let replaced =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let replaced = replaced.filter(|name| name.contains(".replaced-")).min_by_key(String::len).unwrap();
    let running = Running::start(chatd(folder).args(["--database", &replaced]));
    let (mut bob, before) = v2::Session::enter(running.address, "lobby", "bob").await;
    assert_eq!(before["seq"], BEFORE + during + 1);
    assert_eq!(history(&mut bob).await.last().unwrap(), "after");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_sound_backup_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut running = Running::start(&mut chatd(folder));
    let (mut ana, _) = v2::Session::enter(running.address, "lobby", "ana").await;
    for number in 0..100 {
        ana.say("lobby", &format!("{number} {}", "x".repeat(1_000))).await;
    }
    assert!(told(folder, &["backup", "copy.sqlite3"]).await.0);
    running.signal(Signal::TERM);
    drop(ana);
    running.end_within(Duration::from_secs(20)).await;
    let before = std::fs::read(folder.join("chatd.sqlite3")).unwrap();

    let mut damaged = std::fs::read(folder.join("copy.sqlite3")).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 8_192].fill(0xA5);
    std::fs::write(folder.join("damaged.sqlite3"), damaged).unwrap();
    std::fs::write(folder.join("text.sqlite3"), "not a database, but long enough to be asked about").unwrap();
    std::fs::write(folder.join("empty.sqlite3"), "").unwrap();
    std::fs::copy(folder.join("copy.sqlite3"), folder.join("live.sqlite3")).unwrap();
    std::fs::write(folder.join("live.sqlite3-wal"), "something").unwrap();
    for (from, what) in [
        ("damaged.sqlite3", "damaged.sqlite3 is no sound database of chatd: "),
        ("text.sqlite3", "text.sqlite3 is no sound database of chatd: file is not a database"),
        ("empty.sqlite3", "empty.sqlite3 is no sound database of chatd: it has no tables of chatd"),
        (
            "live.sqlite3",
            "live.sqlite3 has a write-ahead log beside it: it is no backup, but a database that was in use",
        ),
        ("nothing.sqlite3", "there is no nothing.sqlite3"),
    ] {
        let (ok, said) = told(folder, &["restore", from]).await;
        assert!(!ok && said.starts_with(&format!("chatd: {what}")), "{from}: {said}");
        assert_eq!(std::fs::read(folder.join("chatd.sqlite3")).unwrap(), before, "{from}");
        assert_eq!(unfinished(folder), Vec::<PathBuf>::new());
    }
    let (ok, said) = told(folder, &["backup", "--database", "nowhere.sqlite3", "new.sqlite3"]).await;
    assert!(!ok && !folder.join("nowhere.sqlite3").exists() && !folder.join("new.sqlite3").exists());
    assert_eq!(said, "chatd: there is no nowhere.sqlite3");
    let (ok, said) = told(folder, &["backup", "--database", "damaged.sqlite3", "new.sqlite3"]).await;
    assert!(!ok && !folder.join("new.sqlite3").exists(), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_restored_database_belongs_to_whoever_owned_the_one_before() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

    if !needs::are_met(&[Need::OtherOwners]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let run = |arguments: &[&str]| {
        let output = chatd(folder.path()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    drop(chat_db::Database::open(&at("chatd.sqlite3")).unwrap());
    run(&["backup", "backup"]);
    let owner =
        |name: &str| std::fs::metadata(at(name)).map(|file| (file.uid(), file.gid(), file.mode() & 0o777));
    chown(at("chatd.sqlite3"), Some(4_711), Some(4_712)).unwrap();
    std::fs::set_permissions(at("chatd.sqlite3"), std::fs::Permissions::from_mode(0o600)).unwrap();
    run(&["restore", "backup"]);
    assert_eq!(owner("chatd.sqlite3").unwrap(), (4_711, 4_712, 0o600));
    assert_eq!(owner("chatd.sqlite3.lock").unwrap().0, 4_711);

    std::fs::remove_file(at("chatd.sqlite3")).unwrap();
    std::fs::remove_file(at("chatd.sqlite3.lock")).unwrap();
    chown(folder.path(), Some(815), Some(816)).unwrap();
    run(&["restore", "backup"]);
    assert_eq!(owner("chatd.sqlite3").unwrap().0, 815, "the folder's owner");
    assert_eq!(owner("chatd.sqlite3.lock").unwrap().0, 815);
}
