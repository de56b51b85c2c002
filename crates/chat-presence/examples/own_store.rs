//! A presence store of your own, checked by the conformance suite:
//! `cargo run -p chat-presence --features conformance --example own_store`.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::sync::Arc;

use chat_presence::conformance::{self, Nodes};
use chat_presence::{JoinError, NewPresence, NodeId, PresenceStore, StoreError};
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
    fn holder(&self, room: &RoomName, username: &Username) -> Option<(MemberId, NodeId)> {
        let mut rows = self.by_id.values();
        let (member, node) = rows.find(|(member, _)| member.room == *room && member.username == *username)?;
        Some((member.id, node.clone()))
    }

    fn insert(&mut self, new: NewPresence, node: &NodeId) -> Result<MemberId, JoinError> {
        if let Some((id, holder)) = self.holder(&new.room, &new.username) {
            if holder != *node {
                return Err(JoinError::Taken(holder));
            }
            self.by_id.remove(&id);
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
        let members = rows.by_id.values().map(|(member, _)| member);
        ready(Ok(members.filter(|member| member.room == room).cloned().collect())).boxed()
    }

    fn holder(
        &self,
        room: RoomName,
        username: Username,
    ) -> BoxFuture<'_, Result<Option<NodeId>, StoreError>> {
        ready(Ok(self.rows.lock().holder(&room, &username).map(|(_, node)| node))).boxed()
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
