//! The classic clients that are connected, for lists.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use chat_protocol::Member;
use parking_lot::Mutex;

/// Every classic client that is connected. Clones are the same.
#[derive(Debug, Default, Clone)]
pub(crate) struct ClassicClients(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    next: u64,
    /// By when they came.
    clients: BTreeMap<u64, (Arc<Member>, IpAddr)>,
}

/// A classic client, for a list of clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassicInfo {
    /// What it is in its room.
    pub member: Arc<Member>,
    /// Where it connects from, as a trusted proxy says it.
    pub address: IpAddr,
}

/// An entry in the list, for as long as it is held.
#[derive(Debug)]
pub(crate) struct ClassicEntry {
    classics: ClassicClients,
    key: u64,
}

impl ClassicClients {
    /// Adds a client.
    pub(crate) fn add(&self, member: Arc<Member>, address: IpAddr) -> ClassicEntry {
        let mut known = self.0.lock();
        let key = known.next;
        known.next += 1;
        known.clients.insert(key, (member, address));
        ClassicEntry { classics: self.clone(), key }
    }

    /// All of them, the oldest first.
    pub(crate) fn list(&self) -> Vec<ClassicInfo> {
        let known = self.0.lock();
        let info = |(member, address): &(Arc<Member>, IpAddr)| ClassicInfo {
            member: Arc::clone(member),
            address: *address,
        };
        known.clients.values().map(info).collect()
    }
}

impl Drop for ClassicEntry {
    fn drop(&mut self) {
        self.classics.0.lock().clients.remove(&self.key);
    }
}
