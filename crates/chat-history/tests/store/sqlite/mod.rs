//! What the durable store promises beyond the suite.

mod failures;
mod ids;
mod pruning;
mod upgrade;

use chat_history::conformance::helpers::{
    all_after, append, delete, duplicate, idempotent_message, message, newest, page, room, seq_of, seqs,
    stored,
};
use chat_history::{AppendError, HistoryStore, MAX_PAGE_BYTES, Page};
use futures::future::join_all;

use super::support::File;

fn row_key(room_id: i64, seq: i64) -> i64 {
    (room_id << 40) + seq
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_ids_and_epoch_survive_a_restart() {
    let file = File::new();
    let (database, store) = file.open().await;
    let epoch = store.epoch();
    let first = stored(&store, idempotent_message("r", "ana", "hello", "a")).await;
    assert_eq!(seq_of(&store, message("r", "bob", "hello")).await, 2);
    database.close().await;

    let (database, store) = file.open().await;
    assert_eq!(store.epoch(), epoch);
    assert_eq!(newest(&store, "r").await, 2);
    let repeated = duplicate(&store, idempotent_message("r", "ana", "hello", "a")).await;
    assert_eq!(repeated, first);
    assert_eq!(
        append(&store, idempotent_message("r", "ana", "other", "a")).await,
        Err(AppendError::IdReused)
    );
    assert_eq!(seq_of(&store, idempotent_message("r", "ana", "other", "b")).await, 3);
    let deletion = delete(&store, "r", &[2]).await;
    assert_eq!(deletion.seq, 4);
    database.close().await;

    let (database, store) = file.open().await;
    assert_eq!(newest(&store, "r").await, 4);
    let all = all_after(&store, "r", 2).await;
    assert_eq!((seqs(&all), &all[1]), (vec![1, 2, 3], &deletion.messages[0]));
    let changed = store.changed(room("r"), 3, 9).await.unwrap();
    assert_eq!((changed.messages, changed.newest), (Some(deletion.messages.clone()), 4));
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
        assert_eq!(answer.unwrap().seq().unwrap(), i as u64 + 1);
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
        assert_eq!(answer.unwrap().seq().unwrap(), i as u64 / 3 + 1);
    }
    let next_seqs = "(SELECT count(*) FROM rooms WHERE next_seq = \
                     (SELECT count(*) FROM messages WHERE place >> 40 = rooms.id) + 1)";
    assert_eq!(file.number(next_seqs), 3);
    assert_eq!(seq_of(&store, message("r2", "ana", "")).await, COUNT as u64 / 3 + 1);
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
