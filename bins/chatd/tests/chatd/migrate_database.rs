//! `chatd migrate-database`.

use std::path::Path;
use std::time::Duration;

use chat_testkit::needs::{self, Need};
use chat_testkit::{postgres, v2};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::process::{self, Running, chatd};

/// Runs the command: whether it succeeds, and its output or error.
async fn migrate(folder: &Path, from: &str, to: &str) -> (bool, String) {
    let mut command = chatd(folder);
    command.args(["migrate-database", "--from", from, "--to", to]);
    process::run(command).await
}

/// Starts a server with a database, sends a message, and stops the server. Returns the epoch, the
/// number of the message, and the texts of all messages.
async fn visit(folder: &Path, database: &str, body: &str) -> (Value, u64, Vec<String>) {
    let mut running = Running::start(chatd(folder).args(["--database", database]));
    let (mut session, joined) = v2::Session::enter(running.address, "lobby", "ana").await;
    let seq = session.send_message("lobby", body).await;
    let page = session.ask(json!({ "type": "history", "room": "lobby", "limit": 100 })).await;
    let body = |message: &Value| message["body"].as_str().unwrap().to_owned();
    let bodies = page["messages"].as_array().unwrap().iter().map(body).collect();
    drop(session);
    running.signal(Signal::TERM);
    running.end_within(Duration::from_secs(20)).await;
    (joined["epoch"].clone(), seq, bodies)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_moves_to_postgres_and_back() {
    if !needs::are_met(&[Need::Postgres]) {
        return;
    }
    let (folder, database) = (tempfile::tempdir().unwrap(), postgres::shared());
    let (folder, url) = (folder.path(), database.url());
    let (epoch, seq, _) = visit(folder, "chatd.sqlite3", "one\0🦀").await;

    let (ok, output) = migrate(folder, "chatd.sqlite3", url).await;
    assert!(ok && output.starts_with("copied ") && output.ends_with(" 1 message, verified"), "{output}");
    let moved = visit(folder, url, "two").await;
    assert_eq!(moved, (epoch.clone(), seq + 1, vec!["one\0🦀".into(), "two".into()]));

    let (ok, output) = migrate(folder, "chatd.sqlite3", url).await;
    assert!(!ok && output.contains(" is not empty: its table "), "{output}");
    let (ok, output) = migrate(folder, url, "back.sqlite3").await;
    assert!(ok && output.ends_with(" 2 messages, verified"), "{output}");
    let (back, seq, bodies) = visit(folder, "back.sqlite3", "three").await;
    assert_eq!((back, seq, bodies.len()), (epoch.clone(), moved.1 + 1, 3));

    // what is left behind begins a new epoch
    let (old, ..) = visit(folder, "chatd.sqlite3", "other").await;
    let (old_on_server, ..) = visit(folder, url, "other").await;
    assert!(old != epoch && old_on_server != epoch && old != old_on_server);

    database
        .psql("CREATE TABLE unfinished_copy AS SELECT 'a file' AS source, '' AS state, true AS is_unchanged");
    let error = process::refused(chatd(folder).args(["--log", "off", "--database", url]));
    assert!(error.contains("is an unfinished copy of a file: run chatd migrate-database again"), "{error}");
}

#[tokio::test]
async fn places_that_cannot_be_copied_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let url = "postgres://ana:secret@127.0.0.1:1/chat?connect_timeout=1";
    for (from, to, expected) in [
        (":memory:", url, "--from: a database in memory (:memory:) can't be copied"),
        ("a", ":memory:", "--to: a database in memory (:memory:) can't be copied"),
        ("a", "postgres://ana:secret@h:port/chat", "--to: the address of the database is not valid"),
        ("a", "b", "both databases are files: use chatd backup"),
        (url, url, "both databases are on PostgreSQL servers: use pg_dump"),
        ("missing", url, "the file missing does not exist"),
        (url, "b", "the database postgres://ana@127.0.0.1:1/chat can't be opened: "),
    ] {
        let (ok, output) = migrate(folder.path(), from, to).await;
        assert!(!ok && output.starts_with(&format!("chatd: {expected}")), "{from} {to}: {output}");
        assert!(!output.contains("secret"), "{output}");
    }
    assert_eq!(folder.path().read_dir().unwrap().count(), 0, "nothing was created");
}
