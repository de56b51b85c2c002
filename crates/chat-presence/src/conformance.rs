//! The test suite for implementations of [`PresenceStore`] (feature
//! `conformance`).
//!
//! A test gets two stores that belong to two nodes and share their rows, as [`Nodes`]. The stores
//! are empty at the start of each test. [`run`] runs all tests and panics at the first that fails;
//! [`conformance_tests!`](crate::conformance_tests) makes a `#[tokio::test]` of each.
//!
//! ```
//! use chat_presence::conformance::{self, Nodes};
//! use chat_presence::{MemoryPresence, NodeId};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! conformance::run(async || {
//!     let here = MemoryPresence::new(NodeId::new("here"));
//!     let there = here.for_node(NodeId::new("there"));
//!     Nodes::new(here, there)
//! })
//! .await;
//! # });
//! ```
#![allow(clippy::unwrap_used)]

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use chat_protocol::{ChannelName, Member, RoomName, Timestamp, Username};
use futures::future::{join, join_all};

use crate::{JoinError, NewPresence, PresenceStore};

/// Two nodes with the same rows. Their names must differ.
pub struct Nodes {
    here: Arc<dyn PresenceStore>,
    there: Arc<dyn PresenceStore>,
    _guard: Option<Box<dyn Any + Send>>,
}

impl Nodes {
    /// The stores of two nodes.
    pub fn new(here: impl PresenceStore, there: impl PresenceStore) -> Self {
        Self { here: Arc::new(here), there: Arc::new(there), _guard: None }
    }

    /// Drops a value after the stores, for example a temporary directory.
    #[must_use]
    pub fn with_guard(self, guard: impl Any + Send) -> Self {
        Self { _guard: Some(Box::new(guard)), ..self }
    }
}

impl fmt::Debug for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nodes").field("here", &self.here).field("there", &self.there).finish()
    }
}

/// Calls a macro with the names of all tests, after its own arguments.
#[doc(hidden)]
#[macro_export]
macro_rules! __with_presence_tests {
    ([$($callback:tt)*] $($arguments:tt)*) => {
        $($callback)*! {
            $($arguments)*
            a_record_exists_from_join_to_leave
            members_are_listed_in_order_of_arrival_per_room
            an_id_is_never_reused
            only_one_of_several_nodes_gets_a_name
            a_nodes_own_record_never_blocks_a_join
            joins_of_one_name_take_effect_in_order
            leaving_twice_is_not_an_error
            clear_removes_only_the_nodes_own_records
            a_working_store_passes_its_check
        }
    };
}

/// Makes a test (`#[tokio::test]`, on a runtime with several threads) of each test of the suite.
///
/// The argument is the path of an async function that returns [`Nodes`](crate::conformance::Nodes).
/// The calling crate needs `tokio` with the features `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! conformance_tests {
    ($nodes:path) => {
        $crate::__with_presence_tests! { [$crate::__presence_tests] $nodes; }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __presence_tests {
    ($nodes:path; $($test:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                $crate::conformance::$test($nodes().await).await;
            }
        )*
    };
}

/// Runs all tests of the suite, each on new stores.
///
/// # Panics
/// If a test fails.
pub async fn run(nodes: impl AsyncFn() -> Nodes) {
    macro_rules! run_all {
        ($nodes:ident; $($test:ident)*) => { $( $test($nodes().await).await; )* };
    }
    __with_presence_tests! { [run_all] nodes; }
}

fn room(name: &str) -> RoomName {
    RoomName::parse(name).unwrap()
}

fn user(name: &str) -> Username {
    Username::parse(name).unwrap()
}

fn presence(in_room: &str, username: &str) -> NewPresence {
    let (channel, joined_at) =
        (ChannelName::new(0xfeed_0000_0000_0001), Timestamp::from_millis(1_764_000_000_123));
    NewPresence::new(room(in_room), user(username), channel, joined_at)
}

/// A record is visible to all nodes from `join` to `leave`, under its exact room and name.
pub async fn a_record_exists_from_join_to_leave(nodes: Nodes) {
    let ana = nodes.here.join(presence("r", "ana")).await.unwrap();
    for store in [&nodes.here, &nodes.there] {
        assert!(store.is_present(room("r"), user("ana")).await.unwrap());
        assert!(!store.is_present(room("s"), user("ana")).await.unwrap());
        assert!(!store.is_present(room("r"), user("Ana")).await.unwrap());
        let holder = store.holder(room("r"), user("ana")).await.unwrap();
        assert_eq!(holder.as_ref(), Some(nodes.here.node()));
        assert_eq!(store.members(room("r")).await.unwrap(), [presence("r", "ana").with_id(ana)]);
    }
    nodes.here.leave(vec![ana]).await.unwrap();
    assert!(!nodes.there.is_present(room("r"), user("ana")).await.unwrap());
    assert!(nodes.here.members(room("r")).await.unwrap().is_empty());
}

