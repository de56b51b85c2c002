//! The connected classic clients.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use chat_protocol::{Member, UserId};
use parking_lot::Mutex;

/// All connected classic clients. Clones share the same list.
#[derive(Debug, Default, Clone)]
pub(crate) struct ClassicClients(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    /// In the order in which they connected.
    clients: BTreeMap<u64, (Arc<Member>, IpAddr)>,
}

/// A connected classic client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassicInfo {
    /// Its member in the room.
    pub member: Arc<Member>,
    /// Its address, as reported by a trusted proxy if there is one.
    pub address: IpAddr,
}

/// An entry in the list, removed when dropped.
#[derive(Debug)]
pub(crate) struct ClassicEntry {
    classics: ClassicClients,
    key: u64,
}

impl ClassicClients {
    /// Adds a client.
    pub(crate) fn add(&self, member: Arc<Member>, address: IpAddr) -> ClassicEntry {
        let mut inner = self.0.lock();
        let key = inner.next;
        inner.next += 1;
        inner.clients.insert(key, (member, address));
        ClassicEntry { classics: self.clone(), key }
    }

    /// The client whose user has this id.
    pub(crate) fn find(&self, user: &UserId) -> Option<ClassicInfo> {
        let inner = self.0.lock();
        let (member, address) = inner.clients.values().find(|(member, _)| member.user == *user)?;
        Some(ClassicInfo { member: Arc::clone(member), address: *address })
    }

    /// All clients, oldest first.
    pub(crate) fn list(&self) -> Vec<ClassicInfo> {
        let inner = self.0.lock();
        let info = |(member, address): &(Arc<Member>, IpAddr)| ClassicInfo {
            member: Arc::clone(member),
            address: *address,
        };
        inner.clients.values().map(info).collect()
    }
}

impl Drop for ClassicEntry {
    fn drop(&mut self) {
        self.classics.0.lock().clients.remove(&self.key);
    }
}
