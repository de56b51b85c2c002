//! `chatd backup` and `chatd restore`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chat_testkit::v2;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::process::{self, Running, chatd};
use chat_testkit::needs::{self, Need};

/// The number of messages before the backup.
const BEFORE: usize = 500;

/// Runs a command: whether it succeeds, and its output or error.
async fn run(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let mut command = chatd(folder);
    command.args(arguments);
    process::run(command).await
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
async fn a_backup_under_load_is_complete_and_its_restore_begins_a_new_epoch() {
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
        async move { run(&folder, &["backup", "copy.sqlite3"]).await }
    });
    let mut during = 0;
    while !backing_up.is_finished() {
        ana.send_message("lobby", &format!("during {during}")).await;
        during += 1;
    }
    let (ok, output) = backing_up.await.unwrap();
    assert!(ok && output.starts_with("copy.sqlite3: ") && output.ends_with(" bytes, checked"), "{output}");
    ana.send_message("lobby", "after").await;
    let again = run(folder, &["backup", "copy.sqlite3"]).await;
    assert_eq!(
        again,
        (false, "chatd: the file copy.sqlite3 exists already: choose another name for the backup".into())
    );

    let (ok, output) = run(folder, &["restore", "copy.sqlite3"]).await;
    assert!(!ok && output.contains("is in use by another chatd"), "{output}");
    // after a kill the database is not marked as closed properly
    running.signal(Signal::KILL);
    running.end_within(Duration::from_secs(10)).await;
    let (ok, output) = run(folder, &["restore", "copy.sqlite3"]).await;
    assert!(
        ok && output.contains("; the old database is now ") && output.contains("chatd.sqlite3.replaced-"),
        "{output}"
    );
    assert_eq!(unfinished(folder), Vec::<PathBuf>::new());

    let running = Running::start(&mut chatd(folder));
    let (mut bob, restored) = v2::Session::enter(running.address, "lobby", "bob").await;
    let seq = restored["seq"].as_u64().unwrap();
    assert!((BEFORE as u64..=(BEFORE + during) as u64).contains(&seq), "{seq}");
    assert_ne!(
        restored["epoch"], joined["epoch"],
        "the numbers of the messages after the backup are used again"
    );
    assert!(!history(&mut bob).await.contains(&"after".to_owned()));
    drop(running);

    // the replaced database is complete, too
    let replaced =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let replaced = replaced.filter(|name| name.contains(".replaced-")).min_by_key(String::len).unwrap();
    let running = Running::start(chatd(folder).args(["--database", &replaced]));
    let (mut bob, before) = v2::Session::enter(running.address, "lobby", "bob").await;
    assert_eq!(before["seq"], BEFORE + during + 1);
    assert_eq!(history(&mut bob).await.last().unwrap(), "after");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_backup_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut running = Running::start(&mut chatd(folder));
    let (mut ana, _) = v2::Session::enter(running.address, "lobby", "ana").await;
    for number in 0..100 {
        ana.send_message("lobby", &format!("{number} {}", "x".repeat(1_000))).await;
    }
    assert!(run(folder, &["backup", "copy.sqlite3"]).await.0);
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
        ("damaged.sqlite3", "damaged.sqlite3 is not a sound chatd database: "),
        ("text.sqlite3", "text.sqlite3 is not a sound chatd database: file is not a database"),
        ("empty.sqlite3", "empty.sqlite3 is not a sound chatd database: it has no chatd tables"),
        (
            "live.sqlite3",
            "live.sqlite3 has a write-ahead log beside it: it is not a backup, but a copy of a database that was in use",
        ),
        ("nothing.sqlite3", "the file nothing.sqlite3 does not exist"),
    ] {
        let (ok, output) = run(folder, &["restore", from]).await;
        assert!(!ok && output.starts_with(&format!("chatd: {what}")), "{from}: {output}");
        assert_eq!(std::fs::read(folder.join("chatd.sqlite3")).unwrap(), before, "{from}");
        assert_eq!(unfinished(folder), Vec::<PathBuf>::new());
    }
    let (ok, output) = run(folder, &["backup", "--database", "nowhere.sqlite3", "new.sqlite3"]).await;
    assert!(!ok && !folder.join("nowhere.sqlite3").exists() && !folder.join("new.sqlite3").exists());
    assert_eq!(output, "chatd: the file nowhere.sqlite3 does not exist");
    let (ok, output) = run(folder, &["backup", "--database", "damaged.sqlite3", "new.sqlite3"]).await;
    assert!(!ok && !folder.join("new.sqlite3").exists(), "{output}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_restored_database_has_the_owner_of_the_replaced_one() {
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
    drop(chat_db::sqlite::Database::open(&at("chatd.sqlite3")).unwrap());
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

#[cfg(unix)]
#[test]
fn only_the_owner_can_ever_read_a_backup() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mode = |name: &str| std::fs::metadata(at(name)).unwrap().permissions().mode() & 0o777;
    drop(chat_db::sqlite::Database::open(&at("chatd.sqlite3")).unwrap());
    // earlier versions created files that all users can read
    std::fs::set_permissions(at("chatd.sqlite3"), std::fs::Permissions::from_mode(0o644)).unwrap();
    // an aborted backup has left a readable file
    std::fs::write(at("backup.unfinished"), "left").unwrap();
    std::fs::set_permissions(at("backup.unfinished"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let run = |arguments: &[&str]| {
        let program = chatd(folder.path()).get_program().to_owned();
        let mut shell = process::chatd_at(Path::new("bash"), folder.path());
        shell.args(["-c", "umask 022; exec \"$0\" \"$@\""]).arg(program).args(arguments);
        let output = shell.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run(&["backup", "backup"]);
    assert_eq!(format!("{:o}", mode("backup")), "600");

    std::fs::set_permissions(at("backup"), std::fs::Permissions::from_mode(0o644)).unwrap();
    run(&["restore", "--database", "new.sqlite3", "backup"]);
    assert_eq!(format!("{:o}", mode("new.sqlite3")), "600", "a new file");
    std::fs::set_permissions(at("new.sqlite3"), std::fs::Permissions::from_mode(0o640)).unwrap();
    run(&["restore", "--database", "new.sqlite3", "backup"]);
    assert_eq!(format!("{:o}", mode("new.sqlite3")), "640", "the mode of the replaced file");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_follows_a_link_and_keeps_it() {
    use std::os::unix::fs::symlink;

    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::create_dir(folder.join("disk")).unwrap();
    std::fs::create_dir(folder.join("links")).unwrap();
    symlink("../disk/real.sqlite3", folder.join("links/second.sqlite3")).unwrap();
    symlink("links/second.sqlite3", folder.join("chatd.sqlite3")).unwrap();
    let link = || std::fs::read_link(folder.join("chatd.sqlite3")).unwrap();
    {
        let mut running = Running::start(&mut chatd(folder));
        let (mut ana, _) = v2::Session::enter(running.address, "lobby", "ana").await;
        ana.send_message("lobby", "first").await;
        assert!(run(folder, &["backup", "copy.sqlite3"]).await.0);
        ana.send_message("lobby", "second").await;
        running.signal(Signal::KILL);
        running.end_within(Duration::from_secs(10)).await;
    }
    assert!(folder.join("disk/real.sqlite3").is_file());
    let (ok, output) = run(folder, &["restore", "copy.sqlite3"]).await;
    assert!(ok && output.contains("disk/real.sqlite3.replaced-"), "{output}");
    assert_eq!(link(), Path::new("links/second.sqlite3"));
    assert!(!std::fs::symlink_metadata(folder.join("disk/real.sqlite3")).unwrap().is_symlink());
    {
        let mut running = Running::start(&mut chatd(folder));
        let (mut bob, restored) = v2::Session::enter(running.address, "lobby", "bob").await;
        assert_eq!((restored["seq"].clone(), history(&mut bob).await), (json!(1), vec!["first".to_owned()]));
        running.signal(Signal::TERM);
        drop(bob);
        running.end_within(Duration::from_secs(20)).await;
    }
    // the write-ahead log is next to the file, not next to the link
    let replaced = std::fs::read_dir(folder.join("disk")).unwrap().map(|file| file.unwrap().path());
    let replaced = replaced
        .filter(|path| path.to_string_lossy().contains(".replaced-"))
        .min_by_key(|path| path.as_os_str().len());
    let mut command = chatd(folder);
    let running = Running::start(command.arg("--database").arg(replaced.unwrap()));
    let (mut bob, _) = v2::Session::enter(running.address, "lobby", "bob").await;
    assert_eq!(history(&mut bob).await, ["first", "second"]);
    drop(running);

    // a link to a file that does not exist yet
    std::fs::remove_file(folder.join("disk/real.sqlite3")).unwrap();
    assert!(run(folder, &["restore", "copy.sqlite3"]).await.0);
    assert_eq!(link(), Path::new("links/second.sqlite3"));
    assert!(folder.join("disk/real.sqlite3").is_file());
    symlink("disk/linked-backup", folder.join("backup")).unwrap();
    assert!(run(folder, &["backup", "backup"]).await.0);
    assert!(folder.join("disk/linked-backup").is_file() && folder.join("backup").is_symlink());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_backups_to_one_file_one_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let running = Running::start(&mut chatd(folder));
    let (mut ana, _) = v2::Session::enter(running.address, "lobby", "ana").await;
    for number in 0..200 {
        ana.send_message("lobby", &format!("{number} {}", "x".repeat(5_000))).await;
    }
    for round in 0..5 {
        let name = format!("copy-{round}");
        let backups = (0..4).map(|_| {
            let mut command = chatd(folder);
            command.args(["backup", &name]);
            tokio::spawn(process::run(command))
        });
        let outcomes = futures::future::join_all(backups).await;
        let mut done = 0;
        for outcome in outcomes {
            let (ok, output) = outcome.unwrap();
            let is_clear = output
                == format!("chatd: the file {name} exists already: choose another name for the backup")
                || output == format!("chatd: the file {name} is being written by another chatd");
            let is_written = output.ends_with("is being written by another chatd") && output.contains(&name);
            assert!(ok || is_clear || is_written, "{output}");
            done += usize::from(ok);
        }
        assert_eq!(done, 1);
        let (ok, output) = run(folder, &["restore", "--database", &format!("new-{round}"), &name]).await;
        assert!(ok, "{output}");
        assert_eq!(unfinished(folder), Vec::<PathBuf>::new());
    }
}

#[tokio::test]
async fn the_configured_database_is_backed_up() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    drop(chat_db::sqlite::Database::open(&folder.join("other.sqlite3")).unwrap());
    std::fs::write(folder.join("chatd.toml"), "database = 'other.sqlite3'\n").unwrap();
    let (ok, output) = run(folder, &["backup", "copy"]).await;
    assert!(ok && output.starts_with("copy: ") && output.ends_with(" bytes, checked"), "{output}");
    let (ok, output) = run(folder, &["backup", "--database", ":memory:", "copy-2"]).await;
    assert!(!ok && output.contains("name a database file with --database"), "{output}");
}
