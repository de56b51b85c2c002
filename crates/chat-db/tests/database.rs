//! The database over real files.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use chat_db::{Database, DbError, OpenError, migrate};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use futures::future::join_all;
use tempfile::TempDir;

fn file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.sqlite3");
    (folder, path)
}

fn insert(username: &str) -> impl FnOnce(&mut SqliteConnection) -> QueryResult<usize> + Send + use<> {
    let username = username.to_owned();
    move |connection| {
        diesel::sql_query(
            "INSERT INTO presence (room, username, channel_name, node, joined_at) VALUES ('r', ?, 'c', 'n', 0)",
        )
        .bind::<Text, _>(username)
        .execute(connection)
    }
}

fn number(sql: &'static str) -> impl FnOnce(&mut SqliteConnection) -> QueryResult<i64> + Send {
    move |connection| diesel::select(diesel::dsl::sql::<BigInt>(sql)).get_result(connection)
}

const ROWS: &str = "(SELECT count(*) FROM presence)";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_is_read_also_after_opening_again() {
    let (_folder, path) = file();
    let database = Database::open(&path).unwrap();
    assert_eq!(database.write(insert("ana")).await.unwrap(), 1);
    assert_eq!(database.read(number(ROWS)).await.unwrap(), 1);
    database.close().await;
    assert!(matches!(database.write(insert("bob")).await, Err(DbError::Closed)));
    assert!(matches!(database.read(number(ROWS)).await, Err(DbError::Closed)));

    let database = Database::open(&path).unwrap();
    assert_eq!(database.read(number(ROWS)).await.unwrap(), 1);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_fails_takes_nothing_else_with_it() {
    let (_folder, path) = file();
    let database = Database::open(&path).unwrap();
    let half = database.write(|connection| {
        insert("half")(connection)?;
        insert("half")(connection)
    });
    let others: Vec<_> =
        (0..300).map(|i| insert(&format!("p{i}"))).map(|work| database.write(work)).collect();
    let (half, others) = tokio::join!(half, async {
        let mut written = 0;
        for other in others {
            written += other.await.unwrap();
        }
        written
    });
    assert!(matches!(half, Err(DbError::Query(reason)) if reason.contains("UNIQUE")));
    assert_eq!(others, 300);
    assert_eq!(database.read(number(ROWS)).await.unwrap(), 300);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_commits_what_was_handed_over() {
    let (_folder, path) = file();
    let database = Database::open(&path).unwrap();
    let work = join_all((0..100).map(|i| database.write(insert(&format!("p{i}")))));
    // polled in this order: all work is handed over before the database is told to close
    let (written, ()) = tokio::join!(work, database.close());
    assert!(written.into_iter().all(|rows| rows.is_ok_and(|rows| rows == 1)));
    let database = Database::open(&path).unwrap();
    assert_eq!(database.read(number(ROWS)).await.unwrap(), 100);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_can_not_write() {
    let (_folder, path) = file();
    let database = Database::open(&path).unwrap();
    assert!(matches!(database.read(insert("ana")).await, Err(DbError::Unavailable(_))));
    assert_eq!(database.read(number(ROWS)).await.unwrap(), 0);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_locked_from_outside_says_so_and_recovers() {
    let (_folder, path) = file();
    let database = Database::open(&path).unwrap();
    let mut outside = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    outside.batch_execute("BEGIN IMMEDIATE").unwrap();
    assert!(matches!(database.write(insert("ana")).await, Err(DbError::Unavailable(_))));
    assert!(matches!(database.check().await, Err(DbError::Unavailable(_))));
    outside.batch_execute("ROLLBACK").unwrap();
    database.check().await.unwrap();
    assert_eq!(database.write(insert("ana")).await.unwrap(), 1);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_to_a_file_by_whatever_name() {
    let (folder, path) = file();
    let database = Database::open(&path).unwrap();
    assert!(matches!(Database::open(&path), Err(OpenError::InUse { .. })));
    let other_name = folder.path().join("other.sqlite3");
    std::os::unix::fs::symlink(&path, &other_name).unwrap();
    assert!(matches!(Database::open(&other_name), Err(OpenError::InUse { .. })));
    database.close().await;
    Database::open(&other_name).unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_database_is_refused_in_a_sentence() {
    let (folder, path) = file();
    std::fs::write(&path, "this is a text that somebody took for a database".repeat(100)).unwrap();
    let error = Database::open(&path).unwrap_err();
    assert!(matches!(error, OpenError::Open { .. }), "{error}");
    assert!(error.to_string().contains("file is not a database"), "{error}");

    let nowhere = folder.path().join("no/such/folder.sqlite3");
    assert!(matches!(Database::open(&nowhere), Err(OpenError::Lock { .. })));
    assert!(matches!(Database::open(folder.path()), Err(OpenError::Open { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_database_is_left_alone() {
    let (_folder, path) = file();
    migrate::up(&path).unwrap();
    let mut outside = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    outside
        .batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000000')")
        .unwrap();
    for error in [
        Database::open(&path).unwrap_err(),
        migrate::up(&path).unwrap_err(),
        migrate::down(&path).unwrap_err(),
    ] {
        assert!(matches!(&error, OpenError::Newer { version, .. } if version == "29991231000000"), "{error}");
    }
}

#[test]
fn migrations_run_in_both_directions() {
    let (_folder, path) = file();
    let schema = |path: &PathBuf| {
        let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        number("(SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE '\\_\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite%')")(
            &mut connection,
        )
        .unwrap()
    };
    let ran = migrate::up(&path).unwrap();
    assert!(!ran.is_empty());
    let full = schema(&path);
    assert!(full > 0);
    assert!(migrate::up(&path).unwrap().is_empty());

    for version in ran.iter().rev() {
        assert_eq!(&migrate::down(&path).unwrap(), version);
    }
    assert_eq!(schema(&path), 0);
    assert!(matches!(migrate::down(&path), Err(OpenError::Migrate { .. })));

    assert_eq!(migrate::up(&path).unwrap(), ran);
    assert_eq!(schema(&path), full);
}
