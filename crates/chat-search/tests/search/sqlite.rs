//! What the file promises beyond the suite, and random updates.

use std::fs;

use chat_protocol::Timestamp;
use chat_search::conformance::helpers::{
    all, document, find, name, position, purge, put, room, rooms, update,
};
use chat_search::{Document, MemoryIndex, Query, SearchErrorKind, SearchIndex, SqliteIndex, Update};
use diesel::connection::SimpleConnection;
use proptest::prelude::*;

use super::model::{block_on, match_the_model, numbers, queries, random_text, signs, steps};
use super::support::{self, File};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_updates_match_a_list(
        steps in steps(),
        texts in queries(),
        limit in 1..5_usize,
    ) {
        block_on(match_the_model(&MemoryIndex::new(), steps.clone(), &texts, limit));
        let file = File::new();
        block_on(match_the_model(&file.open(), steps, &texts, limit));
        file.execute("INSERT INTO fts (fts) VALUES ('integrity-check')");
    }
}

#[test]
fn no_text_is_an_error() {
    let file = File::new();
    let index = file.open();
    block_on(put(&index, "r", vec![document(1, "hello \"world\" 世界 AND fts : * ^")]));
    proptest!(ProptestConfig::with_cases(400), |(text in signs(), from in "[a-zA-Z0-9_.\\-]{1,12}")| {
        let text = text.join(" ");
        if let (Ok(query), Ok(from)) = (Query::new(&text, rooms(&["r"])), from.parse()) {
            block_on(index.search(query.clone())).unwrap();
            block_on(index.search(query.from(Some(from)))).unwrap();
        }
        // what is indexed is no error either, and is found by itself
        block_on(put(&index, "fuzz", vec![document(1, &text)]));
        if let Ok(query) = Query::new(&text, rooms(&["fuzz"])) {
            prop_assert_eq!(block_on(all(&index, query)), ["fuzz:1"]);
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn removed_text_leaves_the_file() {
    let file = File::new();
    let index = file.open();
    let texts = (1..=300).map(|seq| document(seq, &format!("hello number{seq} from everyone here")));
    put(&index, "r", texts.collect()).await;
    put(
        &index,
        "r",
        vec![document(301, "topsecret one"), document(302, "unspeakable two"), document(303, "tobepruned")],
    )
    .await;
    put(&index, "gone", vec![document(1, "undercover 秘密情報")]).await;
    purge(&index).await;
    for text in ["topsecret", "unspeakable", "tobepruned", "undercover", "秘密"] {
        assert!(file.has(text), "{text}");
    }
    // deleted, edited, in a room that begins again
    let mut update = update("r", vec![document(302, "changed two")]);
    update.removed = vec![301];
    let mut again = Update::new(room("gone"), position(1));
    again.restart = true;
    index.apply(vec![update, again]).await.unwrap();
    purge(&index).await;
    for text in ["topsecret", "topse", "unspeakable", "unsp", "undercover", "秘密", "情報"] {
        assert!(!file.has(text), "{text}");
    }
    assert!(file.has("number1") && file.has("tobepruned"));
    // pruned
    let mut update = Update::new(room("r"), position(303));
    update.position.oldest = 304;
    index.apply(vec![update]).await.unwrap();
    purge(&index).await;
    assert!(!file.has("tobepruned") && !file.has("number2"));
    index.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_survives_a_restart() {
    let file = File::new();
    let index = file.open();
    put(&index, "r", (1..=10).map(|seq| document(seq, "hello")).collect()).await;
    assert_eq!(index.documents(), 10);
    index.close().await;
    let error = index.search(Query::new("hello", rooms(&["r"])).unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), SearchErrorKind::Closed);
    assert_eq!(index.apply(vec![]).await.unwrap_err().kind(), SearchErrorKind::Closed);

    let index = file.open();
    assert_eq!(index.documents(), 10);
    assert_eq!(find(&index, "hello", &["r"]).await.len(), 10);
    assert_eq!(index.positions(rooms(&["r"])).await.unwrap(), [Some(position(10))]);
    index.close().await;
    SqliteIndex::remove(file.path()).unwrap();
    assert!(!file.path().exists());
    SqliteIndex::remove(file.path()).unwrap();
}

/// Messages are private, so is the index.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let file = File::new();
    let index = file.open();
    put(&index, "r", vec![document(1, "hello")]).await;
    for suffix in ["", "-wal", "-shm"] {
        let mode = fs::metadata(file.sibling(suffix)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{suffix:?}");
    }
    index.close().await;
}

/// Whether a file is replaced by an empty index that works.
async fn is_replaced(file: &File) {
    let index = file.open();
    assert_eq!(find(&index, "hello", &["r"]).await, [""; 0]);
    assert_eq!(index.documents(), 0);
    put(&index, "r", vec![document(1, "hello")]).await;
    index.close().await;
    let index = file.open();
    assert_eq!(find(&index, "hello", &["r"]).await, ["r:1"]);
    index.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_used_is_replaced() {
    let filled = async || {
        let file = File::new();
        let index = file.open();
        put(&index, "r", (1..=500).map(|seq| document(seq, "hello")).collect()).await;
        index.close().await;
        file
    };
    for contents in [&b""[..], b"not a database", &[0; 10_000]] {
        let file = File::new();
        fs::write(file.path(), contents).unwrap();
        is_replaced(&file).await;
    }
    // truncated, and overwritten in the middle
    let file = filled().await;
    let bytes = fs::read(file.path()).unwrap();
    fs::write(file.path(), &bytes[..5_000]).unwrap();
    is_replaced(&file).await;
    let mut zeros = bytes.clone();
    zeros[100..4_096].fill(0);
    fs::write(file.path(), zeros).unwrap();
    is_replaced(&file).await;
    // of another version
    for change in
        ["UPDATE meta SET version = 'tables 999'", "DELETE FROM meta", "DROP TABLE meta", "DROP TABLE texts"]
    {
        let file = filled().await;
        file.execute(change);
        is_replaced(&file).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_program_is_kept() {
    let file = File::new();
    for suffix in ["", "1"] {
        file.execute("CREATE TABLE messages (body TEXT); INSERT INTO messages VALUES ('precious')");
        is_replaced(&file).await;
        assert!(!file.has("precious"));
        let kept = fs::read(file.sibling(&format!(".old{suffix}"))).unwrap();
        assert!(support::holds(&kept, "precious"));
        SqliteIndex::remove(file.path()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_damaged_while_it_is_open_can_be_cleared() {
    let file = File::new();
    let index = file.open();
    put(&index, "r", (1..=500).map(|seq| document(seq, "hello")).collect()).await;
    index.close().await;
    // the pages of the tables, but not the header and the schema
    let index = file.open();
    let mut bytes = fs::read(file.path()).unwrap();
    let length = bytes.len();
    bytes[8_192..length].fill(0x55);
    fs::write(file.path(), bytes).unwrap();
    let update = vec![update("r", vec![document(1, "other"), document(600, "x")])];
    let error = index.apply(update).await.unwrap_err();
    assert_eq!(error.kind(), SearchErrorKind::Damaged, "{error}");
    index.clear().await.unwrap();
    put(&index, "r", vec![document(1, "hello")]).await;
    assert_eq!(find(&index, "hello", &["r"]).await, ["r:1"]);
    index.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_index_is_busy_and_goes_on() {
    let file = File::new();
    let index = file.open();
    put(&index, "r", vec![document(1, "hello")]).await;
    let mut outside = file.outside();
    outside.batch_execute("BEGIN IMMEDIATE").unwrap();
    let blocked = vec![update("r", vec![document(2, "hello")])];
    assert_eq!(index.apply(blocked.clone()).await.unwrap_err().kind(), SearchErrorKind::Busy);
    assert_eq!(find(&index, "hello", &["r"]).await, ["r:1"], "searches go on");
    outside.batch_execute("COMMIT").unwrap();
    index.apply(blocked).await.unwrap();
    assert_eq!(find(&index, "hello", &["r"]).await, ["r:2", "r:1"]);
    index.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_takes_too_long_ends_and_can_be_continued() {
    let file = File::new();
    let index = file.open().max_duration(std::time::Duration::ZERO);
    let from = |seq: u64| if seq.is_multiple_of(1_000) { "bob" } else { "ana" };
    let documents = (1..=5_000).map(|seq| {
        let sent_at = Timestamp::from_millis(i64::try_from(seq).unwrap() * 60_000);
        Document::new(seq, name(from(seq)), "interesting", sent_at)
    });
    put(&index, "r", documents.collect()).await;
    put(&index, "s", (1..=5_000).map(|seq| document(seq, "interest")).collect()).await;
    let query = Query::new("interesting", rooms(&["r", "s"])).unwrap().from(name("bob"));
    assert_eq!(all(&index, query).await, ["r:5000", "r:4000", "r:3000", "r:2000", "r:1000"]);
    let query = Query::new("interestingly", rooms(&["r", "s"])).unwrap();
    let found = index.search(query.clone()).await.unwrap();
    assert!(found.keys.is_empty() && found.next.is_some());
    assert_eq!(all(&index, query).await, [""; 0]);
    index.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_index_loses_nothing_by_deletions_edits_and_merges() {
    const COUNT: u64 = 9_000;
    let file = File::new();
    let index = file.open();
    let mut random = numbers();
    let mut texts: std::collections::BTreeMap<u64, String> = std::collections::BTreeMap::new();
    for from in (1..=COUNT).step_by(1_000) {
        texts.extend((from..from + 1_000).map(|seq| (seq, random_text(&mut random))));
        let documents = texts.range(from..).map(|(seq, text)| document(*seq, text));
        put(&index, "r", documents.collect()).await;
    }
    for round in 0..40 {
        let mut update = Update::new(room("r"), position(COUNT));
        // neighbours, because a list of numbers in the index is split into pages
        let first = 1 + random(COUNT - 60);
        for seq in first..first + random(60) {
            if random(2) == 0 {
                texts.remove(&seq);
                update.removed.push(seq);
            }
        }
        for _ in 0..random(40) {
            let (seq, text) = (1 + random(COUNT), random_text(&mut random));
            update.documents.push(document(seq, &text));
            texts.insert(seq, text);
        }
        index.apply(vec![update]).await.unwrap();
        if round == 20 {
            index.optimize().await.unwrap();
        }
        if round % 10 == 9 {
            file.execute("INSERT INTO fts (fts) VALUES ('integrity-check')");
            for text in ["common ", "comm", "common m3 ", "f77 ", "f7", "世界", "世界地", "人", "m1 世界人 "]
            {
                let query = Query::new(text, rooms(&["r"])).unwrap().limit(100);
                let expected = texts.iter().rev().filter(|(_, text)| query.matches(text));
                let expected: Vec<_> = expected.map(|(seq, _)| format!("r:{seq}")).collect();
                let found = all(&index, query).await;
                assert_eq!(found.len(), expected.len(), "{text:?} in round {round}");
                assert!(found == expected, "{text:?} in round {round}");
            }
        }
    }
    assert_eq!(index.documents(), texts.len() as u64);
    index.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_and_updates_run_at_the_same_time() {
    let file = File::new();
    let index = file.open();
    put(&index, "r", vec![document(1, "hello")]).await;
    let searching = (0..4).map(|_| {
        let index = index.clone();
        tokio::spawn(async move {
            for _ in 0..50 {
                let found = find(&index, "hello", &["r"]).await;
                assert_eq!(found.last().map(String::as_str), Some("r:1"));
            }
        })
    });
    let searching: Vec<_> = searching.collect();
    for seq in 2..100 {
        put(&index, "r", vec![document(seq, "hello")]).await;
        purge(&index).await;
    }
    for task in searching {
        task.await.unwrap();
    }
    assert_eq!(find(&index, "hello", &["r"]).await.len(), 99);
    index.close().await;
}
