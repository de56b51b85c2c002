//! Failed transactions, and rows that cannot be used.

use chat_history::conformance::helpers::{
    Outcome, all_after, append, body, idempotent_message, message, room, seq_of, seqs,
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
    assert!(store.newest(room("r")).await.is_err());
    assert!(store.page(room("r"), Page::After { seq: 0, limit: 1 }).await.is_err());
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
    assert_eq!(store.newest(room("r")).await.unwrap(), 1);

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
        assert!(append(&store, idempotent_message("r", "ana", "hello", &own)).await.unwrap().duplicate);
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

/// The recovered messages.
fn recovered(outcome: &Outcome) -> Vec<(u64, &str)> {
    let recovered = &outcome.as_ref().unwrap().recovered;
    recovered.iter().map(|message| (message.seq, body(message).unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_recovers_what_a_failed_commit_stored() {
    let file = File::new();
    let (database, store) = file.open().await;
    after_a_commit_that_seemed_to_fail(&file, &store).await;
    let reused = append(&store, idempotent_message("r", "ana", "another", "b")).await;
    assert_eq!(reused, Err(AppendError::IdReused));

    let retried = append(&store, idempotent_message("r", "ana", "retried", "b")).await;
    assert_eq!(recovered(&retried), [(2, "retried"), (3, "other")]);
    let retried = retried.unwrap();
    assert!(retried.duplicate);
    assert_eq!(retried.message, retried.recovered[0]);

    let repeated = append(&store, idempotent_message("r", "ana", "retried", "b")).await.unwrap();
    assert!(repeated.duplicate && repeated.recovered.is_empty());
    assert_eq!(seq_of(&store, message("r", "ana", "next")).await, 4);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_message_recovers_what_a_failed_commit_stored() {
    let file = File::new();
    let (database, store) = file.open().await;
    after_a_commit_that_seemed_to_fail(&file, &store).await;
    // after another failure there is still the same to recover
    file.execute(FAIL_APPENDS);
    assert!(is_unavailable(&append(&store, message("r", "mia", "next")).await));
    file.execute(ALLOW_APPENDS);

    let next = [
        message("r", "mia", "next"),
        idempotent_message("r", "ana", "retried", "b"),
        message("r", "mia", "more"),
    ];
    let [next, retried, more] = &join_all(next.map(|message| append(&store, message))).await[..] else {
        unreachable!()
    };
    assert_eq!(recovered(next), [(2, "retried"), (3, "other")]);
    assert_eq!(recovered(retried), []);
    assert_eq!(recovered(more), []);
    let results = [next, retried, more].map(|outcome| outcome.as_ref().unwrap());
    assert_eq!(
        results.map(|appended| (appended.message.seq, appended.duplicate)),
        [(4, false), (2, true), (5, false)]
    );
    assert_eq!(seqs(&all_after(&store, "r", 9).await), [1, 2, 3, 4, 5]);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_recovers_nothing() {
    let file = File::new();
    let (database, store) = file.open().await;
    after_a_commit_that_seemed_to_fail(&file, &store).await;
    database.close().await;
    // a member who joins now begins at the newest stored message
    let (database, store) = file.open().await;
    assert_eq!(store.newest(room("r")).await.unwrap(), 3);
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
        let error = store.page(room("r"), Page::After { seq: 0, limit: 9 }).await.unwrap_err();
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
    assert_eq!(answers[1].as_ref().unwrap().message.seq, 1);
    assert_eq!(store.newest(room("full")).await.unwrap(), (1 << 40) - 1);
    database.close().await;
}
