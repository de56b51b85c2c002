//! Listeners.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// How many connections may wait to be accepted, as far as the system allows (`net.core.somaxconn`). When all come back at once the
/// usual 128 are soon full, and who finds no place tries again after a second.
pub(crate) const BACKLOG: u32 = 4_096;

/// There is no listener.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    #[error(
        "the address {address} is in use: stop the program that listens there, or choose another port with {option}"
    )]
    InUse { address: String, option: &'static str },
    #[error("can't listen on {address}: {source}")]
    System { address: String, source: io::Error },
}

/// Takes a listener that was passed.
pub(crate) fn adopt(listener: std::net::TcpListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Listens at the first address of a name where that works. `option` is where the name was set.
pub(crate) async fn listen(address: &str, option: &'static str) -> Result<TcpListener, ListenError> {
    let listening = async {
        let mut outcome = Err(io::ErrorKind::AddrNotAvailable.into());
        for found in tokio::net::lookup_host(address).await? {
            outcome = listen_on(found);
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

/// How many ports above a default that is in use are tried, before the system chooses one.
const PORTS: u16 = 100;

/// Listens at an address that nobody chose: where it is in use, at the next free port. Starting must not fail for it.
pub(crate) async fn listen_near(address: &str, option: &'static str) -> Result<TcpListener, ListenError> {
    let in_use = match listen(address, option).await {
        Err(ListenError::InUse { .. }) => address.rsplit_once(':'),
        outcome => return outcome,
    };
    let Some((host, Ok(port))) = in_use.map(|(host, port)| (host, port.parse::<u16>())) else {
        return listen(address, option).await;
    };
    for other in (port..=port.saturating_add(PORTS)).skip(1).chain([0]) {
        match listen(&format!("{host}:{other}"), option).await {
            Err(ListenError::InUse { .. }) => {}
            outcome => return outcome,
        }
    }
    listen(address, option).await
}

/// Listens as the standard library does, but for the backlog.
fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // on Windows this would let two servers have one port
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
