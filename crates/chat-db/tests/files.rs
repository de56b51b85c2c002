//! Which file is open, and whether the next start would find the same one.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chat_db::sqlite::{Database, OpenError, migrate};
use chat_db::{DbError, SyncMode};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use tempfile::TempDir;

/// How long a background change may take.
const TIMEOUT: Duration = Duration::from_secs(20);

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    (folder, path)
}

fn is_in_use(path: &Path) -> bool {
    matches!(Database::open(path), Err(OpenError::InUse { .. }))
}

async fn insert(database: &Database, username: &str) -> Result<usize, DbError> {
    let username = username.to_owned();
    let insert = move |connection: &mut SqliteConnection| {
        diesel::sql_query("INSERT INTO room_names (room, username, user) VALUES ('r', ?, 'u')")
            .bind::<Text, _>(username)
            .execute(connection)
    };
    database.write_with(SyncMode::Full, insert).await
}

async fn rows(database: &Database) -> i64 {
    let count = |connection: &mut SqliteConnection| {
        diesel::select(diesel::dsl::sql::<BigInt>("(SELECT count(*) FROM room_names)")).get_result(connection)
    };
    database.read(count).await.unwrap()
}

/// Waits until the database refuses writes, and returns the reason.
async fn refusal(database: &Database) -> String {
    let refused = async {
        loop {
            match database.check().await {
                Err(error) => return error.to_string(),
                Ok(()) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    tokio::time::timeout(TIMEOUT, refused).await.unwrap()
}

async fn wait_until_ready(database: &Database) {
    let ready = async {
        while database.check().await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(TIMEOUT, ready).await.unwrap();
}

fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_a_missing_file_is_resolved() {
    let (_guard, folder) = folder();
    fs::create_dir(folder.join("real")).unwrap();
    let (real, link, chain) =
        (folder.join("real/a.sqlite3"), folder.join("link.sqlite3"), folder.join("chain.sqlite3"));
    symlink("real/a.sqlite3", &link).unwrap();
    symlink("link.sqlite3", &chain).unwrap();
    for (first, others) in [(&chain, [&real, &link]), (&real, [&link, &chain]), (&link, [&chain, &real])] {
        let database = Database::open(first).unwrap();
        assert!(real.exists(), "the link still leads to the file");
        for other in others {
            assert!(is_in_use(other), "{} and {}", first.display(), other.display());
        }
        assert!(insert(&database, "ana").await.is_ok(), "a refused open does not disturb the holder");
        database.close().await;
        fs::remove_file(&real).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hard_links_and_relative_paths_are_the_same_file() {
    let (_guard, folder) = folder();
    let (real, other) = (folder.join("a.sqlite3"), folder.join("b.sqlite3"));
    let database = Database::open(&real).unwrap();
    fs::hard_link(&real, &other).unwrap();
    assert!(is_in_use(&other));
    assert!(matches!(migrate::up(&other), Err(OpenError::InUse { .. })));
    let mut roundabout = folder.join("..");
    roundabout.push(folder.file_name().unwrap());
    assert!(is_in_use(&roundabout.join("a.sqlite3")));
    insert(&database, "ana").await.unwrap();
    assert_eq!(rows(&database).await, 1);
    database.close().await;
    let database = Database::open(&other).unwrap();
    assert_eq!(rows(&database).await, 1);
    assert!(is_in_use(&real));
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_files_are_readable_by_their_owner_only() {
    let (_guard, folder) = folder();
    let path = folder.join("a.sqlite3");
    let database = Database::open(&path).unwrap();
    let mut lock = path.clone().into_os_string();
    lock.push(".lock");
    for file in [path.clone(), log_of(&path), lock.into()] {
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
    database.close().await;
    // permissions that an operator has set are kept
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    Database::open(&path).unwrap().close().await;
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_file_is_not_written_until_it_is_back() {
    let (_guard, folder) = folder();
    fs::create_dir(folder.join("data")).unwrap();
    let path = folder.join("data/a.sqlite3");
    let database = Database::open(&path).unwrap();
    insert(&database, "ana").await.unwrap();
    for away in ["the file", "its folder"] {
        let (from, to) = match away {
            "the file" => (path.clone(), folder.join("elsewhere.sqlite3")),
            _ => (folder.join("data"), folder.join("elsewhere")),
        };
        fs::rename(&from, &to).unwrap();
        let reason = refusal(&database).await;
        assert!(reason.contains("removed or moved"), "{away}: {reason}");
        assert!(matches!(insert(&database, "lost").await, Err(DbError::Unavailable(_))), "{away}");
        assert!(!path.exists(), "{away}: no new file was created");
        fs::rename(&to, &from).unwrap();
        wait_until_ready(&database).await;
    }
    insert(&database, "bob").await.unwrap();
    assert_eq!(rows(&database).await, 2);
    database.close().await;
    let database = Database::open(&path).unwrap();
    assert_eq!(rows(&database).await, 2);
    assert!(database.is_unchanged());
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_or_replaced_file_is_not_written() {
    let (_guard, folder) = folder();
    let path = folder.join("a.sqlite3");
    let database = Database::open(&path).unwrap();
    insert(&database, "ana").await.unwrap();
    fs::remove_file(&path).unwrap();
    assert!(refusal(&database).await.contains("removed or moved"));
    insert(&database, "lost").await.unwrap_err();
    // more reads than readers: connections that are opened now must not create the file again
    let reads = (0..8).map(|_| database.read(|connection| diesel::sql_query("SELECT 1").execute(connection)));
    futures::future::join_all(reads).await;
    assert!(!path.exists());

    fs::write(&path, b"").unwrap();
    let replaced = async {
        while !refusal(&database).await.contains("replaced by another file") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(TIMEOUT, replaced).await.unwrap();
    insert(&database, "lost").await.unwrap_err();
    database.close().await;
    assert_eq!(fs::metadata(&path).unwrap().len(), 0, "the other file is not changed");
    let database = Database::open(&path).unwrap();
    assert_eq!(rows(&database).await, 0);
    assert!(!database.is_unchanged());
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_log_stops_writes_without_losing_data() {
    let (_guard, folder) = folder();
    let path = folder.join("a.sqlite3");
    let database = Database::open(&path).unwrap();
    insert(&database, "ana").await.unwrap();
    fs::remove_file(log_of(&path)).unwrap();
    assert!(refusal(&database).await.contains("write-ahead log"));
    insert(&database, "lost").await.unwrap_err();
    // as after a kill: only a copy of the file is left
    let copy = folder.join("copy.sqlite3");
    fs::copy(&path, &copy).unwrap();
    let copied = Database::open(&copy).unwrap();
    assert_eq!(rows(&copied).await, 1, "data that was only in the log was saved");
    copied.close().await;
    database.close().await;
    let database = Database::open(&path).unwrap();
    assert_eq!(rows(&database).await, 1);
    assert!(!database.is_unchanged());
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_may_contain_uri_characters() {
    let (_guard, folder) = folder();
    let path = folder.join("100% a?b#c&mode=memory.sqlite3");
    let database = Database::open(&path).unwrap();
    insert(&database, "ana").await.unwrap();
    database.close().await;
    assert!(fs::metadata(&path).unwrap().len() > 0);
    let database = Database::open(&path).unwrap();
    assert_eq!(rows(&database).await, 1);
    database.close().await;
}
