//! Permits that count connections.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use crate::admission::addresses::AddressPermit;

/// Counts a connection until the connection has ended.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionPermit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    _permit: OwnedSemaphorePermit,
    peer: Peer,
}

/// Counts a chat connection, both in total and for its client's address.
#[derive(Debug)]
pub(crate) struct ChatPermit {
    pub(crate) _permit: OwnedSemaphorePermit,
    /// Address of the client, as reported by a trusted proxy if there is one.
    pub(crate) client: IpAddr,
    /// `None` if the connection that carried the handshake already counts for the address.
    pub(crate) _address: Option<AddressPermit>,
}

/// The peer of a connection.
#[derive(Debug)]
pub(crate) enum Peer {
    /// A client, counted for its address.
    Client { address: IpAddr, _permit: AddressPermit },
    /// A trusted proxy, which reports the client's address with each handshake.
    Proxy(IpAddr),
}

impl ConnectionPermit {
    pub(crate) fn new(permit: OwnedSemaphorePermit, peer: Peer) -> Self {
        Self(Arc::new(Inner { _permit: permit, peer }))
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.0.peer
    }
}
