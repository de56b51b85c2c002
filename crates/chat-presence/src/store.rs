//! The contract of a presence store.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use chat_protocol::{ChannelName, Member, MemberId, RoomName, Timestamp, UserId, Username};
use futures::future::{BoxFuture, FutureExt, ready};

use crate::{JoinError, StoreError};

/// The name of a node: one server process among those that share a store.
///
/// A node has to keep its name over restarts, so that it recognises its own rows.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct NodeId(Arc<str>);

impl NodeId {
    /// A node of this name. Any text is a valid name.
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

/// A presence record that is not stored yet: a [`Member`] without an id.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewPresence {
    /// The room.
    pub room: RoomName,
    /// The user.
    pub user: UserId,
    /// The user's name.
    pub username: Username,
    /// The connection of the user.
    pub channel: ChannelName,
    /// When the user joined.
    pub joined_at: Timestamp,
}

impl NewPresence {
    /// A record of the user `user`, whose name is `username`, in a room.
    pub fn new(
        room: RoomName,
        user: UserId,
        username: Username,
        channel: ChannelName,
        joined_at: Timestamp,
    ) -> Self {
        Self { room, user, username, channel, joined_at }
    }

    /// The member that this record describes once it is stored with this id.
    pub fn with_id(self, id: MemberId) -> Member {
        Member {
            id,
            room: self.room,
            user: self.user,
            username: self.username,
            channel: self.channel,
            joined_at: self.joined_at,
        }
    }
}

/// Who holds a name in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// The user.
    pub user: UserId,
    /// A node on which the user is present.
    pub node: NodeId,
}

impl Holder {
    /// This user, who is present on this node.
    pub fn new(user: UserId, node: NodeId) -> Self {
        Self { user, node }
    }
}

/// Keeps the first record of each user.
pub(crate) fn keep_earliest(members: &mut Vec<Member>) {
    let mut seen = HashSet::with_capacity(members.len());
    members.retain(|member| seen.insert(member.user.clone()));
}

/// Presence: which users are in which rooms, across nodes and restarts. A store belongs to one
/// node.
///
/// # Names
/// A name in a room belongs to one user at a time, from the first record of the user under this
/// name to the last. A user may have several records in a room, on several nodes or on one: while
/// the record of an abandoned join is being removed, the next one already exists.
///
/// # Order
/// [`join`](Self::join)s of one name in one room take effect in the order in which their futures
/// are first polled. A caller may give up a slow join, and another user may join under the name;
/// were the abandoned record written last, it would replace the newer one. No other order is
/// promised: ids keep a [`leave`](Self::leave) from removing a newer record.
///
/// # Cancellation
/// A future that is dropped before it was polled has no effect. One that is dropped later may or
/// may not take effect.
///
/// # Implementing a store
/// The suite `conformance` (feature `conformance`) tests all of this. The methods return boxed
/// futures so that the trait can be used as `dyn PresenceStore`.
pub trait PresenceStore: fmt::Debug + Send + Sync + 'static {
    /// The node whose records this store writes.
    fn node(&self) -> &NodeId;

    /// Writes a record and returns its id, which is greater than all ids before it and is never
    /// reused. When this resolves, the record is visible to all nodes.
    ///
    /// It succeeds if the name is free in the room, if the same user holds it on any node, or if
    /// another user holds it on this node only. A record of another user on this node never blocks
    /// a join: it is a leftover, and the new record replaces all records of this name. So if
    /// different users join under one name on several nodes at the same time, the users of exactly
    /// one node succeed.
    ///
    /// # Errors
    /// [`JoinError::Taken`] if another user holds the name on another node, [`JoinError::Store`] if
    /// the store fails.
    fn join(&self, presence: NewPresence) -> BoxFuture<'_, Result<MemberId, JoinError>>;

    /// Removes the records with these ids. Unknown ids are ignored. A name is free when its last
    /// record in the room is removed.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails. Some of the records may still exist; it is safe to retry.
    fn leave(&self, ids: Vec<MemberId>) -> BoxFuture<'_, Result<(), StoreError>>;

    /// The members of a room on all nodes, in the order in which they joined. Of a user with
    /// several records this is the earliest one. Sees committed data only.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn members(&self, room: RoomName) -> BoxFuture<'_, Result<Vec<Member>, StoreError>>;

    /// The records of other nodes in these rooms, in order of id. A user may have several. Sees
    /// committed data only.
    ///
    /// The default implementation returns none: a store that one node uses has none.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn elsewhere(&self, rooms: Vec<RoomName>) -> BoxFuture<'_, Result<Vec<Member>, StoreError>> {
        drop(rooms);
        ready(Ok(Vec::new())).boxed()
    }

    /// The user who holds a name in a room, and the node on which. If there are several nodes, it
    /// is another node than this one. Sees committed data only.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn holder(&self, room: RoomName, username: Username)
    -> BoxFuture<'_, Result<Option<Holder>, StoreError>>;

    /// Whether a name is held in a room, on any node. Sees committed data only.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn is_present(&self, room: RoomName, username: Username) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.holder(room, username).map(|holder| holder.map(|holder| holder.is_some())).boxed()
    }

    /// Removes all records of this node and returns their number. At a start these are leftovers of
    /// the previous run, at a shutdown all members. Records of other nodes are kept, and so are the
    /// names that they hold.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn clear(&self) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// Checks whether the store could write a record now.
    ///
    /// # Errors
    /// [`StoreError`] if it could not.
    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}
