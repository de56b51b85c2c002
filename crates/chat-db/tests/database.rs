//! The database on real files.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::mpsc;

use chat_db::sqlite::{Database, OpenError, migrate};
use chat_db::{DbError, SyncMode};
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
        diesel::sql_query("INSERT INTO room_names (room, username, user) VALUES ('r', ?, 'u')")
            .bind::<Text, _>(username)
            .execute(connection)
    }
}

fn number(sql: &'static str) -> impl FnOnce(&mut SqliteConnection) -> QueryResult<i64> + Send {
    move |connection| diesel::select(diesel::dsl::sql::<BigInt>(sql)).get_result(connection)
}

const ROWS: &str = "(SELECT count(*) FROM room_names)";

#[tokio::test(flavor = "multi_thread")]
async fn written_rows_are_read_after_reopening() {
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
async fn failed_work_does_not_affect_other_work() {
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
async fn closing_commits_submitted_work() {
    let (_folder, path) = file();
    let database = Database::open(&path).unwrap();
    // `join_all` polls all of up to 30 futures in order; more of them it may leave for later
    let group =
        |group| join_all((0..25).map(move |i| format!("p{group}.{i}")).map(|p| database.write(insert(&p))));
    // polled in this order: all work is submitted before the database is closed
    let (written, ()) = tokio::join!(join_all((0..4).map(group)), database.close());
    assert!(written.into_iter().flatten().all(|rows| rows.is_ok_and(|rows| rows == 1)));
    let database = Database::open(&path).unwrap();
    assert_eq!(database.read(number(ROWS)).await.unwrap(), 100);
    database.close().await;
}

/// The current sync mode, as SQLite reports it.
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

/// Blocks the writer until the returned sender is dropped, so that work submitted meanwhile makes
/// one batch.
fn hold(database: &Database) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel::<()>();
    let (begun, has_begun) = mpsc::channel();
    let work = move |_: &mut SqliteConnection| {
        begun.send(()).unwrap();
        let _ = released.recv();
        Ok(())
    };
    database.submit(SyncMode::Normal, work, |_| ());
    has_begun.recv().unwrap();
    release
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_waits_for_the_disk_only_if_needed() {
    let (_folder, path) = file();
    let database = Database::open(&path).unwrap();
    for _ in 0..2 {
        assert_eq!(database.write(synchronous).await.unwrap(), NORMAL);
        assert_eq!(database.write_with(SyncMode::Full, synchronous).await.unwrap(), FULL);
    }
    assert_eq!(database.write(synchronous).await.unwrap(), NORMAL);

    let held = hold(&database);
    let batch = [SyncMode::Normal, SyncMode::Full, SyncMode::Normal]
        .map(|sync_mode| database.write_with(sync_mode, synchronous));
    // the work is submitted when it is polled
    let release = async { drop(held) };
    let (found, ()) = tokio::join!(join_all(batch), release);
    assert_eq!(found.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [FULL; 3]);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callbacks_run_in_order_on_the_writer_thread() {
    let (_folder, path) = file();
    let database = Database::open(&path).unwrap();
    let (sender, receiver) = mpsc::channel();
    for i in 0..2_000 {
        let sender = sender.clone();
        let done = move |result: Result<usize, DbError>| {
            let thread = std::thread::current().name().map(ToOwned::to_owned);
            sender.send((i, result.unwrap(), thread)).unwrap();
        };
        let sync_mode = if i % 7 == 0 { SyncMode::Full } else { SyncMode::Normal };
        database.submit(sync_mode, insert(&format!("p{i}")), done);
    }
    drop(sender);
    database.close().await;
    let results: Vec<_> = receiver.iter().collect();
    assert_eq!(results.len(), 2_000);
    for (position, (i, rows, thread)) in results.into_iter().enumerate() {
        assert_eq!((i, rows, thread.as_deref()), (position, 1, Some("chat-db-writer")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_after_close_fails_immediately() {
    let (_folder, path) = file();
    let database = Database::open(&path).unwrap();
    database.close().await;
    let (sender, receiver) = mpsc::channel();
    database.submit(SyncMode::Full, insert("ana"), move |result| sender.send(result).unwrap());
    assert!(matches!(receiver.try_recv().unwrap(), Err(DbError::Closed)));
    assert!(receiver.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_fails_only_its_own_transaction() {
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

    // nor does a panic in a callback end the writer
    database.submit(SyncMode::Normal, insert("ana"), |_| panic!("a test"));
    assert_eq!(database.write(insert("bob")).await.unwrap(), 1);
    let names = "(SELECT count(*) FROM room_names WHERE username IN ('ana', 'bob'))";
    assert_eq!(database.read(number(names)).await.unwrap(), 2);
    assert_eq!(
        database.read(number("(SELECT count(*) FROM room_names WHERE username = 'half')")).await.unwrap(),
        0
    );
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_cannot_write() {
    let (_folder, path) = file();
    let database = Database::open(&path).unwrap();
    assert!(matches!(database.read(insert("ana")).await, Err(DbError::Unavailable(_))));
    assert_eq!(database.read(number(ROWS)).await.unwrap(), 0);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_locked_from_outside_recovers() {
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
async fn a_file_is_locked_under_all_its_names() {
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
async fn a_file_that_is_not_a_database_is_refused() {
    let (folder, path) = file();
    std::fs::write(&path, "this is a text file and not a database ".repeat(100)).unwrap();
    let error = Database::open(&path).unwrap_err();
    assert!(matches!(error, OpenError::Open { .. }), "{error}");
    assert!(error.to_string().contains("file is not a database"), "{error}");

    let nowhere = folder.path().join("no/such/folder.sqlite3");
    assert!(matches!(Database::open(&nowhere), Err(OpenError::Lock { .. })));
    assert!(matches!(Database::open(folder.path()), Err(OpenError::Open { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_database_is_not_changed() {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_long_read_does_not_keep_others_waiting() {
    let (_folder, path) = file();
    let database = Database::open(&path).unwrap();
    let (release, released) = mpsc::channel::<()>();
    let (begun, has_begun) = mpsc::channel();
    let long = database.clone();
    let long = tokio::spawn(async move {
        let work = move |connection: &mut SqliteConnection| {
            begun.send(()).unwrap();
            let _ = released.recv();
            number(ROWS)(connection)
        };
        long.read(work).await
    });
    tokio::task::spawn_blocking(move || has_begun.recv()).await.unwrap().unwrap();
    // another thread reads these, although the first one is not done
    let reads = join_all((0..20).map(|_| database.read(number(ROWS)))).await;
    assert!(reads.into_iter().all(|rows| rows.unwrap() == 0));
    drop(release);
    assert_eq!(long.await.unwrap().unwrap(), 0);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_fails_only_its_own_read() {
    let (_folder, path) = file();
    let database = Database::open(&path).unwrap();
    let panics = |_: &mut SqliteConnection| -> QueryResult<i64> { panic!("as planned") };
    let reads = join_all((0..6).map(|_| database.read(panics))).await;
    assert!(reads.into_iter().all(|result| matches!(result, Err(DbError::Closed))));
    assert_eq!(database.read(number(ROWS)).await.unwrap(), 0);
    database.close().await;
}
