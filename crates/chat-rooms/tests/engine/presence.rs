//! The presence store: rows follow the members, whatever the store does.

use chat_db::sqlite::Database;
use chat_presence::{Holder, MemoryPresence, NewPresence, NodeId, PresenceStore, SqlitePresence, StoreError};
use chat_protocol::{Member, MemberId, RoomName, Username};
use chat_rooms::{Engine, JoinError};
use futures::future::{BoxFuture, FutureExt};
use tokio::sync::watch;

use crate::support::{guest, join, next, room, until, user};

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_admission_frees_the_name_and_removes_the_row() {
    let store = MemoryPresence::new(NodeId::new("here"));
    let other_node = store.for_node(NodeId::new("there"));
    let engine = Engine::builder(store).start().await.unwrap();
    let admission = engine.admit(&guest("ana"), &room("r")).await.unwrap();
    assert!(engine.is_present(&room("r"), &user("ana")).await.unwrap());
    assert!(engine.members(&room("r")).is_none(), "the room has no members yet");
    drop(admission);
    assert!(!engine.is_present(&room("r"), &user("ana")).await.unwrap());
    assert_eq!(engine.room_count(), 0);
    until("the row is gone", async || !other_node.is_present(room("r"), user("ana")).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_rows_follow_members_and_stale_rows_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("chat.sqlite3")).unwrap();
    let store = || SqlitePresence::new(database.clone(), NodeId::new("here"));
    store()
        .join(NewPresence::new(
            room("r"),
            guest("ghost").id().clone(),
            user("ghost"),
            chat_protocol::ChannelName::new(1),
            chat_protocol::Timestamp::from_millis(0),
        ))
        .await
        .unwrap();
    let engine = Engine::builder(store()).start().await.unwrap();
    let rows = store();
    assert!(rows.members(room("r")).await.unwrap().is_empty(), "rows of the previous run are removed");

    let (ana, _anas) = join(&engine, "ana").await;
    let (bob, _bobs) = join(&engine, "bob").await;
    let stored = rows.members(room("r")).await.unwrap();
    assert_eq!(stored, [(**ana.member()).clone(), (**bob.member()).clone()]);
    drop(ana);
    until("the row is gone", async || rows.members(room("r")).await.unwrap() == [(**bob.member()).clone()])
        .await;

    engine.shutdown().await.unwrap();
    assert!(rows.members(room("r")).await.unwrap().is_empty());
    assert!(matches!(engine.admit(&guest("late"), &room("r")).await, Err(JoinError::Closing)));
    database.close().await;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Works,
    Fails,
    /// Does not answer until the mode changes.
    Hangs,
}

/// A store whose failures the test controls.
#[derive(Debug)]
struct Faulty {
    inner: MemoryPresence,
    mode: watch::Receiver<Mode>,
}

impl Faulty {
    fn check_mode(&self) -> Result<(), StoreError> {
        if *self.mode.borrow() == Mode::Works { Ok(()) } else { Err(StoreError::other("on purpose")) }
    }
}

impl PresenceStore for Faulty {
    fn node(&self) -> &NodeId {
        self.inner.node()
    }

    fn join(&self, new: NewPresence) -> BoxFuture<'_, Result<MemberId, chat_presence::JoinError>> {
        async move {
            self.mode.clone().wait_for(|mode| *mode != Mode::Hangs).await.unwrap();
            self.check_mode()?;
            self.inner.join(new).await
        }
        .boxed()
    }

    fn leave(&self, ids: Vec<MemberId>) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            self.check_mode()?;
            self.inner.leave(ids).await
        }
        .boxed()
    }

    fn members(&self, room: RoomName) -> BoxFuture<'_, Result<Vec<Member>, StoreError>> {
        self.inner.members(room)
    }

    fn holder(
        &self,
        room: RoomName,
        username: Username,
    ) -> BoxFuture<'_, Result<Option<Holder>, StoreError>> {
        self.inner.holder(room, username)
    }

    fn clear(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.inner.clear()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        async move { self.check_mode() }.boxed()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_presence_store_rejects_joins_and_does_not_affect_members() {
    let (set_mode, mode) = watch::channel(Mode::Works);
    let inner = MemoryPresence::new(NodeId::new("here"));
    let rows = inner.for_node(NodeId::new("there"));
    let engine = Engine::builder(Faulty { inner, mode }).start().await.unwrap();
    let (ana, mut anas) = join(&engine, "ana").await;
    let (bob, _) = join(&engine, "bob").await;

    set_mode.send_replace(Mode::Fails);
    assert!(matches!(engine.check().await, Err(JoinError::Store(_))));
    assert!(matches!(engine.admit(&guest("eve"), &room("r")).await, Err(JoinError::Store(_))));
    drop(bob);
    ana.submit("on").await.unwrap();
    for expected in ["+ana", "+bob", "-bob", "ana:on"] {
        assert_eq!(next(&mut anas).await, expected, "eve is not announced, and the room still works");
    }
    assert!(rows.is_present(room("r"), user("bob")).await.unwrap(), "bob's row cannot be removed yet");

    set_mode.send_replace(Mode::Works);
    engine.check().await.unwrap();
    let (eve, _) = join(&engine, "eve").await;
    assert!(eve.is_member());
    until("bob's row is gone", async || !rows.is_present(room("r"), user("bob")).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_admit_frees_the_name_at_once_and_the_row_later() {
    let (set_mode, mode) = watch::channel(Mode::Hangs);
    let inner = MemoryPresence::new(NodeId::new("here"));
    let rows = inner.for_node(NodeId::new("there"));
    let engine = Engine::builder(Faulty { inner, mode }).start().await.unwrap();
    let admitting = tokio::spawn({
        let engine = engine.clone();
        async move { engine.admit(&guest("ana"), &room("r")).await }
    });
    let is_taken = async || engine.is_present(&room("r"), &user("ana")).await.unwrap();
    until("the name is reserved", is_taken).await;
    admitting.abort();
    until("the name is free, although the store hangs", async || !is_taken().await).await;
    assert_eq!(engine.room_count(), 0);

    set_mode.send_replace(Mode::Works);
    let (bob, _events) = join(&engine, "bob").await;
    let only_bob = async || rows.members(room("r")).await.unwrap() == [(**bob.member()).clone()];
    until("the late row is removed", only_bob).await;
}
