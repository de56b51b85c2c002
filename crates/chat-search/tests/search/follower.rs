//! The follower and the rebuild against real histories, and against stores that fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use chat_db::sqlite::Database;
use chat_history::conformance::helpers::{append, body, deletion, edit, message, prune, seq_of, user};
use chat_history::{
    Cursor, Extent, HistoryError, HistoryErrorKind, HistoryLog, HistoryStore, MemoryHistory, Messages,
    NewEdit, Page, Retention, RoomExtent, SqliteHistory, SqliteHistoryLog, Step, delegate_history,
};
use chat_protocol::{Epoch, Message, RoomName};
use chat_search::conformance::helpers::{find, name, purge, room};
use chat_search::{
    Follower, Found, MemoryIndex, Position, Query, SearchError, SearchErrorKind, SearchIndex, Update, rebuild,
};
use futures::future::{BoxFuture, FutureExt, ready};
use tokio::time::{Instant, sleep};

use super::support::File;

/// A history, and what else is needed to follow it.
#[derive(Clone)]
struct Source {
    history: Arc<dyn HistoryStore>,
    log: Arc<dyn HistoryLog>,
}

impl Source {
    fn memory() -> Self {
        let history = MemoryHistory::new();
        let log = Arc::new(history.log());
        Self { history: Arc::new(history), log }
    }

    async fn sqlite(file: &File) -> Self {
        let database = Database::open(&file.sibling(".main")).unwrap();
        let log = Arc::new(SqliteHistoryLog::new(database.clone()));
        Self { history: Arc::new(SqliteHistory::open(database).await.unwrap()), log }
    }

    fn follow(&self, index: &Arc<dyn SearchIndex>, retention: Retention) -> Follower {
        Follower::start(Arc::clone(&self.history), Arc::clone(&self.log), Arc::clone(index), retention)
    }

    /// Posts a message without waiting for it.
    fn queue(&self, in_room: &str, text: &str) {
        let stored = Box::new(|result: Result<_, _>| drop(result.unwrap()));
        self.history.append(message(in_room, "ana", text).into(), stored);
    }

    async fn post(&self, follower: &Follower, in_room: &str, text: &str) -> u64 {
        let seq = seq_of(&*self.history, message(in_room, "ana", text)).await;
        follower.notify(&room(in_room));
        seq
    }

    async fn edit(&self, in_room: &str, target: u64, text: &str) {
        let authors = Arc::new([user("ana")]);
        edit(&*self.history, NewEdit::new(room(in_room), target, authors, name("ana"), text)).await;
    }

    /// What the messages of these rooms that are not deleted contain, as `room:seq`.
    async fn expected(&self, text: &str, names: &[&str]) -> Vec<String> {
        let mut all: Vec<(i64, String)> = Vec::new();
        for name in names {
            let mut seq = 0;
            loop {
                let page = Page::After { seq, limit: 1_000 };
                let page = self.history.page(room(name), page, Retention::default()).await.unwrap();
                let query = Query::new(text, Vec::new()).unwrap();
                let found = page.messages.iter().filter(|m| body(m).is_some_and(|body| query.matches(body)));
                all.extend(found.map(|m| (m.sent_at.as_millis(), format!("{name}:{}", m.seq))));
                if !page.more {
                    break;
                }
                seq = page.last;
            }
        }
        all.sort();
        all.into_iter().map(|(_, key)| key).collect()
    }

    /// Checks that the index finds what the history has.
    async fn check(&self, index: &dyn SearchIndex, text: &str, names: &[&str]) {
        let (mut found, mut expected) = (find(index, text, names).await, self.expected(text, names).await);
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{text}");
    }
}

fn memory_index() -> Arc<dyn SearchIndex> {
    Arc::new(MemoryIndex::new())
}

