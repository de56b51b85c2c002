//! The end of a server, and the next start.

use std::time::Duration;

use chat_db::sqlite::Database;
use chat_presence::{NodeId, PresenceStore, SqlitePresence};
use chat_testkit::{Client, Seen, http, listed, until, v2};
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use rustix::process::Signal;
use serde_json::json;

use crate::process::{Running, chatd};

/// The maximum time of a shutdown, as the contract promises.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// The number of presence rows of a room, after the server has ended.
async fn rows(folder: &std::path::Path, room: &str) -> usize {
    let database = Database::open(&folder.join("chatd.sqlite3")).unwrap();
    let store = SqlitePresence::new(database.clone(), NodeId::new("look"));
    let rows = store.members(room.parse().unwrap()).await.unwrap().len();
    database.close().await;
    rows
}

#[tokio::test]
async fn after_a_kill_no_old_member_is_listed_and_all_names_are_free() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let mut server = Running::start(&mut chatd(folder.path()));
        let mut clients = Vec::new();
        for i in 0..10 {
            clients.push(Client::enter(server.address, "r", &format!("p{i}")).await);
        }
        for client in &mut clients[..5] {
            client.send_message("in the middle of it").await;
        }
        server.signal(Signal::KILL);
        server.end_within(SHUTDOWN_TIMEOUT).await;
        assert_eq!(rows(folder.path(), "r").await, 10, "round {round}: the rows outlive the process");

        let server = Running::start(&mut chatd(folder.path()));
        for i in 0..10 {
            assert!(!http::look_up(server.address, "r", &format!("p{i}")).await);
        }
        let mut ana = Client::enter(server.address, "r", "p0").await;
        let own = ana.event().await;
        assert_eq!(listed(&own), ["p0"], "round {round}: no ghosts, and no name lost");
        assert!(own["users"][0]["id"].as_i64().unwrap() > 10, "an id is never used again");
    }
}

#[tokio::test]
async fn a_signal_closes_all_connections_with_1001_and_removes_the_rows() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Running::start(&mut chatd(folder.path()));
        let mut ana = Client::enter(server.address, "r", "ana").await;
        let mut bob = Client::enter(server.address, "r", "bob").await;
        server.signal(signal);
        for client in [&mut ana, &mut bob] {
            loop {
                match client.see().await {
                    Seen::Event(event) => assert_eq!(event["type"], "chat_enter_room"),
                    seen => {
                        assert_eq!(seen, Seen::Close(Some(1001)));
                        break;
                    }
                }
            }
        }
        drop((ana, bob));
        assert_eq!(server.end_within(SHUTDOWN_TIMEOUT).await.code(), Some(0));
        assert_eq!(rows(folder.path(), "r").await, 0);
    }
}

#[tokio::test]
async fn idle_clients_do_not_delay_the_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Running::start(&mut chatd(folder.path()));
    let mut ana = Client::enter(server.address, "r", "ana").await;
    let mut deaf = Client::enter(server.address, "r", "deaf").await;
    for _ in 0..80 {
        ana.send_message(&"x".repeat(100_000)).await;
        while !ana.brief().await.starts_with("ana: ") {}
    }
    let _half_way = tokio::net::TcpStream::connect(server.address).await.unwrap();
    server.signal(Signal::TERM);
    assert_eq!(server.end_within(SHUTDOWN_TIMEOUT).await.code(), Some(0));
    assert_eq!(rows(folder.path(), "r").await, 0);
    assert_eq!(deaf.brief().await, "+deaf");
}

#[tokio::test]
async fn a_database_that_does_not_answer_does_not_delay_the_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Running::start(&mut chatd(folder.path()));
    let (mut ana, bob) =
        (Client::enter(server.address, "r", "ana").await, Client::enter(server.address, "r", "bob").await);
    let mut connection =
        SqliteConnection::establish(folder.path().join("chatd.sqlite3").to_str().unwrap()).unwrap();
    connection.batch_execute("BEGIN IMMEDIATE").unwrap();
    drop(bob);
    while ana.brief().await != "-bob" {}
    server.signal(Signal::TERM);
    assert_eq!(server.end_within(SHUTDOWN_TIMEOUT).await.code(), Some(0));
    drop(connection);
    // the next start removes the remaining rows
    let server = Running::start(&mut chatd(folder.path()));
    let mut again = Client::enter(server.address, "r", "ana").await;
    assert_eq!(listed(&again.event().await), ["ana"]);
}

#[tokio::test]
async fn a_second_signal_ends_the_server_immediately() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Running::start(&mut chatd(folder.path()));
    let mut ana = Client::enter(server.address, "r", "ana").await;
    assert_eq!(ana.brief().await, "+ana");
    server.signal(Signal::TERM);
    assert_eq!(ana.see().await, Seen::Close(Some(1001)));
    // the client does not answer the close frame, so the server waits
    server.signal(Signal::TERM);
    assert_eq!(server.end_within(Duration::from_secs(3)).await.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn during_the_shutdown_notice_the_server_is_not_ready_and_still_accepts_clients() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--admin-listen", "127.0.0.1:0", "--shutdown-notice", "2s"];
    let mut server = Running::start(chatd(folder.path()).args(arguments));
    let admin = server.admin.unwrap();
    let ready = async || http::request(admin, "GET", "/readyz", &[]).await;
    assert_eq!(ready().await.status, 200);
    server.signal(Signal::TERM);
    until("it is not ready", async || ready().await.status == 503).await;
    assert_eq!(ready().await.body, b"not ready: the server is shutting down\n");
    assert_eq!(http::request(admin, "GET", "/livez", &[]).await.status, 200);
    let mut ana = Client::enter(server.address, "r", "ana").await;
    ana.send_message("one more").await;
    assert_eq!(ana.messages(1).await, ["one more"]);
    assert_eq!(ana.closed().await, Some(1001));
    assert!(server.end_within(SHUTDOWN_TIMEOUT).await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_are_asked_to_reconnect_at_different_times() {
    const CROWD: usize = 128;
    let folder = tempfile::tempdir().unwrap();
    let mut server = Running::start(chatd(folder.path()).args(["--shutdown-drain", "400ms"]));
    let mut crowd = Vec::new();
    for number in 0..CROWD {
        crowd.push(v2::Session::enter(server.address, "r", &format!("p{number}")).await.0);
    }
    server.signal(Signal::TERM);
    let mut pauses = Vec::new();
    for session in &mut crowd {
        let (bye, code) = session.closed().await;
        let bye = bye.expect("there is a bye frame");
        assert_eq!((code, &bye["reconnect"]), (Some(1001), &json!(true)));
        pauses.push(bye["after_ms"].as_u64().expect("it says when to reconnect"));
    }
    assert!(server.end_within(SHUTDOWN_TIMEOUT).await.success());
    // at most the drain, plus the 64 ms over which a small number of clients is spread
    assert!(pauses.iter().all(|pause| *pause <= 470), "{pauses:?}");
    pauses.sort_unstable();
    assert!(pauses[CROWD - 1] - pauses[0] > 200, "{pauses:?}");
}
