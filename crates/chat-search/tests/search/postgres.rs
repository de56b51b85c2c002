//! What the PostgreSQL index promises beyond the suite, and random updates.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use chat_db::postgres::{Database, Options};
use chat_history::{HistoryStore, MemoryHistory, NewMessage, Retention};
use chat_protocol::{MessageId, RoomName, Timestamp};
use chat_search::conformance::helpers::{
    all, document, document_at, find, name, position, purge, put, room, rooms, update,
};
use chat_search::{Document, Follower, PostgresIndex, Query, SearchErrorKind, SearchIndex, Update, rebuild};
use chat_testkit::needs::{self, Need};
use chat_testkit::postgres as servers;
use proptest::prelude::*;

use super::model::{match_the_model, numbers, queries, random_text, signs, steps};

/// A database on a server that all tests share.
pub(crate) struct Server {
    database: Database,
    // dropped last
    server: servers::Database,
}

impl Server {
    /// An empty database. `None` if this machine does not have PostgreSQL.
    pub(crate) fn start() -> Option<Self> {
        if !needs::are_met(&[Need::Postgres]) {
            return None;
        }
        tokio::task::block_in_place(|| {
            let server = servers::shared();
            Some(Self { database: open(&server), server })
        })
    }

    pub(crate) async fn open(&self) -> PostgresIndex {
        PostgresIndex::open(self.database.clone()).await.unwrap()
    }

    /// Ends the use of the database, and begins again.
    async fn restart(&mut self) {
        self.database.close().await;
        self.database = tokio::task::block_in_place(|| open(&self.server));
    }

    /// Whether the table of the index has this text.
    fn has(&self, text: &str) -> bool {
        let sql = "SELECT count(*) FROM search_documents WHERE terms LIKE '%{}%' OR tokens::text LIKE '%{}%'";
        self.server.psql(&sql.replace("{}", text)) != "0"
    }
}

/// Opens the database with few connections, because many tests share a server.
fn open(server: &servers::Database) -> Database {
    let options = Options::default().appenders(NonZeroU32::MIN);
    Database::open(&server.url().parse().unwrap(), &options).unwrap()
}

/// Runs a future on this thread, in a test of random cases.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(future))
}

