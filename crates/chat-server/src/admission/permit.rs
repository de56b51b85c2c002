//! A connection's place among the others.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use crate::admission::addresses::AddressPermit;

/// One of the places for a connection, held until the connection has ended.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionPermit(Arc<Held>);

#[derive(Debug)]
struct Held {
    _permit: OwnedSemaphorePermit,
    peer: Peer,
}

/// One of the places for a chat connection, and its share in the address it comes from.
#[derive(Debug)]
pub(crate) struct ChatPermit {
    pub(crate) _permit: OwnedSemaphorePermit,
    /// Of the client, as a trusted proxy says it.
    pub(crate) client: IpAddr,
    /// None where the connection that it came on is counted already.
    pub(crate) _address: Option<AddressPermit>,
}

/// Who is at the other end.
#[derive(Debug)]
pub(crate) enum Peer {
    /// A client, which is counted.
    Client { address: IpAddr, _counted: AddressPermit },
    /// A proxy, which says who asks with each handshake.
    Proxy(IpAddr),
}

impl ConnectionPermit {
    pub(crate) fn new(permit: OwnedSemaphorePermit, peer: Peer) -> Self {
        Self(Arc::new(Held { _permit: permit, peer }))
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.0.peer
    }
}
