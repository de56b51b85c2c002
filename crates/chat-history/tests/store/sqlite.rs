//! What the durable store promises beyond the suite: restarts, failures, pruning in steps.

use std::time::{Duration, Instant};

use chat_history::conformance::helpers::{
    Outcome, all_after, all_before, append, body, idempotent_message, message, page, room, seq_of, seqs,
};
use chat_history::{AppendError, HistoryStore, MAX_PAGE_BYTES, Messages, Page, Retention};
use chat_protocol::{Content, Timestamp};
use diesel::connection::SimpleConnection;
use futures::future::join_all;

use super::support::File;

fn row_key(room_id: i64, seq: i64) -> i64 {
    (room_id << 40) + seq
}

/// From here on each append fails halfway through its transaction, as on a full disk.
const FAIL_APPENDS: &str =
    "CREATE TRIGGER fail BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'no space left'); END";
const ALLOW_APPENDS: &str = "DROP TRIGGER fail";

fn is_unavailable(outcome: &Outcome) -> bool {
    matches!(outcome, Err(AppendError::Unavailable(_)))
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_ids_and_epoch_survive_a_restart() {
    let file = File::new();
    let (database, store) = file.open().await;
    let epoch = store.epoch();
    let first = append(&store, idempotent_message("r", "ana", "hello", "a")).await.unwrap().message;
    assert_eq!(seq_of(&store, message("r", "bob", "hello")).await, 2);
    database.close().await;

    let (database, store) = file.open().await;
    assert_eq!(store.epoch(), epoch);
    assert_eq!(store.newest(room("r")).await.unwrap(), 2);
    let repeated = append(&store, idempotent_message("r", "ana", "hello", "a")).await.unwrap();
    assert!(repeated.duplicate && repeated.recovered.is_empty());
    assert_eq!(repeated.message, first);
    assert_eq!(
        append(&store, idempotent_message("r", "ana", "other", "a")).await,
        Err(AppendError::IdReused)
    );
    assert_eq!(seq_of(&store, idempotent_message("r", "ana", "other", "b")).await, 3);
    assert_eq!(seqs(&all_after(&store, "r", 2).await), [1, 2, 3]);
    database.close().await;

    // an operator deletes the row after restoring a backup by hand
    file.execute("DELETE FROM history_epoch");
    let (database, store) = file.open().await;
    assert_ne!(store.epoch(), epoch);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_begins_an_epoch() {
    let file = File::new();
    let (database, store) = file.open().await;
    let epoch = store.epoch();
    seq_of(&store, message("r", "ana", "hello")).await;
    // a backup that is made while the server runs, and one that is made while it does not
    let hot = file.sibling("hot");
    file.execute(&format!("VACUUM INTO '{}'", hot.display()));
    database.close().await;
    let cold = file.sibling("cold");
    std::fs::copy(file.path(), &cold).unwrap();

    // an unchanged file keeps its epoch
    let (database, store) = file.open().await;
    assert_eq!(store.epoch(), epoch);
    seq_of(&store, message("r", "ana", "lost")).await;
    database.close().await;
    let mut before = epoch;
    for backup in [hot, cold] {
        std::fs::rename(backup, file.path()).unwrap();
        let (database, store) = file.open().await;
        assert_ne!(store.epoch(), before);
        before = store.epoch();
        assert_eq!(seq_of(&store, message("r", "ana", "another")).await, 2);
        database.close().await;
        let (database, store) = file.open().await;
        assert_eq!(store.epoch(), before);
        database.close().await;
    }

    // a file that is moved together with its lock file keeps its epoch; without the lock file it
    // begins one
    std::fs::remove_file(file.sibling("lock")).unwrap();
    let (database, store) = file.open().await;
    assert_ne!(store.epoch(), before);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn queued_messages_are_stored_before_the_database_closes() {
    const COUNT: usize = 3_000;
    let file = File::new();
    let (database, store) = file.open().await;
    let answers: Vec<_> = (0..COUNT).map(|i| append(&store, message("r", "ana", &i.to_string()))).collect();
    database.close().await;
    for (i, answer) in join_all(answers).await.into_iter().enumerate() {
        assert_eq!(answer.unwrap().message.seq, i as u64 + 1);
    }
    assert_eq!(file.number("(SELECT count(*) FROM messages)"), COUNT as i64);
    assert_eq!(file.number("(SELECT next_seq FROM rooms)"), COUNT as i64 + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_groups_in_one_transaction_have_consecutive_numbers() {
    const COUNT: usize = 2_500;
    let file = File::new();
    let (database, store) = file.open().await;
    // while the writer is blocked, more messages are queued than fit into one group
    let (release, released) = std::sync::mpsc::channel::<()>();
    let hold = move |_: &mut diesel::SqliteConnection| {
        let _ = released.recv();
        Ok(())
    };
    database.submit(chat_db::SyncMode::Normal, hold, |_| ());
    let answers: Vec<_> = (0..COUNT)
        .map(|i| append(&store, idempotent_message(&format!("r{}", i % 3), "ana", "", &i.to_string())))
        .collect();
    drop(release);
    for (i, answer) in join_all(answers).await.into_iter().enumerate() {
        assert_eq!(answer.unwrap().message.seq, i as u64 / 3 + 1);
    }
    let next_seqs = "(SELECT count(*) FROM rooms WHERE next_seq = \
                     (SELECT count(*) FROM messages WHERE place >> 40 = rooms.id) + 1)";
    assert_eq!(file.number(next_seqs), 3);
    assert_eq!(seq_of(&store, message("r2", "ana", "")).await, COUNT as u64 / 3 + 1);
    database.close().await;
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
    file.execute(&format!(
        "{ALLOW_APPENDS};
         INSERT INTO messages VALUES ({}, 'ana', 'b', 'retried', {now}), ({}, 'bob', 'c', 'other', {now});
         INSERT INTO message_ids VALUES (2, {id}, 'ana', 'b', 2, {now});
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
async fn an_erased_message_keeps_its_number() {
    let file = File::new();
    let (database, store) = file.open().await;
    for text in ["one", "two", "three"] {
        append(&store, idempotent_message("r", "ana", text, text)).await.unwrap();
    }
    let before = all_after(&store, "r", 9).await;
    file.execute("UPDATE messages SET body = NULL WHERE body = 'two'");
    let found = all_after(&store, "r", 9).await;
    assert_eq!((&found[0], &found[2]), (&before[0], &before[2]));
    assert_eq!((found[1].seq, found[1].sent_at), (2, before[1].sent_at));
    assert_eq!(found[1].content, Content::Erased);
    let repeated = append(&store, idempotent_message("r", "ana", "two", "two")).await.unwrap();
    assert!(repeated.duplicate);
    assert_eq!(repeated.message, found[1]);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_id_of_a_pruned_message_is_recognised() {
    let file = File::new();
    let (database, store) = file.open().await;
    let first = append(&store, idempotent_message("r", "ana", "hello", "a")).await.unwrap().message;
    assert_eq!(seq_of(&store, message("r", "ana", "hello")).await, 2);
    while store.prune(Retention::new(None, Some(1))).await.unwrap() {}
    assert_eq!(seqs(&all_after(&store, "r", 9).await), [2]);
    let repeated = append(&store, idempotent_message("r", "ana", "hello", "a")).await.unwrap();
    assert!(repeated.duplicate);
    assert_eq!(repeated.message, first);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_forgotten_after_a_day() {
    let file = File::new();
    let (database, store) = file.open().await;
    assert_eq!(seq_of(&store, idempotent_message("r", "ana", "hello", "a")).await, 1);
    let day = 24 * 60 * 60 * 1_000;
    let age = |sent_at: i64| file.execute(&format!("UPDATE message_ids SET sent_at = {sent_at} WHERE n = 1"));
    age(Timestamp::now().as_millis() - day + 600_000);
    assert!(append(&store, idempotent_message("r", "ana", "hello", "a")).await.unwrap().duplicate);
    age(Timestamp::now().as_millis() - day - 1);
    assert_eq!(seq_of(&store, idempotent_message("r", "ana", "other", "a")).await, 2);
    assert_eq!(
        append(&store, idempotent_message("r", "ana", "hello", "a")).await,
        Err(AppendError::IdReused)
    );
    // the expired id was removed by that append
    assert_eq!(file.number("(SELECT count(*) FROM message_ids)"), 1);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_ids_are_kept() {
    let file = File::new();
    let (database, store) = file.open().await;
    for own in ["a", "b"] {
        seq_of(&store, idempotent_message("r", "ana", "hello", own)).await;
    }
    database.close().await;
    file.execute("UPDATE message_ids SET n = 1000001 WHERE message_id = 'b'");
    let (database, store) = file.open().await;
    assert!(append(&store, idempotent_message("r", "ana", "hello", "a")).await.unwrap().duplicate);
    while store.prune(Retention::default()).await.unwrap() {}
    assert_eq!(file.number("(SELECT min(n) FROM message_ids)"), 1_000_001);
    assert_eq!(seq_of(&store, idempotent_message("r", "ana", "hello", "a")).await, 3);
    assert!(append(&store, idempotent_message("r", "ana", "hello", "b")).await.unwrap().duplicate);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_expire_in_small_steps() {
    let file = File::new();
    let (database, store) = file.open().await;
    let appends = (0..1_200).map(|i| append(&store, idempotent_message("r", "ana", "hello", &i.to_string())));
    join_all(appends).await;
    file.execute("UPDATE message_ids SET sent_at = 0");
    let left = || file.number("(SELECT count(*) FROM message_ids)");
    for (more, expected) in [(true, 700), (true, 200), (false, 0), (false, 0)] {
        assert_eq!(store.prune(Retention::default()).await.unwrap(), more);
        assert_eq!(left(), expected);
    }
    assert_eq!(seqs(&all_after(&store, "r", 200).await).len(), 1_200);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_pruned_in_small_steps_fairly() {
    let file = File::new();
    let (database, store) = file.open().await;
    let names: Vec<String> = (0..10).map(|i| format!("r{i}")).collect();
    let appends = names.iter().flat_map(|name| {
        let count = if name == "r0" { 2_000 } else { 20 };
        (0..count).map(move |_| message(name, "ana", "hello"))
    });
    join_all(appends.map(|message| append(&store, message))).await;
    let left = || file.number("(SELECT count(*) FROM messages)");
    let retention = Retention::new(None, Some(10));
    let mut before = left();
    assert_eq!(before, 2_180);
    for step in 0.. {
        let more = store.prune(retention).await.unwrap();
        let now = left();
        assert!(before - now <= 500, "{before} {now}");
        before = now;
        if step == 0 {
            for name in &names[1..] {
                assert_eq!(seqs(&all_after(&store, name, 20).await), (11..=20).collect::<Vec<_>>());
            }
        }
        // a page read between two steps is complete
        let newest = page(&store, "r0", Page::Before { seq: u64::MAX, limit: 10 }).await;
        assert_eq!(seqs(&newest.messages), (1_991..=2_000).collect::<Vec<_>>());
        assert_eq!(newest.more, all_before(&store, "r0", 200).await.len() > 10);
        if !more {
            break;
        }
        assert!(step < 100);
    }
    assert_eq!(before, 100);
    assert!(!store.prune(retention).await.unwrap());
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_rooms_are_pruned_in_steps() {
    const ROOMS: i64 = 1_000;
    let file = File::new();
    let (database, store) = file.open().await;
    join_all((0..ROOMS * 2).map(|i| append(&store, message(&format!("r{}", i % ROOMS), "ana", "hello"))))
        .await;
    file.execute(&format!("UPDATE messages SET sent_at = 0 WHERE place & {} = 1", (1_i64 << 40) - 1));
    let retention = Retention::new(Some(Duration::from_secs(3_600)), Some(5));
    while store.prune(retention).await.unwrap() {}
    assert_eq!(file.number("(SELECT count(*) FROM messages)"), ROOMS);
    assert_eq!(file.number("(SELECT count(*) FROM rooms WHERE first_seq = 2)"), ROOMS);
    // pruned rooms continue their numbers
    assert_eq!(seq_of(&store, message("r7", "ana", "hello")).await, 3);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_pruning_is_limited_in_bytes() {
    let file = File::new();
    let (database, store) = file.open().await;
    let long = "x".repeat(512 << 10);
    join_all((0..12).map(|_| append(&store, message("r", "ana", &long)))).await;
    let none = Retention::new(None, Some(0));
    assert!(store.prune(none).await.unwrap());
    assert_eq!(file.number("(SELECT count(*) FROM messages)"), 8);
    while store.prune(none).await.unwrap() {}
    assert_eq!(file.number("(SELECT count(*) FROM messages)"), 0);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_has_at_most_a_mebibyte() {
    let file = File::new();
    let (database, store) = file.open().await;
    for _ in 0..5 {
        seq_of(&store, message("r", "ana", &"x".repeat(300 << 10))).await;
    }
    let size: usize = all_after(&store, "r", 1).await[..3].iter().map(|message| message.encoded_size()).sum();
    assert!(size <= MAX_PAGE_BYTES);
    let first = page(&store, "r", Page::After { seq: 0, limit: 9 }).await;
    assert_eq!((seqs(&first.messages), first.more), (vec![1, 2, 3], true));
    let rest = page(&store, "r", Page::After { seq: 3, limit: 9 }).await;
    assert_eq!((seqs(&rest.messages), rest.more), (vec![4, 5], false));
    let newest = page(&store, "r", Page::Before { seq: u64::MAX, limit: 9 }).await;
    assert_eq!((seqs(&newest.messages), newest.more), (vec![3, 4, 5], true));
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_row_affects_only_its_own_room() {
    let file = File::new();
    let (database, store) = file.open().await;
    seq_of(&store, message("r", "ana", "hello")).await;
    seq_of(&store, message("s", "ana", "hello")).await;
    let id = file.number("(SELECT id FROM rooms WHERE name = 'r')");
    file.execute(&format!("UPDATE messages SET username = 'no name' WHERE place = {}", row_key(id, 1)));
    let error = store.page(room("r"), Page::After { seq: 0, limit: 9 }).await.unwrap_err();
    assert!(error.to_string().contains("message 1 of the room r"), "{error}");
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

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_loaded_when_the_store_is_opened() {
    let file = File::new();
    file.open().await.0.close().await;
    file.execute(&format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100000)
         INSERT INTO message_ids SELECT n, 1, 'ana', 'id-' || n, n, {} FROM n",
        Timestamp::now().as_millis()
    ));
    let begun = Instant::now();
    let (database, store) = file.open().await;
    println!("opened with 100,000 ids in {:?}", begun.elapsed());
    append(&store, message("r", "ana", "hello")).await.unwrap();
    let repeated = append(&store, idempotent_message("r", "ana", "hello", "id-77")).await.unwrap();
    assert_eq!((repeated.message.seq, repeated.duplicate), (77, true));
    assert_eq!(page(&store, "s", Page::After { seq: 0, limit: 1 }).await, Messages::default());
    database.close().await;
}
