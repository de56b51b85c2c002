//! The conformance suite over all stores, and what the durable stores promise beyond it.
#![allow(clippy::unwrap_used)]

use std::num::NonZeroU32;

use chat_db::{postgres, sqlite};
use chat_presence::conformance::Nodes;
use chat_presence::{
    JoinError, MemoryPresence, NewPresence, NodeId, PostgresPresence, PresenceStore, SqlitePresence,
    StoreErrorKind,
};
use chat_protocol::{ChannelName, RoomName, Timestamp, UserId, Username};
use chat_testkit::needs::{self, Need};
use chat_testkit::postgres as servers;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use tokio::task::block_in_place;

async fn memory() -> Nodes {
    let here = MemoryPresence::new(NodeId::new("here"));
    let there = here.for_node(NodeId::new("there"));
    Nodes::new(here, there)
}

async fn sqlite_file() -> Nodes {
    let folder = tempfile::tempdir().unwrap();
    let database = sqlite::Database::open(&folder.path().join("chat.sqlite3")).unwrap();
    let here = SqlitePresence::new(database.clone(), NodeId::new("here"));
    Nodes::new(here, SqlitePresence::new(database, NodeId::new("there"))).with_guard(folder)
}

/// An empty PostgreSQL database. `None` if this machine does not have PostgreSQL.
fn server() -> Option<servers::Database> {
    needs::are_met(&[Need::Postgres]).then(|| block_in_place(servers::shared))
}

/// Opens a database with few connections: many tests share a server.
fn open(server: &servers::Database) -> postgres::Database {
    let few = NonZeroU32::MIN;
    let options = postgres::Options::default().appenders(few).readers(few);
    block_in_place(|| postgres::Database::open(&server.url().parse().unwrap(), &options)).unwrap()
}

async fn postgres_database() -> Option<Nodes> {
    let server = server()?;
    let database = open(&server);
    let here = PostgresPresence::new(database.clone(), NodeId::new("here"));
    let there = PostgresPresence::new(database, NodeId::new("there"));
    Some(Nodes::new(here, there).with_guard(server))
}

mod in_memory {
    chat_presence::conformance_tests!(super::memory);
}

mod in_sqlite {
    chat_presence::conformance_tests!(super::sqlite_file);
}

mod in_postgres {
    chat_presence::conformance_tests!(super::postgres_database);
}

fn room(name: &str) -> RoomName {
    RoomName::parse(name).unwrap()
}

fn presence(in_room: &str, username: &str) -> NewPresence {
    let (user, username): (UserId, _) =
        (format!("u_{username}").parse().unwrap(), Username::parse(username).unwrap());
    let joined_at = Timestamp::from_millis(1_764_000_000_123);
    NewPresence::new(room(in_room), user, username, ChannelName::new(7), joined_at)
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_rows_and_ids_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.sqlite3");
    let open = || {
        sqlite::Database::open(&path)
            .map(|db| (db.clone(), SqlitePresence::new(db, NodeId::new("here"))))
            .unwrap()
    };

    let (database, store) = open();
    let ana = store.join(presence("r", "ana")).await.unwrap();
    database.close().await;

    let (database, store) = open();
    assert_eq!(store.members(room("r")).await.unwrap().len(), 1);
    assert_eq!(store.clear().await.unwrap(), 1);
    assert!(store.join(presence("r", "bob")).await.unwrap() > ana);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_no_name_without_a_record() {
    let folder = tempfile::tempdir().unwrap();
    let database = sqlite::Database::open(&folder.path().join("chat.sqlite3")).unwrap();
    let store = SqlitePresence::new(database.clone(), NodeId::new("here"));
    let names = async || {
        let count = diesel::dsl::sql::<BigInt>("(SELECT count(*) FROM room_names)");
        let count = move |connection: &mut SqliteConnection| diesel::select(count).get_result(connection);
        let count: i64 = database.read(count).await.unwrap();
        count
    };
    let mut ids = Vec::new();
    for i in 0..1_200 {
        ids.push(store.join(presence(&format!("r{}", i % 400), &format!("p{}", i % 600))).await.unwrap());
    }
    assert_eq!(names().await, 1_200);
    let rest = ids.split_off(1_100);
    store.leave(ids).await.unwrap();
    assert_eq!(names().await, 100);
    store.leave(rest[..1].to_vec()).await.unwrap();
    assert_eq!(names().await, 99);
    assert_eq!(store.clear().await.unwrap(), 99);
    assert_eq!(names().await, 0);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_on_a_closed_database_fails() {
    let folder = tempfile::tempdir().unwrap();
    let database = sqlite::Database::open(&folder.path().join("chat.sqlite3")).unwrap();
    let store = SqlitePresence::new(database.clone(), NodeId::new("here"));
    database.close().await;
    assert!(matches!(store.join(presence("r", "ana")).await, Err(JoinError::Store(_))));
    assert!(store.check().await.is_err());
    let error = store.members(room("r")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Closed);
    let cause = std::error::Error::source(&error).unwrap();
    assert!(matches!(cause.downcast_ref(), Some(chat_db::DbError::Closed)));
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_rows_and_ids_over_a_restart() {
    let Some(server) = server() else { return };
    let database = open(&server);
    let store = PostgresPresence::new(database.clone(), NodeId::new("here"));
    let ana = store.join(presence("r", "ana")).await.unwrap();
    database.close().await;

    let database = open(&server);
    let store = PostgresPresence::new(database.clone(), NodeId::new("here"));
    assert_eq!(store.members(room("r")).await.unwrap().len(), 1);
    assert_eq!(store.clear().await.unwrap(), 1);
    assert!(store.join(presence("r", "bob")).await.unwrap() > ana);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_no_name_without_a_record() {
    let Some(server) = server() else { return };
    let database = open(&server);
    let store = PostgresPresence::new(database.clone(), NodeId::new("here"));
    let names = || block_in_place(|| server.psql("SELECT count(*) FROM room_names"));
    let joins = (0..1_200).map(|i| store.join(presence(&format!("r{}", i % 400), &format!("p{}", i % 600))));
    let mut ids: Vec<_> = futures::future::join_all(joins).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(names(), "1200");
    let rest = ids.split_off(1_100);
    store.leave(ids).await.unwrap();
    assert_eq!(names(), "100");
    store.leave(rest[..1].to_vec()).await.unwrap();
    assert_eq!(names(), "99");
    assert_eq!(store.clear().await.unwrap(), 99);
    assert_eq!(names(), "0");
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_a_node_is_any_text_in_postgres() {
    let Some(server) = server() else { return };
    let database = open(&server);
    let (here, there) = (NodeId::new("\0"), NodeId::new("\u{1}\u{1}"));
    let store = PostgresPresence::new(database.clone(), here.clone());
    store.join(presence("r", "ana")).await.unwrap();
    let other = PostgresPresence::new(database.clone(), there);
    let holder = other.holder(room("r"), Username::parse("ana").unwrap()).await.unwrap().unwrap();
    assert_eq!(holder.node, here);
    assert_eq!(other.clear().await.unwrap(), 0);
    assert_eq!(store.clear().await.unwrap(), 1);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_on_a_closed_postgres_database_fails() {
    let Some(server) = server() else { return };
    let database = open(&server);
    let store = PostgresPresence::new(database.clone(), NodeId::new("here"));
    database.close().await;
    assert!(matches!(store.join(presence("r", "ana")).await, Err(JoinError::Store(_))));
    assert!(store.check().await.is_err());
    assert_eq!(store.members(room("r")).await.unwrap_err().kind(), StoreErrorKind::Closed);
}
