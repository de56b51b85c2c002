//! What a presence store promises.

use std::fmt;
use std::sync::Arc;

use chat_protocol::{ChannelName, Member, MemberId, RoomName, Timestamp, Username};
use futures::future::{BoxFuture, FutureExt};

/// The name of a node: one server process of those that share a store. It has to stay the same over restarts, so that a
/// node knows its own rows again.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct NodeId(Arc<str>);

impl NodeId {
    /// Takes any text.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A stay that is about to begin: a [`Member`] that has no id yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStay {
    /// Where.
    pub room: RoomName,
    /// Who.
    pub username: Username,
    /// The connection behind it.
    pub channel: ChannelName,
    /// Since when.
    pub joined_at: Timestamp,
}

impl NewStay {
    /// The member that this stay makes.
    pub fn with_id(self, id: MemberId) -> Member {
        Member {
            id,
            room: self.room,
            username: self.username,
            channel: self.channel,
            joined_at: self.joined_at,
        }
    }
}

/// The store does not answer: it is full, locked, damaged or closed. It may work again later.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the presence store is unavailable: {0}")]
pub struct StoreError(pub String);

/// Why a stay was not written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JoinError {
    /// Another node holds the name in that room.
    #[error("the name is held on the node {0:?}")]
    Taken(NodeId),
    /// Whether the row was written is not known; it is safe to write the stay again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who is in which room, across nodes and restarts. A store belongs to one node.
///
/// Calls of one caller take effect in the order in which their futures are first polled. A future that is dropped after
/// that may or may not take effect.
pub trait PresenceStore: fmt::Debug + Send + Sync + 'static {
    /// The node whose stays this store writes.
    fn node(&self) -> &NodeId;

    /// Writes a stay and gives its id: greater than every id before it, never used again.
    ///
    /// Of several nodes that write the same name in the same room exactly one succeeds. A row of this node's own never
    /// refuses: it is a leftover, and the new stay takes its place. When this resolves the row is visible to all.
    ///
    /// # Errors
    /// [`JoinError::Taken`] when another node holds the name, [`JoinError::Store`] when the store does not answer.
    fn join(&self, stay: NewStay) -> BoxFuture<'_, Result<MemberId, JoinError>>;

    /// Removes the rows of these stays. An id that has no row is none of its business: it is not an error.
    ///
    /// # Errors
    /// [`StoreError`]: some rows may still be there; it is safe to ask again.
    fn leave(&self, stays: Vec<MemberId>) -> BoxFuture<'_, Result<(), StoreError>>;

    /// The members of a room on all nodes, in order of arrival, as committed.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    fn members(&self, room: RoomName) -> BoxFuture<'_, Result<Vec<Member>, StoreError>>;

    /// The node that holds a name in a room, as committed.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    fn holder(&self, room: RoomName, username: Username)
    -> BoxFuture<'_, Result<Option<NodeId>, StoreError>>;

    /// Whether anyone holds a name in a room, as committed.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    fn is_present(&self, room: RoomName, username: Username) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.holder(room, username).map(|holder| holder.map(|node| node.is_some())).boxed()
    }

    /// Removes every row of this node and says how many there were: at a start what the last run left behind, at an end
    /// everyone at once. Rows of other nodes stay.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    fn clear(&self) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// Whether the store would take a stay now.
    ///
    /// # Errors
    /// [`StoreError`] says why not.
    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}
