//! The database over real files.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::mpsc;

use chat_db::{Database, DbError, Durability, OpenError, migrate};
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

/// What commits wait for, as SQLite says it.
fn synchronous(connection: &mut SqliteConnection) -> QueryResult<i32> {
    #[derive(QueryableByName)]
    struct Pragma {
        #[diesel(sql_type = diesel::sql_types::Integer)]
        synchronous: i32,
    }
    diesel::sql_query("PRAGMA synchronous").get_result::<Pragma>(connection).map(|row| row.synchronous)
}

const NORMAL: i32 = 1;
const FULL: i32 = 2;

/// Holds the writer up, so that what is handed over meanwhile makes one batch, until the answer is dropped.
fn hold(database: &Database) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel::<()>();
    let (begun, has_begun) = mpsc::channel();
    let work = move |_: &mut SqliteConnection| {
        begun.send(()).unwrap();
        let _ = released.recv();
        Ok(())
    };
    database.submit(Durability::Process, work, |_| ());
    has_begun.recv().unwrap();
    release
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_waits_for_the_disk_only_if_some_work_in_it_asks_for_that() {
    let (_folder, path) = file();
    let database = Database::open(&path).unwrap();
    for _ in 0..2 {
        assert_eq!(database.write(synchronous).await.unwrap(), NORMAL);
        assert_eq!(database.write_as(Durability::Disk, synchronous).await.unwrap(), FULL);
    }
    assert_eq!(database.write(synchronous).await.unwrap(), NORMAL);

    let held = hold(&database);
    let batch = [Durability::Process, Durability::Disk, Durability::Process]
        .map(|durability| database.write_as(durability, synchronous));
    // the work is handed over when it is polled
    let release = async { drop(held) };
    let (found, ()) = tokio::join!(join_all(batch), release);
    assert_eq!(found.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [FULL; 3]);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_told_in_order_on_the_writers_thread() {
    let (_folder, path) = file();
    let database = Database::open(&path).unwrap();
    let (tell, told) = mpsc::channel();
    for i in 0..2_000 {
        let tell = tell.clone();
        let done = move |result: Result<usize, DbError>| {
            let thread = std::thread::current().name().map(ToOwned::to_owned);
            tell.send((i, result.unwrap(), thread)).unwrap();
        };
        let durability = if i % 7 == 0 { Durability::Disk } else { Durability::Process };
        database.submit(durability, insert(&format!("p{i}")), done);
    }
    drop(tell);
    database.close().await;
    let told: Vec<_> = told.iter().collect();
    assert_eq!(told.len(), 2_000);
    for (place, (i, rows, thread)) in told.into_iter().enumerate() {
        assert_eq!((i, rows, thread.as_deref()), (place, 1, Some("chat-db-writer")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_handed_over_too_late_is_told_so_at_once() {
    let (_folder, path) = file();
    let database = Database::open(&path).unwrap();
    database.close().await;
    let (tell, told) = mpsc::channel();
    database.submit(Durability::Disk, insert("ana"), move |result| tell.send(result).unwrap());
    assert!(matches!(told.try_recv().unwrap(), Err(DbError::Closed)));
    assert!(told.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_fails_its_transaction_and_no_other() {
    let (_folder, path) = file();
    let database = Database::open(&path).unwrap();
    let held = hold(&database);
    let before = database.write(insert("before"));
    let panics = database.write(|connection| {
        insert("half")(connection)?;
        if number(ROWS)(connection)? > 0 {
            panic!("a test");
        }
        Ok(())
    });
    let (_, panicked, ()) = tokio::join!(before, panics, async { drop(held) });
    assert!(matches!(panicked, Err(DbError::Unavailable(reason)) if reason.contains("panicked")));

    // nor does it end the writer when it is told a result
    database.submit(Durability::Process, insert("ana"), |_| panic!("a test"));
    assert_eq!(database.write(insert("bob")).await.unwrap(), 1);
    let names = "(SELECT count(*) FROM presence WHERE username IN ('ana', 'bob'))";
    assert_eq!(database.read(number(names)).await.unwrap(), 2);
    assert_eq!(
        database.read(number("(SELECT count(*) FROM presence WHERE username = 'half')")).await.unwrap(),
        0
    );
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
