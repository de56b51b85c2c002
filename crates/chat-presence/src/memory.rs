//! The store in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chat_protocol::{Member, MemberId, RoomName, Username};
use futures::future::{BoxFuture, FutureExt, ready};
use parking_lot::Mutex;

use crate::{JoinError, NewPresence, NodeId, PresenceStore, StoreError};

/// Presence in memory, lost when the process ends. It never fails.
#[derive(Debug)]
pub struct MemoryPresence {
    node: NodeId,
    /// Shared by the stores of all nodes in this process.
    table: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    last_id: i64,
    rows: BTreeMap<MemberId, Row>,
    /// The row of each name, by room: the unique index on room and name.
    holders: HashMap<RoomName, HashMap<Username, MemberId>>,
}

#[derive(Debug)]
struct Row {
    member: Member,
    node: NodeId,
}

impl MemoryPresence {
    /// An empty store of this node.
    pub fn new(node: NodeId) -> Self {
        Self { node, table: Arc::default() }
    }

    /// The store of another node on the same rows, for several nodes in one process.
    #[must_use]
    pub fn for_node(&self, node: NodeId) -> Self {
        Self { node, table: Arc::clone(&self.table) }
    }
}

impl Table {
    fn insert(&mut self, new: NewPresence, node: &NodeId) -> Result<MemberId, JoinError> {
        if let Some(holder) = self.holder(&new.room, &new.username) {
            let row = &self.rows[&holder];
            if row.node != *node {
                return Err(JoinError::Taken(row.node.clone()));
            }
            self.remove(holder);
        }
        self.last_id += 1;
        let id = MemberId::new(self.last_id);
        self.holders.entry(new.room.clone()).or_default().insert(new.username.clone(), id);
        self.rows.insert(id, Row { member: new.with_id(id), node: node.clone() });
        Ok(id)
    }

    fn remove(&mut self, id: MemberId) {
        let Some(Row { member, .. }) = self.rows.remove(&id) else {
            return;
        };
        if let Some(room) = self.holders.get_mut(&member.room) {
            room.remove(&member.username);
            if room.is_empty() {
                self.holders.remove(&member.room);
            }
        }
    }

    fn holder(&self, room: &RoomName, username: &Username) -> Option<MemberId> {
        self.holders.get(room)?.get(username).copied()
    }
}

impl PresenceStore for MemoryPresence {
    fn node(&self) -> &NodeId {
        &self.node
    }

    fn join(&self, presence: NewPresence) -> BoxFuture<'_, Result<MemberId, JoinError>> {
        async move { self.table.lock().insert(presence, &self.node) }.boxed()
    }

    fn leave(&self, ids: Vec<MemberId>) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            let mut table = self.table.lock();
            ids.into_iter().for_each(|id| table.remove(id));
            Ok(())
        }
        .boxed()
    }

    fn members(&self, room: RoomName) -> BoxFuture<'_, Result<Vec<Member>, StoreError>> {
        async move {
            let table = self.table.lock();
            let mut ids: Vec<_> = table.holders.get(&room).into_iter().flat_map(HashMap::values).collect();
            ids.sort_unstable();
            Ok(ids.into_iter().map(|id| table.rows[id].member.clone()).collect())
        }
        .boxed()
    }

    fn holder(
        &self,
        room: RoomName,
        username: Username,
    ) -> BoxFuture<'_, Result<Option<NodeId>, StoreError>> {
        async move {
            let table = self.table.lock();
            Ok(table.holder(&room, &username).map(|id| table.rows[&id].node.clone()))
        }
        .boxed()
    }

    fn clear(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        async move {
            let mut table = self.table.lock();
            let own = |(id, row): (&MemberId, &Row)| (row.node == self.node).then_some(*id);
            let ids: Vec<_> = table.rows.iter().filter_map(own).collect();
            ids.iter().for_each(|id| table.remove(*id));
            Ok(ids.len() as u64)
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        ready(Ok(())).boxed()
    }
}
