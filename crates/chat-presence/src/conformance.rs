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

use chat_protocol::{ChannelName, Member, MemberId, RoomName, Timestamp, UserId, Username};
use futures::future::{join, join_all, join3};

use crate::{Holder, JoinError, NewPresence, PresenceStore};

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
            a_user_may_have_several_records
            a_name_is_free_when_its_last_record_is_removed
            the_holder_is_on_another_node_if_there_is_one
            a_nodes_own_record_never_blocks_a_join
            all_leftovers_of_a_name_are_replaced
            joins_of_one_name_take_effect_in_order
            leaving_twice_is_not_an_error
            records_of_other_nodes_are_found
            clear_removes_only_the_nodes_own_records
            a_working_store_passes_its_check
        }
    };
}

/// Makes a test (`#[tokio::test]`, on a runtime with several threads) of each test of the suite.
///
/// The argument is the path of an async function that returns [`Nodes`](crate::conformance::Nodes),
/// or `Option<Nodes>`: with `None`, the test is skipped. The calling crate needs `tokio` with the
/// features `macros` and `rt-multi-thread`.
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
                let nodes: Option<$crate::conformance::Nodes> = $nodes().await.into();
                if let Some(nodes) = nodes {
                    $crate::conformance::$test(nodes).await;
                }
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

fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

fn user(id: &str) -> UserId {
    id.parse().unwrap()
}

/// A record of a user of this name, whose id is made of the name.
fn presence(in_room: &str, username: &str) -> NewPresence {
    let id: String = username.chars().map(|c| format!("{:x}", u32::from(c))).collect();
    presence_of(&id, in_room, username)
}

fn presence_of(id: &str, in_room: &str, username: &str) -> NewPresence {
    let (channel, joined_at) =
        (ChannelName::new(0xfeed_0000_0000_0001), Timestamp::from_millis(1_764_000_000_123));
    NewPresence::new(room(in_room), user(id), name(username), channel, joined_at)
}

async fn holder(store: &dyn PresenceStore, in_room: &str, username: &str) -> Option<Holder> {
    store.holder(room(in_room), name(username)).await.unwrap()
}

async fn ids(store: &dyn PresenceStore, in_room: &str) -> Vec<MemberId> {
    store.members(room(in_room)).await.unwrap().iter().map(|member| member.id).collect()
}

/// Whether the name is held by another user on this node.
fn is_taken(joined: &Result<MemberId, JoinError>, by: &dyn PresenceStore) -> bool {
    matches!(joined, Err(JoinError::Taken(node)) if node == by.node())
}

/// A record is visible to all nodes from `join` to `leave`, under its exact room and name.
pub async fn a_record_exists_from_join_to_leave(nodes: Nodes) {
    let ana = nodes.here.join(presence("r", "ana")).await.unwrap();
    for store in [&nodes.here, &nodes.there] {
        assert!(store.is_present(room("r"), name("ana")).await.unwrap());
        assert!(!store.is_present(room("s"), name("ana")).await.unwrap());
        assert!(!store.is_present(room("r"), name("Ana")).await.unwrap());
        let expected = Holder::new(presence("r", "ana").user, nodes.here.node().clone());
        assert_eq!(holder(&**store, "r", "ana").await, Some(expected));
        assert_eq!(store.members(room("r")).await.unwrap(), [presence("r", "ana").with_id(ana)]);
    }
    nodes.here.leave(vec![ana]).await.unwrap();
    assert!(!nodes.there.is_present(room("r"), name("ana")).await.unwrap());
    assert!(nodes.here.members(room("r")).await.unwrap().is_empty());
}

