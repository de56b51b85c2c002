//! The tests of `HistoryLog`.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::helpers::{append, body, deletion, message, prune, room, seq_of, seqs};
use crate::{Extent, HistoryLog, HistoryStore, MAX_NUMBERS, Retention, RoomExtent, Step};

/// A log to be tested, with the store of the messages.
pub struct Log {
    /// The store.
    pub store: Arc<dyn HistoryStore>,
    /// Its log.
    pub log: Arc<dyn HistoryLog>,
    _guard: Option<Box<dyn Any + Send>>,
}

impl Log {
    /// A log to be tested. Its store must be empty.
    pub fn new(store: impl HistoryStore, log: impl HistoryLog) -> Self {
        Self { store: Arc::new(store), log: Arc::new(log), _guard: None }
    }

    /// Drops a value after the store, for example a temporary directory.
    #[must_use]
    pub fn with_guard(self, guard: impl Any + Send) -> Self {
        Self { _guard: Some(Box::new(guard)), ..self }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("store", &self.store).field("log", &self.log).finish()
    }
}

/// Calls a macro with the names of all tests of [`HistoryLog`], after its own arguments.
#[doc(hidden)]
#[macro_export]
macro_rules! __with_log_tests {
    ([$($callback:tt)*] $($arguments:tt)*) => {
        $($callback)*! {
            $($arguments)*
            a_walk_finds_each_room_once
            a_walk_tells_which_messages_were_pruned
            messages_are_found_by_number
            what_retention_does_not_keep_is_not_found_by_number
        }
    };
}

/// Makes a test (`#[tokio::test]`, on a runtime with several threads) of each test of
/// [`HistoryLog`](crate::HistoryLog).
///
/// The argument is the path of an async function that returns [`Log`](crate::conformance::Log). The
/// calling crate needs `tokio` with the features `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! history_log_tests {
    ($make:path) => {
        $crate::__with_log_tests! { [$crate::__store_tests] $make; }
    };
}

macro_rules! run_all {
    ($make:ident; $($test:ident)*) => { $( $test($make().await).await; )* };
}

/// Runs all tests of [`HistoryLog`], each on a new store.
///
/// # Panics
/// If a test fails.
pub async fn run_log(make: impl AsyncFn() -> Log) {
    __with_log_tests! { [run_all] make; }
}

/// All rooms of a log by name, and the number of steps that the walk took.
///
/// # Panics
/// If a step fails, or a room is found twice.
pub async fn extents(log: &dyn HistoryLog) -> (BTreeMap<String, Extent>, usize) {
    let (mut all, mut after, mut steps) = (BTreeMap::new(), None, 0);
    loop {
        let Step { found, next } = log.rooms(after).await.unwrap();
        for RoomExtent { room, extent } in found {
            assert_eq!(all.insert(room.as_str().to_owned(), extent), None, "{room}");
        }
        steps += 1;
        match next {
            Some(_) => after = next,
            None => return (all, steps),
        }
    }
}

/// A walk finds each room in which something was stored, with its newest number.
pub async fn a_walk_finds_each_room_once(stores: Log) {
    const ROOMS: usize = 1_100;
    let (store, log) = (&*stores.store, &*stores.log);
    assert_eq!(extents(log).await, (BTreeMap::new(), 1), "the store is empty");
    let mut expected = BTreeMap::new();
    for i in 0..ROOMS {
        let name = format!("世界{i}");
        for _ in 0..=i % 2 {
            seq_of(store, message(&name, "ana", "")).await;
        }
        expected.insert(name, Extent::new(1, 1 + (i % 2) as u64));
    }
    append(store, deletion("世界0", &[1])).await.unwrap();
    expected.insert("世界0".to_owned(), Extent::new(1, 2));
    let (found, steps) = extents(log).await;
    assert_eq!(found, expected);
    assert!(steps > 1, "{steps}");
}

/// A walk tells which messages were pruned.
pub async fn a_walk_tells_which_messages_were_pruned(stores: Log) {
    let (store, log) = (&*stores.store, &*stores.log);
    for name in ["r", "s"] {
        for _ in 0..5 {
            seq_of(store, message(name, "ana", "")).await;
        }
    }
    seq_of(store, message("t", "ana", "")).await;
    prune(store, Retention::new(None, Some(2))).await;
    let (found, _) = extents(log).await;
    assert_eq!((found["r"], found["s"]), (Extent::new(4, 5), Extent::new(4, 5)));
    assert_eq!(found["t"], Extent::new(1, 1));
}

/// Messages are found by number, in their current states.
pub async fn messages_are_found_by_number(stores: Log) {
    let (store, log) = (&*stores.store, &*stores.log);
    let find = async |name: &str, numbers: Vec<u64>| {
        log.messages(room(name), numbers, Retention::default()).await.unwrap()
    };
    assert_eq!(find("r", vec![1]).await, [], "the store is empty");
    for text in ["one", "two", "three"] {
        seq_of(store, message("r", "ana", text)).await;
    }
    seq_of(store, message("s", "ana", "other")).await;
    append(store, deletion("r", &[2])).await.unwrap();
    let found = find("r", vec![3, 99, 0, 2, u64::MAX, 1, 3, 4]).await;
    assert_eq!(seqs(&found), [1, 2, 3]);
    let bodies: Vec<_> = found.iter().map(|message| body(message)).collect();
    assert_eq!(bodies, [Some("one"), None, Some("three")]);
    assert!(found.iter().all(|message| message.room == room("r")));
    assert_eq!(found[1].changed_seq, Some(4));
    assert_eq!(find("r", vec![]).await, []);
    assert_eq!(find("unknown", vec![1]).await, []);

    for i in 0..MAX_NUMBERS {
        seq_of(store, message("long", "ana", &i.to_string())).await;
    }
    seq_of(store, message("long", "ana", "last")).await;
    let numbers = (1..=MAX_NUMBERS as u64 + 1).rev().collect();
    let found = seqs(&find("long", numbers).await);
    assert_eq!(found, (2..=MAX_NUMBERS as u64 + 1).collect::<Vec<_>>());
}

/// Messages that were pruned, or that retention does not keep, are not found by number.
pub async fn what_retention_does_not_keep_is_not_found_by_number(stores: Log) {
    let (store, log) = (&*stores.store, &*stores.log);
    for _ in 0..5 {
        seq_of(store, message("r", "ana", "")).await;
    }
    let find = async |retention| seqs(&log.messages(room("r"), (1..9).collect(), retention).await.unwrap());
    let all = Retention::default();
    assert_eq!(find(all).await, [1, 2, 3, 4, 5]);
    assert_eq!(find(Retention::new(None, Some(3))).await, [3, 4, 5]);
    assert_eq!(find(Retention::new(None, Some(0))).await, [0; 0]);
    prune(store, Retention::new(None, Some(2))).await;
    assert_eq!(find(all).await, [4, 5]);
}
