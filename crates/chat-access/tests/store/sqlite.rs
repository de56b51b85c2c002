//! What the SQLite store promises beyond the suite.

use chat_access::{
    AccessErrorKind, AccessStore, Announcement, AuditQuery, Named, NewReport, Scope, SqliteAccess,
};
use chat_db::sqlite::Database;
use chat_protocol::{AnnouncementId, NoticeLevel, Timestamp};
use diesel::prelude::*;

use crate::warning;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_survives_a_restart_and_cannot_be_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let database = Database::open(&path).unwrap();
    let store = SqliteAccess::new(database.clone());
    store.act(warning()).await.unwrap().unwrap();
    drop(store);
    database.close().await;
    drop(database);

    let database = Database::open(&path).unwrap();
    let store = SqliteAccess::new(database.clone());
    assert_eq!(store.audit(AuditQuery::newest(10)).await.unwrap().len(), 1);
    let mut outside = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    for statement in ["UPDATE audit_log SET reason = 'other'", "DELETE FROM audit_log"] {
        let refused = diesel::sql_query(statement).execute(&mut outside).unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{refused}");
    }
    assert_eq!(store.act(warning()).await.unwrap().unwrap().number, 2);
    database.close().await;
    let error = store.check().await.unwrap_err();
    assert_eq!(error.kind(), AccessErrorKind::Closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_announcement_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let database = Database::open(&path).unwrap();
    let made = Announcement::new(AnnouncementId::from_random(7), NoticeLevel::Warning, "we move");
    SqliteAccess::new(database.clone()).set_announcement(Some(made.clone()), None).await.unwrap();
    database.close().await;
    drop(database);

    let database = Database::open(&path).unwrap();
    let store = SqliteAccess::new(database.clone());
    assert_eq!(store.announcement().await.unwrap(), Some(made));
    let mut outside = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let second = "INSERT INTO announcement VALUES (2, 'a', 'info', 'b', 0)";
    let refused = diesel::sql_query(second).execute(&mut outside).unwrap_err();
    assert!(refused.to_string().contains("CHECK"), "{refused}");
    diesel::sql_query("UPDATE announcement SET level = 'loud'").execute(&mut outside).unwrap();
    let error = store.announcement().await.unwrap_err();
    assert_eq!(error.kind(), AccessErrorKind::Damaged);
    assert!(error.to_string().contains("loud"), "{error}");
    // an admin repairs it by setting or withdrawing it
    store.set_announcement(None, None).await.unwrap();
    assert_eq!(store.announcement().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_text_is_not_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let database = Database::open(&path).unwrap();
    let store = SqliteAccess::new(database.clone());
    let named = |name: &str| Named::new(format!("u_{name}").parse().unwrap(), name.parse().unwrap());
    let room = || "lobby".parse().unwrap();
    // texts of many sizes, up to some pages of the file
    for target in 1..=300_u64 {
        let word = ["erased", "kept", "closed"][target as usize % 3];
        let text = format!("the {word} secret ").repeat(target as usize * 7 % 600 + 1);
        let author = named(if word == "kept" { "bob" } else { "eve" });
        let (room, by, body) = (room(), named(&format!("ana{}", target / 20)), Some(text.into()));
        let (reason, at) = (None, Timestamp::now());
        let report = NewReport { room, by, target, author, body, reason, at };
        let number = store.report(report).await.unwrap();
        if word == "closed" {
            store.close_report("lobby".parse().unwrap(), number, None).await.unwrap().unwrap();
        }
    }
    assert_eq!(store.erase_reports(named("eve").id, None, None).await.unwrap().len(), 100);
    drop(store);
    database.close().await;
    let bytes = std::fs::read(&path).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("the kept secret") && !holds("the erased secret") && !holds("the closed secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_row_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let store = SqliteAccess::new(Database::open(&path).unwrap());
    let mut outside = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let row = "INSERT INTO room_roles VALUES ('lobby', 'u_1', 'ana', 'emperor')";
    diesel::sql_query(row).execute(&mut outside).unwrap();
    let error = store.rules(Scope::Room("lobby".parse().unwrap())).await.unwrap_err();
    assert_eq!(error.kind(), AccessErrorKind::Damaged);
    assert!(error.to_string().contains("emperor"), "{error}");
}
