//! The presence store of all nodes, as one run of a node sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chat_presence::{Holder, JoinError, MemoryPresence, NewPresence, NodeId, PresenceStore, StoreError};
use chat_protocol::{Member, MemberId, RoomName, Username};
use futures::future::{BoxFuture, FutureExt, ready};

/// Refuses what a run does after it was killed.
#[derive(Debug)]
pub(crate) struct RunPresence {
    pub(crate) inner: MemoryPresence,
    pub(crate) is_dead: Arc<AtomicBool>,
}

impl RunPresence {
    /// The result, or a failure if the node is dead.
    fn fenced<'a, T: Send + 'a, E: From<StoreError> + Send + 'a>(
        &'a self,
        call: BoxFuture<'a, Result<T, E>>,
    ) -> BoxFuture<'a, Result<T, E>> {
        if self.is_dead.load(Ordering::Relaxed) {
            return ready(Err(StoreError::other("the node is dead").into())).boxed();
        }
        call
    }
}

impl PresenceStore for RunPresence {
    fn node(&self) -> &NodeId {
        self.inner.node()
    }

    fn join(&self, presence: NewPresence) -> BoxFuture<'_, Result<MemberId, JoinError>> {
        self.fenced(self.inner.join(presence))
    }

    fn leave(&self, ids: Vec<MemberId>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.fenced(self.inner.leave(ids))
    }

    fn members(&self, room: RoomName) -> BoxFuture<'_, Result<Vec<Member>, StoreError>> {
        self.fenced(self.inner.members(room))
    }

    fn elsewhere(&self, rooms: Vec<RoomName>) -> BoxFuture<'_, Result<Vec<Member>, StoreError>> {
        self.fenced(self.inner.elsewhere(rooms))
    }

    fn holder(
        &self,
        room: RoomName,
        username: Username,
    ) -> BoxFuture<'_, Result<Option<Holder>, StoreError>> {
        self.fenced(self.inner.holder(room, username))
    }

    fn clear(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.fenced(self.inner.clear())
    }

    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.fenced(self.inner.check())
    }
}
