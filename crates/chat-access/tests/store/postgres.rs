//! What the PostgreSQL store promises beyond the suite.

use std::num::NonZeroU32;

use chat_access::{AccessErrorKind, AccessStore, Announcement, AuditQuery, PostgresAccess, Scope};
use chat_db::postgres::{Database, Options};
use chat_protocol::{AnnouncementId, NoticeLevel};
use chat_testkit::needs::{self, Need};
use chat_testkit::postgres as servers;
use tokio::task::block_in_place;

use crate::warning;

/// An empty database. `None` if this machine does not have PostgreSQL.
pub(crate) fn server() -> Option<servers::Database> {
    needs::are_met(&[Need::Postgres]).then(|| block_in_place(servers::shared))
}

/// Opens a database with few connections: many tests share a server.
pub(crate) fn open(server: &servers::Database) -> Database {
    let few = NonZeroU32::MIN;
    let options = Options::default().appenders(few).readers(few);
    block_in_place(|| Database::open(&server.url().parse().unwrap(), &options)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_survives_a_restart_and_cannot_be_changed_in_postgres() {
    let Some(server) = server() else { return };
    let database = open(&server);
    PostgresAccess::new(database.clone()).act(warning()).await.unwrap().unwrap();
    database.close().await;

    let database = open(&server);
    let store = PostgresAccess::new(database.clone());
    assert_eq!(store.audit(AuditQuery::newest(10)).await.unwrap().len(), 1);
    for statement in [
        "UPDATE audit_log SET reason = 'other'",
        "DELETE FROM audit_log",
        "DELETE FROM audit_log WHERE false",
        "TRUNCATE audit_log",
    ] {
        // not even the superuser
        let refused = block_in_place(|| server.try_psql(statement)).unwrap_err();
        assert!(refused.contains("append-only"), "{refused}");
    }
    assert_eq!(store.act(warning()).await.unwrap().unwrap().number, 2);
    database.close().await;
    let error = store.check().await.unwrap_err();
    assert_eq!(error.kind(), AccessErrorKind::Closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_announcement_survives_a_restart_in_postgres() {
    let Some(server) = server() else { return };
    let database = open(&server);
    let made = Announcement::new(AnnouncementId::from_random(7), NoticeLevel::Warning, "we move\0");
    PostgresAccess::new(database.clone()).set_announcement(Some(made.clone()), None).await.unwrap();
    database.close().await;

    let database = open(&server);
    let store = PostgresAccess::new(database.clone());
    assert_eq!(store.announcement().await.unwrap(), Some(made));
    let second = "INSERT INTO announcement VALUES (2, 'a', 'info', 'b', 0)";
    let refused = block_in_place(|| server.try_psql(second)).unwrap_err();
    assert!(refused.contains("check constraint"), "{refused}");
    block_in_place(|| server.psql("UPDATE announcement SET level = 'loud'"));
    let error = store.announcement().await.unwrap_err();
    assert_eq!(error.kind(), AccessErrorKind::Damaged);
    assert!(error.to_string().contains("loud"), "{error}");
    // an admin repairs it by setting or withdrawing it
    store.set_announcement(None, None).await.unwrap();
    assert_eq!(store.announcement().await.unwrap(), None);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_row_is_an_error_in_postgres() {
    let Some(server) = server() else { return };
    let database = open(&server);
    let store = PostgresAccess::new(database.clone());
    let row = "INSERT INTO room_roles VALUES ('lobby', 'u_1', 'ana', 'emperor')";
    block_in_place(|| server.psql(row));
    let error = store.rules(Scope::Room("lobby".parse().unwrap())).await.unwrap_err();
    assert_eq!(error.kind(), AccessErrorKind::Damaged);
    assert!(error.to_string().contains("emperor"), "{error}");
    database.close().await;
}

/// The audit log has no gaps, however many acts are written at once.
#[tokio::test(flavor = "multi_thread")]
async fn records_are_numbered_without_gaps_in_postgres() {
    let Some(server) = server() else { return };
    let database = open(&server);
    let store = PostgresAccess::new(database.clone());
    let acts = futures::future::join_all((0..300).map(|_| store.act(warning()))).await;
    let mut numbers: Vec<_> = acts.into_iter().map(|act| act.unwrap().unwrap().number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=300).collect::<Vec<_>>());
    database.close().await;
}
