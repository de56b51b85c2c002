//! The database file: only one process opens it, and every acked message is in the file.

use std::fs;
use std::os::unix::fs::symlink;

use chat_testkit::v2::Session;
use chat_testkit::{Client, http, until};
use serde_json::json;

use crate::process::{Running, chatd, refused};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_is_refused_by_any_path_to_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("real")).unwrap();
    // before the file exists
    symlink("real/a.sqlite3", path("link.sqlite3")).unwrap();
    let running = Running::start(chatd(folder.path()).args(["--database", "link.sqlite3"]));
    assert!(path("real/a.sqlite3").exists());
    symlink("real", path("other")).unwrap();
    fs::hard_link(path("real/a.sqlite3"), path("hard.sqlite3")).unwrap();
    for name in ["real/a.sqlite3", "link.sqlite3", "other/a.sqlite3", "./real/../hard.sqlite3"] {
        let output = refused(chatd(folder.path()).args(["--listen", "127.0.0.1:0", "--database", name]));
        assert!(output.contains("is in use by another chatd"), "{name}: {output}");
    }
    let (mut ana, _) = Session::enter(running.address, "r", "ana").await;
    assert_eq!(ana.send_message("r", "still here").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_database_is_noticed_and_can_be_moved_back() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    let arguments = ["--database", "data/chatd.sqlite3"];
    let mut running = Running::start(chatd(folder.path()).args(arguments));
    let (mut ana, _) = Session::enter(running.address, "r", "ana").await;
    assert_eq!(ana.send_message("r", "stored").await, 1);
    let status = async || http::request(running.address, "GET", "/readyz", &[]).await;

    fs::rename(folder.path().join("data"), folder.path().join("elsewhere")).unwrap();
    until("it is not ready", async || status().await.status == 503).await;
    let reason = String::from_utf8(status().await.body).unwrap();
    assert!(reason.contains("the database file was removed or moved"), "{reason}");
    assert!(!reason.contains("elsewhere") && !reason.contains("data/"), "no paths of the machine: {reason}");
    let answer = ana.ask(json!({ "type": "send", "room": "r", "body": "lost" })).await;
    assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("store_unavailable")));
    assert_eq!(Client::try_enter(running.address, "r", "bob").await.unwrap_err().status, 503);
    assert!(!folder.path().join("data").exists());

    fs::rename(folder.path().join("elsewhere"), folder.path().join("data")).unwrap();
    until("it is ready again", async || status().await.status == 200).await;
    assert_eq!(ana.send_message("r", "stored again").await, 2);
    let log = running.log_up_to("the database file is back");
    assert!(log.contains("nothing is stored any more"), "{log}");

    drop(running);
    let running = Running::start(chatd(folder.path()).args(arguments));
    let (mut bob, _) = Session::enter(running.address, "r", "bob").await;
    let page = bob.ask(json!({ "type": "history", "room": "r" })).await;
    let bodies: Vec<_> = page["messages"].as_array().unwrap().iter().map(|m| m["body"].clone()).collect();
    assert_eq!(bodies, ["stored", "stored again"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_database_is_removed_nothing_is_stored_until_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chatd.sqlite3");
    let running = Running::start(&mut chatd(folder.path()));
    let (mut ana, joined) = Session::enter(running.address, "r", "ana").await;
    assert_eq!(ana.send_message("r", "stored").await, 1);
    fs::remove_file(&file).unwrap();
    let status = async || http::request(running.address, "GET", "/readyz", &[]).await.status;
    until("it is not ready", async || status().await == 503).await;
    // another file with the same name is not the open database
    fs::write(&file, b"").unwrap();
    let answer = ana.ask(json!({ "type": "send", "room": "r", "body": "lost" })).await;
    assert_eq!(answer["code"], "store_unavailable");
    assert_eq!(status().await, 503);

    drop(running);
    let running = Running::start(&mut chatd(folder.path()));
    let (_ana, again) = Session::enter(running.address, "r", "ana").await;
    assert_eq!(again["seq"], 0);
    assert_ne!(again["epoch"], joined["epoch"], "clients learn that the history is another one");
}