/// `members` lists the members of one room, of all nodes, in the order in which they joined.
pub async fn members_are_listed_in_order_of_arrival_per_room(nodes: Nodes) {
    for name in ["zoe", "ana", "mia", "世界"] {
        nodes.here.join(presence("r", name)).await.unwrap();
        nodes.there.join(presence("s", name)).await.unwrap();
    }
    nodes.there.join(presence("r", "bob")).await.unwrap();
    let names = |members: Vec<Member>| {
        members.into_iter().map(|member| member.username.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(nodes.here.members(room("r")).await.unwrap()), ["zoe", "ana", "mia", "世界", "bob"]);
    assert_eq!(names(nodes.here.members(room("s")).await.unwrap()), ["zoe", "ana", "mia", "世界"]);
}

/// The id of a new record is greater than all ids before it.
pub async fn an_id_is_never_reused(nodes: Nodes) {
    let mut last = nodes.here.join(presence("r", "ana")).await.unwrap();
    for _ in 0..5 {
        nodes.here.leave(vec![last]).await.unwrap();
        let next = nodes.here.join(presence("r", "ana")).await.unwrap();
        assert!(next > last);
        last = next;
    }
}

/// If two nodes write the same name at the same time, exactly one of them succeeds.
pub async fn only_one_of_several_nodes_gets_a_name(nodes: Nodes) {
    nodes.here.join(presence("r", "ana")).await.unwrap();
    let refused = nodes.there.join(presence("r", "ana")).await;
    assert!(matches!(refused, Err(JoinError::Taken(node)) if node == *nodes.here.node()));

    for i in 0..50 {
        let name = format!("p{i}");
        let (a, b) =
            join(nodes.here.join(presence("r", &name)), nodes.there.join(presence("r", &name))).await;
        assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
    }
    assert_eq!(nodes.here.members(room("r")).await.unwrap().len(), 51);
}

/// A record of the same node is replaced, and a late `leave` of the old one does not remove the
/// new.
pub async fn a_nodes_own_record_never_blocks_a_join(nodes: Nodes) {
    let leftover = nodes.here.join(presence("r", "ana")).await.unwrap();
    let new = nodes.here.join(presence("r", "ana")).await.unwrap();
    assert!(new > leftover);
    assert_eq!(nodes.here.members(room("r")).await.unwrap(), [presence("r", "ana").with_id(new)]);
    nodes.here.leave(vec![leftover]).await.unwrap();
    assert!(nodes.here.is_present(room("r"), user("ana")).await.unwrap());
}

/// Of two joins of one name, the one that was polled last is kept, whichever is awaited.
pub async fn joins_of_one_name_take_effect_in_order(nodes: Nodes) {
    for i in 0..50 {
        let name = format!("p{i}");
        let (first, second) =
            join(nodes.here.join(presence("r", &name)), nodes.here.join(presence("r", &name))).await;
        let (first, second) = (first.unwrap(), second.unwrap());
        assert!(first < second);
        nodes.here.leave(vec![first]).await.unwrap();
        assert!(nodes.there.is_present(room("r"), user(&name)).await.unwrap());
    }
}

/// Ids that have no record are ignored.
pub async fn leaving_twice_is_not_an_error(nodes: Nodes) {
    let ana = nodes.here.join(presence("r", "ana")).await.unwrap();
    let bob = nodes.here.join(presence("r", "bob")).await.unwrap();
    nodes.here.leave(vec![ana, ana]).await.unwrap();
    nodes.here.leave(vec![ana, bob]).await.unwrap();
    nodes.here.leave(vec![]).await.unwrap();
    assert!(nodes.here.members(room("r")).await.unwrap().is_empty());
}

/// `clear` removes all records of its own node and none of another node.
pub async fn clear_removes_only_the_nodes_own_records(nodes: Nodes) {
    let joins = (0..30).map(|i| nodes.here.join(presence(&format!("r{}", i % 3), &format!("p{i}"))));
    for joined in join_all(joins).await {
        joined.unwrap();
    }
    nodes.there.join(presence("r0", "bob")).await.unwrap();
    assert_eq!(nodes.here.clear().await.unwrap(), 30);
    assert_eq!(nodes.here.clear().await.unwrap(), 0);
    let left = nodes.here.members(room("r0")).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].username, user("bob"));
    assert!(nodes.here.members(room("r1")).await.unwrap().is_empty());
}

/// `check` succeeds on a store that works.
pub async fn a_working_store_passes_its_check(nodes: Nodes) {
    nodes.here.check().await.unwrap();
}
