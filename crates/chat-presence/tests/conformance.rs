//! One suite over every store: what `PresenceStore` promises.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use chat_db::Database;
use chat_presence::{JoinError, MemoryPresence, NewStay, NodeId, PresenceStore, SqlitePresence};
use chat_protocol::{ChannelName, RoomName, Timestamp, Username};
use futures::future::join_all;

/// Two nodes on the same rows.
struct Nodes {
    here: Arc<dyn PresenceStore>,
    there: Arc<dyn PresenceStore>,
    /// What has to outlive the stores.
    _kept: Option<tempfile::TempDir>,
}

fn memory() -> Nodes {
    let here = MemoryPresence::new(NodeId::new("here"));
    let there = here.beside(NodeId::new("there"));
    Nodes { here: Arc::new(here), there: Arc::new(there), _kept: None }
}

fn sqlite() -> Nodes {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("chat.sqlite3")).unwrap();
    Nodes {
        here: Arc::new(SqlitePresence::new(database.clone(), NodeId::new("here"))),
        there: Arc::new(SqlitePresence::new(database, NodeId::new("there"))),
        _kept: Some(folder),
    }
}

fn room(name: &str) -> RoomName {
    RoomName::parse(name).unwrap()
}

fn user(name: &str) -> Username {
    Username::parse(name).unwrap()
}

fn stay(in_room: &str, username: &str) -> NewStay {
    NewStay {
        room: room(in_room),
        username: user(username),
        channel: ChannelName(0xfeed_0000_0000_0001),
        joined_at: Timestamp(1_764_000_000_123),
    }
}

async fn a_stay_is_there_from_join_to_leave(nodes: Nodes) {
    let ana = nodes.here.join(stay("r", "ana")).await.unwrap();
    for store in [&nodes.here, &nodes.there] {
        assert!(store.is_present(room("r"), user("ana")).await.unwrap());
        assert!(!store.is_present(room("s"), user("ana")).await.unwrap());
        assert!(!store.is_present(room("r"), user("Ana")).await.unwrap());
        assert_eq!(store.holder(room("r"), user("ana")).await.unwrap(), Some(NodeId::new("here")));
        assert_eq!(store.members(room("r")).await.unwrap(), [stay("r", "ana").with_id(ana)]);
    }
    nodes.here.leave(vec![ana]).await.unwrap();
    assert!(!nodes.there.is_present(room("r"), user("ana")).await.unwrap());
    assert!(nodes.here.members(room("r")).await.unwrap().is_empty());
}

async fn members_come_in_order_of_arrival_room_by_room(nodes: Nodes) {
    for name in ["zoe", "ana", "mia", "世界"] {
        nodes.here.join(stay("r", name)).await.unwrap();
        nodes.there.join(stay("s", name)).await.unwrap();
    }
    nodes.there.join(stay("r", "bob")).await.unwrap();
    let names = |members: Vec<chat_protocol::Member>| {
        members.into_iter().map(|member| member.username.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(nodes.here.members(room("r")).await.unwrap()), ["zoe", "ana", "mia", "世界", "bob"]);
    assert_eq!(names(nodes.here.members(room("s")).await.unwrap()), ["zoe", "ana", "mia", "世界"]);
}

async fn an_id_is_never_used_again(nodes: Nodes) {
    let mut last = nodes.here.join(stay("r", "ana")).await.unwrap();
    for _ in 0..5 {
        nodes.here.leave(vec![last]).await.unwrap();
        let next = nodes.here.join(stay("r", "ana")).await.unwrap();
        assert!(next > last);
        last = next;
    }
}

async fn of_many_nodes_one_gets_the_name(nodes: Nodes) {
    nodes.here.join(stay("r", "ana")).await.unwrap();
    let refused = nodes.there.join(stay("r", "ana")).await;
    assert!(matches!(refused, Err(JoinError::Taken(node)) if node == NodeId::new("here")));

    for i in 0..50 {
        let name = format!("p{i}");
        let (a, b) = tokio::join!(nodes.here.join(stay("r", &name)), nodes.there.join(stay("r", &name)));
        assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
    }
    assert_eq!(nodes.here.members(room("r")).await.unwrap().len(), 51);
}

async fn a_row_of_its_own_refuses_nobody(nodes: Nodes) {
    let leftover = nodes.here.join(stay("r", "ana")).await.unwrap();
    let new = nodes.here.join(stay("r", "ana")).await.unwrap();
    assert!(new > leftover);
    assert_eq!(nodes.here.members(room("r")).await.unwrap(), [stay("r", "ana").with_id(new)]);
    // the end of a stay whose place was taken changes nothing
    nodes.here.leave(vec![leftover]).await.unwrap();
    assert!(nodes.here.is_present(room("r"), user("ana")).await.unwrap());
}

async fn leaving_twice_is_no_error(nodes: Nodes) {
    let ana = nodes.here.join(stay("r", "ana")).await.unwrap();
    let bob = nodes.here.join(stay("r", "bob")).await.unwrap();
    nodes.here.leave(vec![ana, ana]).await.unwrap();
    nodes.here.leave(vec![ana, bob]).await.unwrap();
    nodes.here.leave(vec![]).await.unwrap();
    assert!(nodes.here.members(room("r")).await.unwrap().is_empty());
}

async fn clearing_takes_a_nodes_own_rows_only(nodes: Nodes) {
    join_all((0..30).map(|i| nodes.here.join(stay(&format!("r{}", i % 3), &format!("p{i}"))))).await;
    nodes.there.join(stay("r0", "bob")).await.unwrap();
    assert_eq!(nodes.here.clear().await.unwrap(), 30);
    assert_eq!(nodes.here.clear().await.unwrap(), 0);
    let left = nodes.here.members(room("r0")).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].username, user("bob"));
    assert!(nodes.here.members(room("r1")).await.unwrap().is_empty());
}

async fn a_working_store_would_take_a_stay(nodes: Nodes) {
    nodes.here.check().await.unwrap();
}

macro_rules! promises {
    ($($promise:ident)*) => {
        mod in_memory { $(#[tokio::test(flavor = "multi_thread")] async fn $promise() { super::$promise(super::memory()).await; })* }
        mod in_sqlite { $(#[tokio::test(flavor = "multi_thread")] async fn $promise() { super::$promise(super::sqlite()).await; })* }
    };
}

promises! {
    a_stay_is_there_from_join_to_leave
    members_come_in_order_of_arrival_room_by_room
    an_id_is_never_used_again
    of_many_nodes_one_gets_the_name
    a_row_of_its_own_refuses_nobody
    leaving_twice_is_no_error
    clearing_takes_a_nodes_own_rows_only
    a_working_store_would_take_a_stay
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_rows_and_ids_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.sqlite3");
    let open = || {
        Database::open(&path).map(|db| (db.clone(), SqlitePresence::new(db, NodeId::new("here")))).unwrap()
    };

    let (database, store) = open();
    let ana = store.join(stay("r", "ana")).await.unwrap();
    database.close().await;

    let (database, store) = open();
    assert_eq!(store.members(room("r")).await.unwrap().len(), 1);
    assert_eq!(store.clear().await.unwrap(), 1);
    assert!(store.join(stay("r", "bob")).await.unwrap() > ana);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_database_is_a_store_that_does_not_answer() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("chat.sqlite3")).unwrap();
    let store = SqlitePresence::new(database.clone(), NodeId::new("here"));
    database.close().await;
    assert!(matches!(store.join(stay("r", "ana")).await, Err(JoinError::Store(_))));
    assert!(store.check().await.is_err());
    assert!(store.members(room("r")).await.is_err());
}
