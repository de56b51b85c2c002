//! A presence store of your own, checked by the conformance suite:
//! `cargo run -p chat-presence --features conformance --example own_store`.
#![allow(clippy::print_stdout)]

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chat_presence::conformance::{self, Nodes};
use chat_presence::{Holder, JoinError, NewPresence, NodeId, PresenceStore, StoreError};
use chat_protocol::{Member, MemberId, RoomName, Username};
use futures::future::{BoxFuture, FutureExt, ready};
use parking_lot::Mutex;

/// Rows in a list. It searches the whole list for each call; a real store has an index.
#[derive(Debug)]
struct ListPresence {
    node: NodeId,
    rows: Arc<Mutex<Rows>>,
}

#[derive(Debug, Default)]
struct Rows {
    last_id: i64,
    by_id: BTreeMap<MemberId, (Member, NodeId)>,
}

impl Rows {
    /// The rows of a name. They belong to one user.
    fn of_name(&self, room: &RoomName, username: &Username) -> Vec<&(Member, NodeId)> {
        let rows = self.by_id.values();
        rows.filter(|(member, _)| member.room == *room && member.username == *username).collect()
    }

    fn insert(&mut self, new: NewPresence, node: &NodeId) -> Result<MemberId, JoinError> {
        let held = self.of_name(&new.room, &new.username);
        if held.iter().any(|(member, _)| member.user != new.user) {
            if let Some((_, other)) = held.iter().find(|(_, other)| other != node) {
                return Err(JoinError::Taken(other.clone()));
            }
            self.by_id.retain(|_, (member, _)| member.room != new.room || member.username != new.username);
        }
        self.last_id += 1;
        let id = MemberId::new(self.last_id);
        self.by_id.insert(id, (new.with_id(id), node.clone()));
        Ok(id)
    }
}

impl PresenceStore for ListPresence {
    fn node(&self) -> &NodeId {
        &self.node
    }

    fn join(&self, presence: NewPresence) -> BoxFuture<'_, Result<MemberId, JoinError>> {
        // nothing may happen before the future is polled
        async move { self.rows.lock().insert(presence, &self.node) }.boxed()
    }

    fn leave(&self, ids: Vec<MemberId>) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            self.rows.lock().by_id.retain(|id, _| !ids.contains(id));
            Ok(())
        }
        .boxed()
    }

    fn members(&self, room: RoomName) -> BoxFuture<'_, Result<Vec<Member>, StoreError>> {
        let rows = self.rows.lock();
        let mut seen = HashSet::new();
        let members = rows.by_id.values().map(|(member, _)| member).filter(|member| member.room == room);
        ready(Ok(members.filter(|member| seen.insert(&member.user)).cloned().collect())).boxed()
    }

    fn holder(
        &self,
        room: RoomName,
        username: Username,
    ) -> BoxFuture<'_, Result<Option<Holder>, StoreError>> {
        let rows = self.rows.lock();
        let held = rows.of_name(&room, &username);
        let row = held.iter().find(|(_, node)| *node != self.node).or(held.first());
        ready(Ok(row.map(|(member, node)| Holder::new(member.user.clone(), node.clone())))).boxed()
    }

    fn clear(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        async move {
            let mut rows = self.rows.lock();
            let before = rows.by_id.len();
            rows.by_id.retain(|_, (_, node)| *node != self.node);
            Ok((before - rows.by_id.len()) as u64)
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        ready(Ok(())).boxed()
    }
}

fn main() -> std::io::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(conformance::run(async || {
        let rows = Arc::<Mutex<Rows>>::default();
        let node = |name| ListPresence { node: NodeId::new(name), rows: Arc::clone(&rows) };
        Nodes::new(node("here"), node("there"))
    }));
    println!("the store keeps all promises of PresenceStore");
    Ok(())
}
