//! What the program does with its flags, and what it says when it can't.

use std::net::TcpListener;

use chat_db::{Database, migrate};
use chat_testkit::{Client, http};
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

use crate::process::{Running, chatd, refused};

#[tokio::test]
async fn it_starts_with_a_line_that_says_where_and_serves_there() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(&mut chatd(folder.path()));
    let expected = format!(
        "chatd {} listens on http://{} (database: ./chatd.sqlite3); Ctrl-C ends it\n",
        env!("CARGO_PKG_VERSION"),
        server.address
    );
    assert_eq!(server.announced, expected);
    assert!(folder.path().join("chatd.sqlite3").exists());
    let mut clients = Vec::new();
    for name in ["ana", "bob", "cid"] {
        clients.push(Client::enter(server.address, "lobby", name).await);
    }
    clients[2].say("hello").await;
    clients[2].close(None).await;
    for expected in ["+ana", "+bob", "+cid", "cid: hello", "-cid"] {
        assert_eq!(clients[0].brief().await, expected);
    }
    for expected in ["+bob", "+cid", "cid: hello", "-cid"] {
        assert_eq!(clients[1].brief().await, expected);
    }
    assert_eq!(http::request(server.address, "GET", "/readyz", &[]).await.status, 200);
}

#[test]
fn in_memory_it_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(chatd(folder.path()).args(["--database", ":memory:"]));
    drop(server);
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn limits_are_taken_from_the_flags() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(
        chatd(folder.path()).args(["--max-connections", "1"]).env("CHATD_MESSAGE_BYTES", "1000"),
    );
    let mut ana = Client::enter(server.address, "r", "ana").await;
    assert_eq!(Client::knock(server.address, "r", "bob").await.unwrap_err().status, 503);
    ana.say(&"x".repeat(2_000)).await;
    assert_eq!(ana.closed().await, Some(1009));
}

#[test]
fn what_keeps_it_from_starting_is_one_clear_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let says = |arguments: &[&str], sentence: &str| {
        let said = refused(chatd(folder.path()).args(["--log", "off"]).args(arguments));
        assert_eq!(said, format!("chatd: {sentence}\n"));
    };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    says(
        &["--listen", &address],
        &format!(
            "the address {address} is in use: another server runs there, or --listen should name another port"
        ),
    );
    let here = ["--listen", "127.0.0.1:0"];
    let with = |database: &'static str| [&here[..], &["--database", database]].concat();

    std::fs::write(folder.path().join("text.sqlite3"), "no database ".repeat(1_000)).unwrap();
    says(&with("text.sqlite3"), "the database text.sqlite3 can't be opened: file is not a database");
    says(
        &with("no/folder.sqlite3"),
        "the database no/folder.sqlite3 can't be opened: No such file or directory (os error 2)",
    );

    let newer = folder.path().join("newer.sqlite3");
    migrate::up(&newer).unwrap();
    let mut outside = SqliteConnection::establish(newer.to_str().unwrap()).unwrap();
    outside
        .batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000000')")
        .unwrap();
    says(
        &with("newer.sqlite3"),
        "the database newer.sqlite3 is newer than this program: it has the migration 29991231000000",
    );

    let _open = Database::open(&folder.path().join("open.sqlite3")).unwrap();
    says(&with("open.sqlite3"), "the database open.sqlite3 is in use by another chatd");

    let said = refused(chatd(folder.path()).env("CHATD_DATABASE", ""));
    assert!(said.contains("a path, or :memory:"), "{said}");
    let said = refused(chatd(folder.path()).args(["--listen", "nowhere.invalid:1"]));
    assert!(said.starts_with("chatd: can't listen on nowhere.invalid:1: "), "{said}");
    let said = refused(chatd(folder.path()).args(["--log", "chat=loudly"]));
    assert!(said.starts_with("chatd: the log filter \"chat=loudly\" can't be understood: "), "{said}");

    std::fs::write(folder.path().join(".env"), "this is no assignment\n").unwrap();
    let said = refused(&mut chatd(folder.path()));
    assert_eq!(said, "chatd: the file .env has a line that is no assignment: this is no assignment\n");
}

#[test]
fn help_names_every_flag_with_its_variable_and_its_default() {
    let folder = tempfile::tempdir().unwrap();
    let help = String::from_utf8(chatd(folder.path()).arg("--help").output().unwrap().stdout).unwrap();
    for (flag, default) in [
        ("listen", "127.0.0.1:8000"),
        ("database", "./chatd.sqlite3"),
        ("log", "info"),
        ("message-bytes", "131072"),
        ("message-rate", "100"),
        ("message-burst", "5000"),
        ("backlog-frames", "65536"),
        ("backlog-bytes", "8388608"),
        ("max-connections", "50000"),
    ] {
        let entry = help.split(&format!("--{flag} <")).nth(1).unwrap_or_else(|| panic!("--{flag} in {help}"));
        let entry = entry.split("\n  -").next().unwrap();
        let variable = format!("CHATD_{}", flag.to_uppercase().replace('-', "_"));
        assert!(entry.contains(&format!("[env: {variable}=]")), "{entry}");
        assert!(entry.contains(&format!("[default: {default}]")), "{entry}");
    }
}
