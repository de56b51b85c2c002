//! How long ids are recognised, and by what.

use std::time::Instant;

use chat_history::conformance::helpers::{
    all_after, append, body, duplicate, idempotent_message, is_end, message, name, page, seq_of, seqs, stored,
};
use chat_history::{AppendError, HistoryStore, Page, Retention};
use chat_protocol::Timestamp;
use futures::future::join_all;

use crate::support::File;

#[tokio::test(flavor = "multi_thread")]
async fn the_id_of_a_pruned_message_is_recognised() {
    let file = File::new();
    let (database, store) = file.open().await;
    let first = stored(&store, idempotent_message("r", "ana", "hello", "a")).await;
    assert_eq!(seq_of(&store, message("r", "ana", "hello")).await, 2);
    while store.prune(Retention::new(None, Some(1))).await.unwrap() {}
    assert_eq!(seqs(&all_after(&store, "r", 9).await), [2]);
    let other = append(&store, idempotent_message("r", "ana", "other", "a")).await;
    assert_eq!(other, Err(AppendError::IdReused));
    let repeated = duplicate(&store, idempotent_message("r", "ana", "hello", "a")).await;
    assert_eq!(repeated, first);

    // the first message had the name that its author had then
    let mut renamed = idempotent_message("r", "ana", "hello", "a");
    renamed.from = name("anna");
    assert_eq!(duplicate(&store, renamed).await, first);
    database.close().await;
}

/// The digest is the first 64 bits of SHA-256, computed with another implementation. It is stored,
/// so it must not change.
#[test]
fn a_digest_does_not_change() {
    let digest = |text| message("r", "ana", text).digest();
    assert_eq!(digest("hello"), 0xc05b_bb59_4045_b946);
    assert_eq!(digest(""), 0x1530_6547_a74d_e750);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_recognised_whatever_became_of_its_message() {
    let file = File::new();
    let (database, store) = file.open().await;
    assert_eq!(seq_of(&store, idempotent_message("r", "ana", "hello", "a")).await, 1);
    // as another program, or a later version, may change a message
    file.execute("UPDATE messages SET body = 'changed'");
    let repeated = duplicate(&store, idempotent_message("r", "ana", "hello", "a")).await;
    assert_eq!(body(&repeated), Some("changed"));
    let other = append(&store, idempotent_message("r", "ana", "changed", "a")).await;
    assert_eq!(other, Err(AppendError::IdReused));
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
    duplicate(&store, idempotent_message("r", "ana", "hello", "a")).await;
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
    duplicate(&store, idempotent_message("r", "ana", "hello", "a")).await;
    while store.prune(Retention::default()).await.unwrap() {}
    assert_eq!(file.number("(SELECT min(n) FROM message_ids)"), 1_000_001);
    assert_eq!(seq_of(&store, idempotent_message("r", "ana", "hello", "a")).await, 3);
    duplicate(&store, idempotent_message("r", "ana", "hello", "b")).await;
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
async fn ids_are_loaded_when_the_store_is_opened() {
    let file = File::new();
    file.open().await.0.close().await;
    file.execute(&format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100000)
         INSERT INTO message_ids (n, room_id, user, username, message_id, digest, seq, sent_at)
         SELECT n, 1, 'u_ana', 'ana', 'id-' || n, {}, n, {} FROM n",
        message("r", "ana", "hello").digest().cast_signed(),
        Timestamp::now().as_millis()
    ));
    let begun = Instant::now();
    let (database, store) = file.open().await;
    println!("opened with 100,000 ids in {:?}", begun.elapsed());
    append(&store, message("r", "ana", "hello")).await.unwrap();
    let repeated = duplicate(&store, idempotent_message("r", "ana", "hello", "id-77")).await;
    assert_eq!(repeated.seq, 77);
    assert!(is_end(&page(&store, "s", Page::After { seq: 0, limit: 1 }).await));
    database.close().await;
}
