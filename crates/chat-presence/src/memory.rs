//! The store in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chat_protocol::{Member, MemberId, RoomName, Username};
use futures::future::{BoxFuture, FutureExt, ready};
use parking_lot::Mutex;

use crate::store::keep_earliest;
use crate::{Holder, JoinError, NewPresence, NodeId, PresenceStore, StoreError};

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
    /// The rows of each name, by room, oldest first; never empty. They belong to one user.
    names: HashMap<RoomName, HashMap<Username, Vec<MemberId>>>,
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
        let held = self.rows_of(&new.room, &new.username);
        if held.iter().any(|row| row.member.user != new.user) {
            if let Some(other) = held.iter().find(|row| row.node != *node) {
                return Err(JoinError::Taken(other.node.clone()));
            }
            let leftovers: Vec<_> = held.iter().map(|row| row.member.id).collect();
            leftovers.into_iter().for_each(|id| self.remove(id));
        }
        self.last_id += 1;
        let id = MemberId::new(self.last_id);
        let names = self.names.entry(new.room.clone()).or_default();
        names.entry(new.username.clone()).or_default().push(id);
        self.rows.insert(id, Row { member: new.with_id(id), node: node.clone() });
        Ok(id)
    }

    fn remove(&mut self, id: MemberId) {
        let Some(Row { member, .. }) = self.rows.remove(&id) else {
            return;
        };
        let Some(names) = self.names.get_mut(&member.room) else {
            return;
        };
        if let Some(ids) = names.get_mut(&member.username) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                names.remove(&member.username);
            }
        }
        if names.is_empty() {
            self.names.remove(&member.room);
        }
    }

    /// The rows of a name, oldest first.
    fn rows_of(&self, room: &RoomName, username: &Username) -> Vec<&Row> {
        let ids = self.names.get(room).and_then(|names| names.get(username));
        ids.into_iter().flatten().map(|id| &self.rows[id]).collect()
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

    fn elsewhere(&self, rooms: Vec<RoomName>) -> BoxFuture<'_, Result<Vec<Member>, StoreError>> {
        async move {
            let table = self.table.lock();
            let names = rooms.iter().filter_map(|room| table.names.get(room));
            let rows = names.flat_map(|names| names.values().flatten()).map(|id| &table.rows[id]);
            let elsewhere = rows.filter(|row| row.node != self.node);
            let mut members: Vec<_> = elsewhere.map(|row| row.member.clone()).collect();
            members.sort_by_key(|member| member.id);
            Ok(members)
        }
        .boxed()
    }

    fn members(&self, room: RoomName) -> BoxFuture<'_, Result<Vec<Member>, StoreError>> {
        async move {
            let table = self.table.lock();
            let names = table.names.get(&room);
            let mut ids: Vec<_> = names.into_iter().flat_map(HashMap::values).flatten().collect();
            ids.sort_unstable();
            let mut members: Vec<_> = ids.into_iter().map(|id| table.rows[id].member.clone()).collect();
            keep_earliest(&mut members);
            Ok(members)
        }
        .boxed()
    }

    fn holder(
        &self,
        room: RoomName,
        username: Username,
    ) -> BoxFuture<'_, Result<Option<Holder>, StoreError>> {
        async move {
            let table = self.table.lock();
            let rows = table.rows_of(&room, &username);
            let row = rows.iter().find(|row| row.node != self.node).or(rows.first());
            Ok(row.map(|row| Holder::new(row.member.user.clone(), row.node.clone())))
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