/// `members` lists the members of one room, of all nodes, in the order in which they joined. A user
/// with several records is listed once, with the earliest.
pub async fn members_are_listed_in_order_of_arrival_per_room(nodes: Nodes) {
    for name in ["zoe", "ana", "mia", "世界"] {
        nodes.here.join(presence("r", name)).await.unwrap();
        nodes.there.join(presence("s", name)).await.unwrap();
    }
    nodes.there.join(presence("r", "bob")).await.unwrap();
    nodes.there.join(presence("r", "zoe")).await.unwrap();
    nodes.here.join(presence("r", "mia")).await.unwrap();
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

/// If two users write the same name on two nodes at the same time, exactly one of them succeeds.
pub async fn only_one_of_several_nodes_gets_a_name(nodes: Nodes) {
    nodes.here.join(presence_of("a", "r", "ana")).await.unwrap();
    let refused = nodes.there.join(presence_of("b", "r", "ana")).await;
    assert!(is_taken(&refused, &*nodes.here), "{refused:?}");

    for i in 0..50 {
        let name = format!("p{i}");
        let (a, b) = join(
            nodes.here.join(presence_of(&format!("a{i}"), "r", &name)),
            nodes.there.join(presence_of(&format!("b{i}"), "r", &name)),
        )
        .await;
        assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
        let (winner, node) = if a.is_ok() { ("a", &nodes.here) } else { ("b", &nodes.there) };
        let expected = Holder::new(user(&format!("{winner}{i}")), node.node().clone());
        assert_eq!(holder(&*nodes.here, "r", &name).await, Some(expected));
    }
    assert_eq!(nodes.here.members(room("r")).await.unwrap().len(), 51);
}

/// A user who is present may join again, on the same node and on others, also at the same time.
/// Each record has an id of its own.
pub async fn a_user_may_have_several_records(nodes: Nodes) {
    for i in 0..20 {
        let name = format!("p{i}");
        let (a, b, c) = join3(
            nodes.here.join(presence("r", &name)),
            nodes.there.join(presence("r", &name)),
            nodes.here.join(presence("r", &name)),
        )
        .await;
        let (a, b, c) = (a.unwrap(), b.unwrap(), c.unwrap());
        assert!(a != b && b != c && a < c, "{a:?} {b:?} {c:?}");
        nodes.here.leave(vec![a, c]).await.unwrap();
        let expected = Holder::new(presence("r", &name).user, nodes.there.node().clone());
        assert_eq!(holder(&*nodes.here, "r", &name).await, Some(expected));
    }
    assert_eq!(ids(&*nodes.here, "r").await.len(), 20);
    assert_eq!(nodes.here.clear().await.unwrap(), 0);
    assert_eq!(nodes.there.clear().await.unwrap(), 20);
}

/// A name is held from the first record of its user to the last, and then another user gets it.
pub async fn a_name_is_free_when_its_last_record_is_removed(nodes: Nodes) {
    let first = nodes.here.join(presence_of("a", "r", "ana")).await.unwrap();
    let second = nodes.here.join(presence_of("a", "r", "ana")).await.unwrap();
    assert_eq!(ids(&*nodes.here, "r").await, [first]);
    nodes.here.leave(vec![first]).await.unwrap();
    assert_eq!(ids(&*nodes.here, "r").await, [second]);
    let refused = nodes.there.join(presence_of("b", "r", "ana")).await;
    assert!(is_taken(&refused, &*nodes.here), "{refused:?}");
    // the same name in another room is another name
    nodes.there.join(presence_of("b", "s", "ana")).await.unwrap();

    nodes.here.leave(vec![second]).await.unwrap();
    assert_eq!(holder(&*nodes.here, "r", "ana").await, None);
    let other = nodes.there.join(presence_of("b", "r", "ana")).await.unwrap();
    // late: these records are gone, and the name has another holder
    nodes.here.leave(vec![first, second]).await.unwrap();
    let refused = nodes.here.join(presence_of("a", "r", "ana")).await;
    assert!(is_taken(&refused, &*nodes.there), "{refused:?}");
    assert_eq!(ids(&*nodes.here, "r").await, [other]);
}

/// `holder` prefers another node than its own.
pub async fn the_holder_is_on_another_node_if_there_is_one(nodes: Nodes) {
    nodes.here.join(presence("r", "ana")).await.unwrap();
    let there = nodes.there.join(presence("r", "ana")).await.unwrap();
    let on =
        |store: &Arc<dyn PresenceStore>| Some(Holder::new(presence("r", "ana").user, store.node().clone()));
    assert_eq!(holder(&*nodes.here, "r", "ana").await, on(&nodes.there));
    assert_eq!(holder(&*nodes.there, "r", "ana").await, on(&nodes.here));
    nodes.there.leave(vec![there]).await.unwrap();
    assert_eq!(holder(&*nodes.here, "r", "ana").await, on(&nodes.here));
    assert_eq!(holder(&*nodes.there, "r", "ana").await, on(&nodes.here));
}

/// A record of another user on the same node is replaced, and a late `leave` of the old one does
/// not remove the new.
pub async fn a_nodes_own_record_never_blocks_a_join(nodes: Nodes) {
    let leftover = nodes.here.join(presence_of("a", "r", "ana")).await.unwrap();
    let new = nodes.here.join(presence_of("b", "r", "ana")).await.unwrap();
    assert!(new > leftover);
    let members = nodes.here.members(room("r")).await.unwrap();
    assert_eq!(members, [presence_of("b", "r", "ana").with_id(new)]);
    nodes.here.leave(vec![leftover]).await.unwrap();
    assert!(nodes.here.is_present(room("r"), name("ana")).await.unwrap());
    let refused = nodes.there.join(presence_of("a", "r", "ana")).await;
    assert!(is_taken(&refused, &*nodes.here), "{refused:?}");
}

/// A new holder replaces all records of a name on its own node. One record on another node is
/// enough to refuse it, and then nothing is removed.
pub async fn all_leftovers_of_a_name_are_replaced(nodes: Nodes) {
    let mut leftovers = Vec::new();
    for _ in 0..3 {
        leftovers.push(nodes.here.join(presence_of("a", "r", "ana")).await.unwrap());
    }
    nodes.here.join(presence_of("a", "s", "ana")).await.unwrap();
    let there = nodes.there.join(presence_of("a", "r", "ana")).await.unwrap();
    let refused = nodes.here.join(presence_of("b", "r", "ana")).await;
    assert!(is_taken(&refused, &*nodes.there), "{refused:?}");
    assert_eq!(ids(&*nodes.here, "r").await, [leftovers[0]]);

    nodes.there.leave(vec![there]).await.unwrap();
    let new = nodes.here.join(presence_of("b", "r", "ana")).await.unwrap();
    assert_eq!(ids(&*nodes.here, "r").await, [new]);
    nodes.here.leave(vec![new]).await.unwrap();
    assert_eq!(holder(&*nodes.here, "r", "ana").await, None, "no leftover holds the name");
    // the record in the other room is untouched
    assert_eq!(nodes.here.clear().await.unwrap(), 1);
}

/// Of two joins of one name, the one that was polled last is kept, whichever is awaited.
pub async fn joins_of_one_name_take_effect_in_order(nodes: Nodes) {
    for i in 0..50 {
        let name = format!("p{i}");
        let (first, second) = join(
            nodes.here.join(presence_of("a", "r", &name)),
            nodes.here.join(presence_of(&format!("b{i}"), "r", &name)),
        )
        .await;
        let (first, second) = (first.unwrap(), second.unwrap());
        assert!(first < second);
        nodes.here.leave(vec![first]).await.unwrap();
        let expected = Holder::new(user(&format!("b{i}")), nodes.here.node().clone());
        assert_eq!(holder(&*nodes.there, "r", &name).await, Some(expected));
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

/// A node finds the records of other nodes, room by room, and not its own.
pub async fn records_of_other_nodes_are_found(nodes: Nodes) {
    let mut expected = Vec::new();
    for (in_room, username) in [("r", "ana"), ("s", "bob"), ("r", "cid"), ("t", "dee"), ("r", "世界")] {
        nodes.here.join(presence(in_room, "eve")).await.unwrap();
        let id = nodes.there.join(presence(in_room, username)).await.unwrap();
        if in_room != "t" {
            expected.push(presence(in_room, username).with_id(id));
        }
    }
    let rooms = || ["r", "s", "unknown"].map(room).to_vec();
    assert_eq!(nodes.here.elsewhere(rooms()).await.unwrap(), expected);
    // a user on both nodes, with two records there
    nodes.here.join(presence("r", "ana")).await.unwrap();
    let again = nodes.there.join(presence("r", "ana")).await.unwrap();
    expected.push(presence("r", "ana").with_id(again));
    assert_eq!(nodes.here.elsewhere(rooms()).await.unwrap(), expected);
    nodes.there.leave(expected.iter().map(|member| member.id).collect()).await.unwrap();
    assert_eq!(nodes.here.elsewhere(rooms()).await.unwrap(), []);
    assert_eq!(nodes.there.elsewhere(vec![room("t")]).await.unwrap()[0].username, name("eve"));
    assert_eq!(nodes.here.elsewhere(Vec::new()).await.unwrap(), []);
}

/// `clear` removes all records of its own node and none of another node. Names that only its own
/// records held are free.
pub async fn clear_removes_only_the_nodes_own_records(nodes: Nodes) {
    let joins = (0..30).map(|i| nodes.here.join(presence(&format!("r{}", i % 3), &format!("p{i}"))));
    for joined in join_all(joins).await {
        joined.unwrap();
    }
    nodes.there.join(presence("r0", "bob")).await.unwrap();
    // a user on both nodes
    nodes.there.join(presence("r0", "p0")).await.unwrap();
    assert_eq!(nodes.here.clear().await.unwrap(), 30);
    assert_eq!(nodes.here.clear().await.unwrap(), 0);
    let left = nodes.here.members(room("r0")).await.unwrap();
    assert_eq!(left.iter().map(|member| member.username.as_str()).collect::<Vec<_>>(), ["bob", "p0"]);
    assert!(nodes.here.members(room("r1")).await.unwrap().is_empty());
    let kept = nodes.here.join(presence_of("other", "r0", "p0")).await;
    assert!(is_taken(&kept, &*nodes.there), "{kept:?}");
    nodes.there.join(presence_of("other", "r0", "p3")).await.unwrap();
}

/// `check` succeeds on a store that works.
pub async fn a_working_store_passes_its_check(nodes: Nodes) {
    nodes.here.check().await.unwrap();
}