#[tokio::test(flavor = "multi_thread")]
async fn random_updates_match_a_list_in_postgres() {
    let Some(server) = Server::start() else { return };
    let index = server.open().await;
    let config = ProptestConfig::with_cases(48);
    proptest!(config, |(steps in steps(), texts in queries(), limit in 1..5_usize, max_candidates in 2..40_u32)| {
        block_on(async {
            index.clear().await.unwrap();
            match_the_model(&index.clone().max_candidates(max_candidates), steps, &texts, limit).await;
        });
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn no_text_is_an_error_in_postgres() {
    let Some(server) = Server::start() else { return };
    let index = server.open().await;
    put(&index, "r", vec![document(1, "hello \"world\" 世界 AND fts : * ^")]).await;
    let config = ProptestConfig::with_cases(200);
    proptest!(config, |(text in signs(), from in "[a-zA-Z0-9_.\\-]{1,12}", max_candidates in 2..5_u32)| {
        let (text, index) = (text.join(" "), index.clone().max_candidates(max_candidates));
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
async fn a_large_postgres_index_loses_nothing_by_deletions_and_edits() {
    const COUNT: u64 = 3_000;
    let Some(server) = Server::start() else { return };
    let index = server.open().await;
    let mut random = numbers();
    let mut texts: BTreeMap<u64, String> = BTreeMap::new();
    for from in (1..=COUNT).step_by(1_000) {
        texts.extend((from..from + 1_000).map(|seq| (seq, random_text(&mut random))));
        put(&index, "r", texts.range(from..).map(|(seq, text)| document(*seq, text)).collect()).await;
    }
    // so that the room has a small part of all messages
    put(&index, "s", (1..=10_000).map(|seq| document_at(seq, "common m7 世界", 3_000_500)).collect()).await;
    put(&index, "t", vec![document_at(1, "other", 1_500_500)]).await;
    for round in 0..12 {
        let mut update = Update::new(room("r"), position(COUNT));
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
        if round % 4 != 3 {
            continue;
        }
        index.optimize().await.unwrap();
        for text in ["common ", "comm", "common m3 ", "f77 ", "f7", "世界", "世界地", "人", "m1 世界人 "]
        {
            for names in [&["r"][..], &["r", "t"]] {
                let query = Query::new(text, rooms(names)).unwrap().limit(100);
                let expected = texts.iter().rev().filter(|(_, text)| query.matches(text));
                let expected: Vec<_> = expected.map(|(seq, _)| format!("r:{seq}")).collect();
                for max_candidates in [150, 2_000] {
                    let found = all(&index.clone().max_candidates(max_candidates), query.clone()).await;
                    assert_eq!(found.len(), expected.len(), "{text:?} in {names:?}, round {round}");
                    assert!(found == expected, "{text:?} in {names:?}, round {round}");
                }
            }
        }
    }
    assert_eq!(index.documents().await.unwrap(), texts.len() as u64 + 10_001);
}

#[tokio::test(flavor = "multi_thread")]
async fn removed_text_leaves_the_tables_of_postgres() {
    let Some(server) = Server::start() else { return };
    let index = server.open().await;
    put(
        &index,
        "r",
        vec![document(1, "topsecret one"), document(2, "unspeakable two"), document(3, "tobepruned")],
    )
    .await;
    put(&index, "gone", vec![document(1, "undercover 秘密情報")]).await;
    for text in ["topsecret", "unspeakable", "tobepruned", "undercover", "秘密"] {
        assert!(server.has(text), "{text}");
    }
    // deleted, edited, in a room that begins again
    let mut update = update("r", vec![document(2, "changed two")]);
    update.removed = vec![1];
    let mut again = Update::new(room("gone"), position(1));
    again.restart = true;
    index.apply(vec![update, again]).await.unwrap();
    purge(&index).await;
    for text in ["topsecret", "topse", "unspeakable", "unsp", "undercover", "秘密", "情報"] {
        assert!(!server.has(text), "{text}");
    }
    assert!(server.has("changed") && server.has("tobepruned"));
    let mut update = Update::new(room("r"), position(3));
    update.position.oldest = 4;
    index.apply(vec![update]).await.unwrap();
    purge(&index).await;
    assert!(!server.has("tobepruned") && !server.has("changed"));
    assert_eq!(index.documents().await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_index_survives_a_restart_and_is_emptied_by_another_version() {
    let Some(mut server) = Server::start() else { return };
    let index = server.open().await;
    put(&index, "r", (1..=10).map(|seq| document(seq, "hello")).collect()).await;
    server.restart().await;
    let error = index.search(Query::new("hello", rooms(&["r"])).unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), SearchErrorKind::Closed);
    assert_eq!(index.apply(vec![]).await.unwrap_err().kind(), SearchErrorKind::Closed);

    let index = server.open().await;
    assert_eq!(index.documents().await.unwrap(), 10);
    assert_eq!(find(&index, "hello", &["r"]).await.len(), 10);
    assert_eq!(index.positions(rooms(&["r"])).await.unwrap(), [Some(position(10))]);

    server.server.psql("UPDATE search_meta SET version = 'tokens 0'");
    let index = server.open().await;
    assert_eq!(index.documents().await.unwrap(), 0);
    assert_eq!(index.positions(rooms(&["r"])).await.unwrap(), [None]);
    put(&index, "r", vec![document(1, "hello")]).await;
    let index = server.open().await;
    assert_eq!(find(&index, "hello", &["r"]).await, ["r:1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_of_a_process_that_lost_postgres_has_no_effect() {
    let Some(server) = Server::start() else { return };
    let index = server.open().await;
    put(&index, "r", vec![document(1, "hello")]).await;
    server.server.psql("UPDATE database_state SET incarnation = 'of another process'");
    let update = vec![update("r", vec![document(2, "hello")])];
    index.apply(update).await.unwrap_err();
    assert_eq!(server.server.psql("SELECT count(*) FROM search_documents"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_of_postgres_that_takes_too_long_ends_and_can_be_continued() {
    let Some(server) = Server::start() else { return };
    let index = server.open().await.max_duration(Duration::ZERO).max_candidates(500);
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
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_text_is_indexed_in_postgres() {
    let Some(server) = Server::start() else { return };
    let index = server.open().await.max_candidates(2);
    // more different words than a tsvector has space for
    let long: String = (0..300_000).map(|n| format!("word{n} ")).collect();
    let documents = vec![document(1, &long), document(2, "word1 word7"), document(3, &"同".repeat(20_000))];
    put(&index, "r", documents).await;
    put(&index, "s", (1..=9).map(|seq| document(seq, "other")).collect()).await;
    assert_eq!(find(&index, "word7 ", &["r"]).await, ["r:2", "r:1"]);
    assert_eq!(find(&index, "同同同", &["r", "s"]).await, ["r:3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_and_updates_of_postgres_run_at_the_same_time() {
    let Some(server) = Server::start() else { return };
    let index = server.open().await;
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
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_index_follows_a_history_and_is_built_again() {
    let Some(server) = Server::start() else { return };
    let index = server.open().await;
    let history = Arc::new(MemoryHistory::new());
    let log = Arc::new(history.log());
    let follower =
        Follower::start(history.clone(), log.clone(), Arc::new(index.clone()), Retention::default());
    let lobby = RoomName::parse("lobby").unwrap();
    for n in 0..300_u64 {
        let body = format!("café number{n}");
        let id = MessageId::from_random(u128::from(n));
        let message = NewMessage::new(lobby.clone(), "u_17".parse().unwrap(), name("ana"), body.as_str(), id);
        history.append(message.into(), Box::new(|result| assert!(result.is_ok())));
    }
    follower.notify(&lobby);
    follower.caught_up().await;
    assert_eq!(find(&index, "CAFE ", &["lobby"]).await.len(), 300);
    follower.shutdown().await;

    // another follower continues, after something was lost
    server.server.psql("DELETE FROM search_documents WHERE seq = 1");
    assert_eq!(find(&index, "number0 ", &["lobby"]).await, [""; 0]);
    let built = rebuild(&*log, history.clone(), &index, Retention::default(), |_| {}).await.unwrap();
    assert_eq!((built.rooms, built.messages), (1, 300));
    assert_eq!(find(&index, "number0 ", &["lobby"]).await, ["lobby:1"]);
    assert_eq!(find(&index, "CAFE ", &["lobby"]).await.len(), 300);
}
