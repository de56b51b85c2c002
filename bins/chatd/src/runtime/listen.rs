//! Opening of listeners.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// The length of the accept queue, as far as the system allows it (`net.core.somaxconn`). When all
/// clients reconnect at once, the usual 128 are soon full, and a client that finds the queue full
/// retries only after a second.
pub(crate) const BACKLOG: u32 = 4_096;

/// How many ports above a default port that is in use are tried, before the system chooses one.
const NEARBY_PORTS: u16 = 100;

/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    #[error(
        "the address {address} is in use: stop the program that listens there, or choose another port with {option}"
    )]
    InUse { address: String, option: &'static str },
    #[error("can't listen on {address}: {source}")]
    System { address: String, source: io::Error },
}

/// Uses a listener that a service manager passed.
pub(crate) fn adopt(listener: std::net::TcpListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Listens on an address. Of the addresses of a name, the first that works is used. `option` is the
/// option that sets the address.
pub(crate) async fn listen(address: &str, option: &'static str) -> Result<TcpListener, ListenError> {
    let listening = async {
        let mut outcome = Err(io::ErrorKind::AddrNotAvailable.into());
        for resolved in tokio::net::lookup_host(address).await? {
            outcome = listen_on(resolved);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    };
    listening.await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse { address: address.to_owned(), option },
        _ => ListenError::System { address: address.to_owned(), source },
    })
}

/// Listens on a default address. If its port is in use, the next free port is used, so that the
/// start does not fail because of an address that nobody chose.
pub(crate) async fn listen_near(address: &str, option: &'static str) -> Result<TcpListener, ListenError> {
    let in_use = match listen(address, option).await {
        Err(ListenError::InUse { .. }) => address.rsplit_once(':'),
        outcome => return outcome,
    };
    let Some((host, Ok(port))) = in_use.map(|(host, port)| (host, port.parse::<u16>())) else {
        return listen(address, option).await;
    };
    for other in (port..=port.saturating_add(NEARBY_PORTS)).skip(1).chain([0]) {
        match listen(&format!("{host}:{other}"), option).await {
            Err(ListenError::InUse { .. }) => {}
            outcome => return outcome,
        }
    }
    listen(address, option).await
}

/// Listens as the standard library does, but with a longer accept queue.
fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // on Windows this would allow two servers on one port
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
