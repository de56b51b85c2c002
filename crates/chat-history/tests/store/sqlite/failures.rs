//! Failed transactions, and rows that cannot be used.

use chat_history::conformance::helpers::{
    Outcome, all_after, append, duplicate, idempotent_message, message, newest, room, seq_of, seqs,
};
use chat_history::{AppendError, HistoryStore, Page, Retention};
use chat_protocol::Timestamp;
use diesel::connection::SimpleConnection;
use futures::future::join_all;

use super::row_key;
use crate::support::File;

/// From here on each append fails halfway through its transaction, as on a full disk.
const FAIL_APPENDS: &str =
    "CREATE TRIGGER fail BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'no space left'); END";
const ALLOW_APPENDS: &str = "DROP TRIGGER fail";

fn is_unavailable(outcome: &Outcome) -> bool {
    matches!(outcome, Err(AppendError::Unavailable(_)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_on_a_closed_database_fails() {
    let file = File::new();
    let (database, store) = file.open().await;
    database.close().await;
    for _ in 0..3 {
        assert!(is_unavailable(&append(&store, message("r", "ana", "hello")).await));
    }
    assert!(store.check().await.is_err());
    assert!(store.extent(room("r"), Retention::default()).await.is_err());
    assert!(store.changed(room("r"), 0, 1).await.is_err());
    assert!(store.page(room("r"), Page::After { seq: 0, limit: 1 }, Retention::default()).await.is_err());
    assert!(store.prune(Retention::default()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_database_stores_nothing_and_leaves_no_gap() {
    let file = File::new();
    let (database, store) = file.open().await;
    assert_eq!(seq_of(&store, message("r", "ana", "hello")).await, 1);
    let mut outside = file.outside();
    outside.batch_execute("BEGIN IMMEDIATE").unwrap();
    let lost = [
        idempotent_message("r", "ana", "lost", "a"),
        message("r", "bob", "lost"),
        message("s", "ana", "lost"),
    ];
    let answers = join_all(lost.map(|message| append(&store, message))).await;
    assert!(answers.iter().all(is_unavailable), "{answers:?}");
    assert!(store.check().await.is_err());
    // readers are not blocked
    assert_eq!(newest(&store, "r").await, 1);

    outside.batch_execute("ROLLBACK").unwrap();
    store.check().await.unwrap();
    assert_eq!(seq_of(&store, idempotent_message("r", "ana", "lost", "a")).await, 2);
    assert_eq!(seq_of(&store, message("s", "ana", "hello")).await, 1);
    assert_eq!(seqs(&all_after(&store, "r", 9).await), [1, 2]);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_transaction_leaves_nothing() {
    let file = File::new();
    let (database, store) = file.open().await;
    for round in 0..3_u64 {
        let own = format!("id-{round}");
        file.execute(FAIL_APPENDS);
        assert!(is_unavailable(&append(&store, idempotent_message("r", "ana", "hello", &own)).await));
        assert!(is_unavailable(&append(&store, message("new", "ana", "hello")).await));
        file.execute(ALLOW_APPENDS);
        assert_eq!(file.number("(SELECT count(*) FROM messages)"), round as i64);
        assert_eq!(file.number("(SELECT count(*) FROM message_ids)"), round as i64);
        assert_eq!(file.number("(SELECT count(*) FROM rooms WHERE name = 'new')"), 0);
        // the id of the failed append is free
        assert_eq!(seq_of(&store, idempotent_message("r", "ana", "hello", &own)).await, round + 1);
        duplicate(&store, idempotent_message("r", "ana", "hello", &own)).await;
    }
    database.close().await;
}

/// Makes a room in which `first` was announced, and then a commit seemed to fail although it had
/// stored `retried` and `other`.
async fn after_a_commit_that_seemed_to_fail(file: &File, store: &dyn HistoryStore) {
    assert_eq!(seq_of(store, idempotent_message("r", "ana", "first", "a")).await, 1);
    file.execute(FAIL_APPENDS);
    assert!(is_unavailable(&append(store, idempotent_message("r", "ana", "retried", "b")).await));
    let id = file.number("(SELECT id FROM rooms WHERE name = 'r')");
    let now = Timestamp::now().as_millis();
    let digest = idempotent_message("r", "ana", "retried", "b").digest().cast_signed();
    file.execute(&format!(
        "{ALLOW_APPENDS};
         INSERT INTO messages (place, user, username, id, body, sent_at)
         VALUES ({}, 'u_ana', 'ana', 'b', 'retried', {now}), ({}, 'u_bob', 'bob', 'c', 'other', {now});
         INSERT INTO message_ids (n, room_id, user, username, message_id, digest, seq, sent_at)
         VALUES (2, {id}, 'u_ana', 'ana', 'b', {digest}, 2, {now});
         UPDATE rooms SET next_seq = 4 WHERE id = {id}",
        row_key(id, 2),
        row_key(id, 3),
    ));
}

/// A room finds out that it has missed events: their numbers are missing between two results.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_failed_commit_stored_has_numbers_that_no_result_has() {
    let file = File::new();
    let (database, store) = file.open().await;
    after_a_commit_that_seemed_to_fail(&file, &store).await;
    let reused = append(&store, idempotent_message("r", "ana", "another", "b")).await;
    assert_eq!(reused, Err(AppendError::IdReused));
    // after another failure it is the same
    file.execute(FAIL_APPENDS);
    assert!(is_unavailable(&append(&store, message("r", "mia", "next")).await));
    file.execute(ALLOW_APPENDS);
    assert_eq!(duplicate(&store, idempotent_message("r", "ana", "retried", "b")).await.seq, 2);

    let next = [
        message("r", "mia", "next"),
        idempotent_message("r", "ana", "retried", "b"),
        message("r", "mia", "more"),
    ];
    let results = join_all(next.map(|message| append(&store, message))).await;
    let results = results.into_iter().map(Result::unwrap);
    let results: Vec<_> =
        results.map(|appended| (appended.seq().unwrap(), appended.is_duplicate())).collect();
    assert_eq!(results, [(4, false), (2, true), (5, false)]);
    assert_eq!(seqs(&all_after(&store, "r", 9).await), [1, 2, 3, 4, 5]);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_the_newest_number_is_that_in_the_file() {
    let file = File::new();
    let (database, store) = file.open().await;
    after_a_commit_that_seemed_to_fail(&file, &store).await;
    database.close().await;
    // a member who joins now begins at the newest stored message
    let (database, store) = file.open().await;
    assert_eq!(newest(&store, "r").await, 3);
    assert_eq!(seq_of(&store, message("r", "ana", "next")).await, 4);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_row_affects_only_its_own_room() {
    let file = File::new();
    let (database, store) = file.open().await;
    seq_of(&store, message("r", "ana", "hello")).await;
    seq_of(&store, message("s", "ana", "hello")).await;
    let id = file.number("(SELECT id FROM rooms WHERE name = 'r')");
    for invalid in ["username = 'no name'", "username = 'ana', user = 'no id'"] {
        file.execute(&format!("UPDATE messages SET {invalid} WHERE place = {}", row_key(id, 1)));
        let error =
            store.page(room("r"), Page::After { seq: 0, limit: 9 }, Retention::default()).await.unwrap_err();
        assert!(error.to_string().contains("message 1 of the room r"), "{error}");
    }
    assert_eq!(seq_of(&store, message("r", "ana", "hello")).await, 2);
    assert_eq!(seqs(&all_after(&store, "s", 9).await), [1]);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_without_numbers_left_affects_no_other() {
    let file = File::new();
    let (database, store) = file.open().await;
    seq_of(&store, message("full", "ana", "hello")).await;
    database.close().await;
    file.execute(&format!("UPDATE rooms SET next_seq = {}, first_seq = next_seq", 1_i64 << 40));
    let (database, store) = file.open().await;
    let appends = ["full", "r"].map(|name| append(&store, message(name, "ana", "hello")));
    let answers = join_all(appends).await;
    assert!(is_unavailable(&answers[0]));
    assert_eq!(answers[1].as_ref().unwrap().seq().unwrap(), 1);
    assert_eq!(newest(&store, "full").await, (1 << 40) - 1);
    database.close().await;
}