/// What happens in a history while it is followed.
async fn what_happens_is_found(source: Source, index: Arc<dyn SearchIndex>) {
    let follower = source.follow(&index, Retention::default());
    follower.caught_up().await;
    for i in 0..20 {
        source.post(&follower, "r", &format!("hello number{i}")).await;
        source.post(&follower, &format!("s{}", i % 3), "hello there").await;
    }
    follower.caught_up().await;
    let rooms = ["r", "s0", "s1", "s2"];
    source.check(&*index, "hello ", &rooms).await;
    assert_eq!(find(&*index, "number7 ", &rooms).await, ["r:8"]);

    source.edit("r", 8, "goodbye number7").await;
    append(&*source.history, deletion("r", &[1, 2])).await.unwrap();
    follower.notify(&room("r"));
    follower.caught_up().await;
    source.check(&*index, "hello ", &rooms).await;
    source.check(&*index, "goodbye ", &rooms).await;
    assert_eq!(find(&*index, "number0 ", &rooms).await, [""; 0]);
    // many of both at once, with new messages between them
    for target in 3..8 {
        source.edit("r", target, "changed hello").await;
        source.post(&follower, "r", "hello again").await;
        append(&*source.history, deletion("r", &[target + 10])).await.unwrap();
    }
    follower.notify(&room("r"));
    follower.caught_up().await;
    for text in ["hello ", "changed ", "again ", "number12 "] {
        source.check(&*index, text, &rooms).await;
    }
    prune(&*source.history, Retention::new(None, Some(3))).await;
    follower.notify_all();
    follower.caught_up().await;
    for text in ["hello ", "changed ", "again ", "there "] {
        source.check(&*index, text, &rooms).await;
    }
    follower.shutdown().await;
    follower.caught_up().await;
    follower.notify(&room("r"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_found_in_memory() {
    what_happens_is_found(Source::memory(), memory_index()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_found_in_files() {
    let file = File::new();
    what_happens_is_found(Source::sqlite(&file).await, Arc::new(file.open())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_retention_does_not_keep_is_not_indexed() {
    let (source, index) = (Source::memory(), memory_index());
    let follower = source.follow(&index, Retention::new(None, Some(2)));
    for _ in 0..5 {
        source.post(&follower, "r", "hello").await;
    }
    follower.caught_up().await;
    assert_eq!(find(&*index, "hello", &["r"]).await, ["r:5", "r:4"]);
    follower.set_retention(Retention::new(None, Some(1)));
    follower.notify(&room("r"));
    follower.caught_up().await;
    assert_eq!(find(&*index, "hello", &["r"]).await, ["r:5"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_while_nobody_followed_is_found_at_the_start() {
    let file = File::new();
    let source = Source::sqlite(&file).await;
    let index: Arc<dyn SearchIndex> = Arc::new(file.open());
    let follower = source.follow(&index, Retention::default());
    for i in 0..600 {
        source.post(&follower, &format!("r{i}"), "first").await;
    }
    follower.caught_up().await;
    follower.shutdown().await;
    // nobody is notified
    for i in (0..600).step_by(7) {
        seq_of(&*source.history, message(&format!("r{i}"), "ana", "second")).await;
    }
    append(&*source.history, deletion("r1", &[1])).await.unwrap();
    source.edit("r2", 1, "changed first").await;
    seq_of(&*source.history, message("new", "ana", "first")).await;
    prune(&*source.history, Retention::new(None, Some(1))).await;
    let follower = source.follow(&index, Retention::default());
    follower.caught_up().await;
    let names: Vec<_> = (0..600).map(|i| format!("r{i}")).chain(["new".to_owned()]).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    for text in ["first ", "second ", "changed "] {
        source.check(&*index, text, &names).await;
    }
    assert_eq!(find(&*index, "second ", &names).await.len(), 86);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_with_too_many_changes_is_indexed_again() {
    let file = File::new();
    let source = Source::sqlite(&file).await;
    let index: Arc<dyn SearchIndex> = Arc::new(file.open());
    let follower = source.follow(&index, Retention::default());
    for i in 0..2_600 {
        let text = if i % 10 == 0 { "keep" } else { "drop" };
        source.queue("r", text);
    }
    seq_of(&*source.history, message("r", "ana", "keep")).await;
    follower.notify(&room("r"));
    follower.caught_up().await;
    source.check(&*index, "drop ", &["r"]).await;
    let dropped: Vec<_> = (1..=2_600).filter(|seq| (seq - 1) % 10 != 0).collect();
    assert!(dropped.len() > 2_000);
    for targets in dropped.chunks(500) {
        append(&*source.history, deletion("r", targets)).await.unwrap();
    }
    follower.notify(&room("r"));
    follower.caught_up().await;
    assert_eq!(find(&*index, "drop ", &["r"]).await, [""; 0]);
    source.check(&*index, "keep ", &["r"]).await;
    // and what follows is found as usual
    source.post(&follower, "r", "drop").await;
    follower.caught_up().await;
    source.check(&*index, "drop ", &["r"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_epoch_begins_again() {
    let index = memory_index();
    let before = Source::memory();
    let follower = before.follow(&index, Retention::default());
    for name in ["r", "s"] {
        before.post(&follower, name, "old").await;
    }
    follower.caught_up().await;
    follower.shutdown().await;
    assert_eq!(find(&*index, "old", &["r", "s"]).await.len(), 2);
    let after = Source::memory();
    let follower = after.follow(&index, Retention::default());
    after.post(&follower, "r", "new").await;
    follower.caught_up().await;
    assert_eq!(find(&*index, "old", &["r", "s"]).await, [""; 0]);
    assert_eq!(find(&*index, "new", &["r", "s"]).await, ["r:1"]);
}

/// A history whose reads fail while it is switched off.
#[derive(Debug)]
struct Failing {
    history: Arc<dyn HistoryStore>,
    log: Arc<dyn HistoryLog>,
    fails: AtomicBool,
    /// Counts the reads that failed.
    failures: tokio::sync::watch::Sender<usize>,
    /// A room that can't be read.
    damaged: Option<RoomName>,
}

impl Failing {
    fn new(source: &Source, fails: bool, damaged: Option<RoomName>) -> Arc<Self> {
        let (history, log) = (Arc::clone(&source.history), Arc::clone(&source.log));
        let failures = tokio::sync::watch::channel(0).0;
        Arc::new(Self { history, log, fails: AtomicBool::new(fails), failures, damaged })
    }

    fn check_room(&self, room: Option<&RoomName>) -> Result<(), HistoryError> {
        if self.fails.load(Ordering::Relaxed) || (room.is_some() && room == self.damaged.as_ref()) {
            self.failures.send_modify(|failures| *failures += 1);
            return Err(HistoryError::new(HistoryErrorKind::Busy, "switched off"));
        }
        Ok(())
    }

    /// Waits until a read has failed.
    async fn has_failed(&self) {
        self.failures.subscribe().wait_for(|failures| *failures > 0).await.unwrap();
    }
}

type Answer<'a, T> = BoxFuture<'a, Result<T, HistoryError>>;

impl HistoryStore for Failing {
    fn extent(&self, room: RoomName, retention: Retention) -> Answer<'_, Extent> {
        match self.check_room(Some(&room)) {
            Ok(()) => self.history.extent(room, retention),
            Err(error) => ready(Err(error)).boxed(),
        }
    }

    fn page(&self, room: RoomName, page: Page, retention: Retention) -> Answer<'_, Messages> {
        match self.check_room(Some(&room)) {
            Ok(()) => self.history.page(room, page, retention),
            Err(error) => ready(Err(error)).boxed(),
        }
    }

    delegate_history! {
        history: epoch durability append settings changed own_reactions public_rooms mentions_after prune check
    }
}

impl HistoryLog for Failing {
    fn rooms(&self, after: Option<Cursor>) -> Answer<'_, Step<Vec<RoomExtent>>> {
        match self.check_room(None) {
            Ok(()) => self.log.rooms(after),
            Err(error) => ready(Err(error)).boxed(),
        }
    }

    fn messages(
        &self,
        room: RoomName,
        numbers: Vec<u64>,
        retention: Retention,
    ) -> Answer<'_, Vec<Arc<Message>>> {
        self.log.messages(room, numbers, retention)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_fails_for_a_while_is_followed_afterwards() {
    let (source, index) = (Source::memory(), memory_index());
    let failing = Failing::new(&source, true, None);
    let (history, log) = (Arc::clone(&failing), Arc::clone(&failing));
    let follower = Follower::start(history, log, Arc::clone(&index), Retention::default());
    source.post(&follower, "r", "hello").await;
    failing.has_failed().await;
    failing.fails.store(false, Ordering::Relaxed);
    follower.caught_up().await;
    assert_eq!(find(&*index, "hello", &["r"]).await, ["r:1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_cannot_be_read_does_not_stop_the_others() {
    let (source, index) = (Source::memory(), memory_index());
    let failing = Failing::new(&source, false, Some(room("damaged")));
    for name in ["damaged", "r"] {
        seq_of(&*source.history, message(name, "ana", "hello")).await;
    }
    let watching = Watching::new(Arc::clone(&index), usize::MAX);
    let (history, log) = (Arc::clone(&failing), Arc::clone(&failing));
    let follower = Follower::start(history, log, watching.clone(), Retention::default());
    failing.has_failed().await;
    source.post(&follower, "s", "hello").await;
    watching.has_applied(|update| update.room == room("s")).await;
    let mut found = find(&*index, "hello", &["damaged", "r", "s"]).await;
    found.sort();
    assert_eq!(found, ["r:1", "s:1"]);
    follower.shutdown().await;
}

/// An index that fails after a number of updates, and lets a test wait for them.
#[derive(Debug)]
struct Watching {
    index: Arc<dyn SearchIndex>,
    /// How many more transactions are applied.
    left: AtomicUsize,
    kind: SearchErrorKind,
    applied: tokio::sync::watch::Sender<Vec<Update>>,
    failed: tokio::sync::watch::Sender<bool>,
    cleared: AtomicUsize,
    /// How long each transaction takes.
    duration: Duration,
}

impl Watching {
    fn new(index: Arc<dyn SearchIndex>, left: usize) -> Arc<Self> {
        Self::failing(index, left, SearchErrorKind::Full)
    }

    fn failing(index: Arc<dyn SearchIndex>, left: usize, kind: SearchErrorKind) -> Arc<Self> {
        let (applied, failed) =
            (tokio::sync::watch::channel(Vec::new()).0, tokio::sync::watch::channel(false).0);
        Arc::new(Self {
            index,
            left: AtomicUsize::new(left),
            kind,
            applied,
            failed,
            cleared: AtomicUsize::new(0),
            duration: Duration::ZERO,
        })
    }

    async fn has_applied(&self, is_awaited: impl Fn(&Update) -> bool) {
        self.applied.subscribe().wait_for(|applied| applied.iter().any(&is_awaited)).await.unwrap();
    }

    async fn has_failed(&self) {
        self.failed.subscribe().wait_for(|failed| *failed).await.unwrap();
    }
}

type IndexAnswer<'a, T> = BoxFuture<'a, Result<T, SearchError>>;

impl SearchIndex for Watching {
    fn search(&self, query: Query) -> IndexAnswer<'_, Found> {
        self.index.search(query)
    }

    fn positions(&self, rooms: Vec<RoomName>) -> IndexAnswer<'_, Vec<Option<Position>>> {
        self.index.positions(rooms)
    }

    fn apply(&self, updates: Vec<Update>) -> IndexAnswer<'_, ()> {
        async move {
            let take = |left: usize| left.checked_sub(1);
            if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err() {
                self.failed.send_replace(true);
                return Err(SearchError::new(self.kind, "no more"));
            }
            sleep(self.duration).await;
            self.index.apply(updates.clone()).await?;
            self.applied.send_modify(|applied| applied.extend(updates));
            Ok(())
        }
        .boxed()
    }

    fn keep_epoch(&self, epoch: Epoch) -> IndexAnswer<'_, ()> {
        self.index.keep_epoch(epoch)
    }

    fn purge(&self) -> IndexAnswer<'_, bool> {
        self.index.purge()
    }

    fn optimize(&self) -> IndexAnswer<'_, ()> {
        self.index.optimize()
    }

    fn clear(&self) -> IndexAnswer<'_, ()> {
        self.cleared.fetch_add(1, Ordering::Relaxed);
        self.left.store(usize::MAX, Ordering::Relaxed);
        self.index.clear()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_continues_where_it_was_ended() {
    let file = File::new();
    let source = Source::sqlite(&file).await;
    for i in 0..1_700 {
        source.queue("r", &format!("hello w{}", i % 5));
    }
    seq_of(&*source.history, message("s", "ana", "hello")).await;
    let index: Arc<dyn SearchIndex> = Arc::new(file.open());
    let first = Watching::new(Arc::clone(&index), 2);
    let follower = Follower::start(
        Arc::clone(&source.history),
        Arc::clone(&source.log),
        Arc::clone(&first) as Arc<dyn SearchIndex>,
        Retention::default(),
    );
    first.has_failed().await;
    follower.shutdown().await;
    let half = find(&*index, "hello ", &["r"]).await.len();
    assert!((1..1_700).contains(&half), "{half}");
    // what was indexed changes before the rest is indexed
    append(&*source.history, deletion("r", &[1, 2, 3, 1_650])).await.unwrap();
    source.edit("r", 10, "changed").await;
    let second = Watching::new(Arc::clone(&index), usize::MAX);
    let follower = Follower::start(
        Arc::clone(&source.history),
        Arc::clone(&source.log),
        Arc::clone(&second) as Arc<dyn SearchIndex>,
        Retention::default(),
    );
    follower.caught_up().await;
    follower.shutdown().await;
    for text in ["hello ", "w3 ", "changed "] {
        source.check(&*index, text, &["r", "s"]).await;
    }
    let indexed: usize = second.applied.borrow().iter().map(|update| update.documents.len()).sum();
    assert!(indexed < 1_700 - half + 10, "{indexed} after {half}");
    assert!(second.applied.borrow().iter().all(|update| !update.restart));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_full_for_a_while_is_updated_afterwards() {
    let source = Source::memory();
    let index = Watching::new(memory_index(), 0);
    let shared: Arc<dyn SearchIndex> = Arc::clone(&index) as Arc<dyn SearchIndex>;
    let follower = source.follow(&shared, Retention::default());
    source.post(&follower, "r", "hello").await;
    index.has_failed().await;
    index.left.store(usize::MAX, Ordering::Relaxed);
    follower.caught_up().await;
    assert_eq!(find(&*index, "hello", &["r"]).await, ["r:1"]);
    assert_eq!(index.cleared.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_index_is_built_again() {
    let source = Source::memory();
    for name in ["r", "s"] {
        seq_of(&*source.history, message(name, "ana", "hello")).await;
    }
    let index = Watching::failing(memory_index(), 1, SearchErrorKind::Damaged);
    let shared: Arc<dyn SearchIndex> = Arc::clone(&index) as Arc<dyn SearchIndex>;
    let follower = source.follow(&shared, Retention::default());
    follower.caught_up().await;
    source.post(&follower, "r", "hello").await;
    follower.caught_up().await;
    assert_eq!(index.cleared.load(Ordering::Relaxed), 1);
    source.check(&*index, "hello", &["r", "s"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_rebuilt() {
    let file = File::new();
    let source = Source::sqlite(&file).await;
    for i in 0..3_000 {
        source.queue(&format!("r{}", i % 20), &format!("hello w{}", i % 7));
    }
    append(&*source.history, deletion("r3", &[1, 2])).await.unwrap();
    source.edit("r4", 1, "changed").await;
    let index = file.open();
    chat_search::conformance::helpers::put(
        &index,
        "unknown",
        vec![chat_search::conformance::helpers::document(1, "hello")],
    )
    .await;
    let mut calls = Vec::new();
    let done = rebuild(&*source.log, Arc::clone(&source.history), &index, Retention::default(), |progress| {
        calls.push(progress);
    });
    let done = done.await.unwrap();
    assert_eq!((done.rooms, done.messages), (20, 2_998));
    assert_eq!(calls.last(), Some(&done));
    let names: Vec<_> = (0..20).map(|i| format!("r{i}")).chain(["unknown".to_owned()]).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    for text in ["hello ", "w5 ", "changed "] {
        source.check(&index, text, &names).await;
    }
    // a follower has nothing to do
    let index = Watching::new(Arc::new(index), 0);
    let shared: Arc<dyn SearchIndex> = Arc::clone(&index) as Arc<dyn SearchIndex>;
    let follower = source.follow(&shared, Retention::default());
    follower.caught_up().await;
    assert!(index.applied.borrow().is_empty());
    purge(&*index).await;
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_is_behind_works_a_tenth_of_the_time() {
    let source = Source::memory();
    (0..400).for_each(|i| source.queue("r", &format!("hello {i}")));
    let duration = Duration::from_millis(20);
    let index = Watching::new(memory_index(), usize::MAX);
    let index = Arc::new(Watching { duration, ..Arc::into_inner(index).unwrap() });
    let started = Instant::now();
    let follower = source.follow(&(Arc::clone(&index) as Arc<dyn SearchIndex>), Retention::default());
    follower.caught_up().await;
    let elapsed = started.elapsed();
    // two pages, and a rest between them
    assert_eq!(index.applied.borrow().len(), 2);
    assert!(elapsed >= 2 * duration + 9 * duration, "{elapsed:?}");
    assert!(elapsed < 20 * duration, "{elapsed:?}");
    follower.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_ends_with_its_last_handle() {
    let (source, index) = (Source::memory(), memory_index());
    let follower = source.follow(&index, Retention::default());
    let clone = follower.clone();
    drop(follower);
    source.post(&clone, "r", "hello").await;
    clone.caught_up().await;
    assert_eq!(find(&*index, "hello", &["r"]).await, ["r:1"]);
    drop(clone);
    // the task drops the index when it ends
    while Arc::strong_count(&index) > 1 {
        tokio::task::yield_now().await;
    }
}
