//! A damaged database file.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use chat_testkit::v2::Session;
use chat_testkit::{Client, http, until};
use rustix::process::Signal;
use serde_json::json;

use crate::process::{Running, chatd, refused};

const PAGE: usize = 4_096;

/// Runs a server that stores some pages of messages, and stops it.
async fn store_messages(folder: &Path) {
    let mut server = Running::start(&mut chatd(folder));
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    for n in 0..200 {
        let body = format!("secret {n} {}", "x".repeat(900));
        let ack = ana.ask(json!({"type": "send", "room": "r", "body": body, "id": format!("id{n}")})).await;
        assert_eq!(ack["type"], "ack");
    }
    drop(ana);
    server.signal(Signal::TERM);
    assert!(server.end_within(Duration::from_secs(10)).await.success());
}

/// Overwrites all pages except those of the schema.
fn damage(folder: &Path) {
    let file = OpenOptions::new().write(true).open(folder.join("chatd.sqlite3")).unwrap();
    let pages = usize::try_from(file.metadata().unwrap().len()).unwrap() / PAGE;
    assert!(pages > 50, "{pages}");
    for page in 3..pages {
        file.write_all_at(&[0xA5; PAGE], (page * PAGE) as u64).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_at_the_start_is_reported_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    store_messages(folder.path()).await;
    damage(folder.path());
    let output = refused(chatd(folder.path()).args(["--listen", "127.0.0.1:0"]));
    assert!(output.contains("chatd: the database ./chatd.sqlite3 is damaged: "), "{output}");
    assert!(output.contains("restore a backup, or recover what is still readable"), "{output}");
    assert!(!output.contains("secret"), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_at_run_time_refuses_new_clients_and_keeps_connected_ones() {
    let folder = tempfile::tempdir().unwrap();
    store_messages(folder.path()).await;
    let mut server = Running::start(&mut chatd(folder.path()));
    let mut ana = Session::hello(server.address, "ana").await;
    damage(folder.path());

    until("a join finds the damage", async || {
        let mut eve = Session::hello(server.address, "eve").await;
        eve.ask(json!({"type": "join", "room": "r", "history": 50})).await["code"] == "store_unavailable"
    })
    .await;
    let answer = http::request(server.address, "GET", "/readyz", &[]).await;
    let reason = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, 503);
    assert!(reason.contains("the database is damaged") && reason.contains("restore a backup"), "{reason}");
    assert_eq!(http::request(server.address, "GET", "/livez", &[]).await.status, 200);
    assert_eq!(Client::try_enter(server.address, "r", "cleo").await.unwrap_err().status, 503);
    assert_eq!(ana.ask(json!({"type": "ping"})).await["type"], "pong");

    let log = server.log_up_to("is damaged");
    assert!(!log.contains("secret"), "{log}");
    server.signal(Signal::TERM);
    assert!(server.end_within(Duration::from_secs(10)).await.success());
}
