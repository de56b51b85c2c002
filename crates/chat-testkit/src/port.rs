//! Ports for servers that stop and start again.

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// A port of 127.0.0.1 that the kernel assigns to nothing else, also while no server listens there.
///
/// A socket is bound to the port and does not listen. On Linux, a server can bind to the same port
/// by its number, and listen, if it sets `SO_REUSEADDR`, as PostgreSQL and tokio do. But Linux
/// assigns the port to no connection, and to no server that asks for any port.
#[derive(Debug)]
pub(crate) struct ReservedPort {
    number: u16,
    /// Keeps the port reserved. Elsewhere the server could not bind to the port.
    _socket: Option<Socket>,
}

impl ReservedPort {
    /// Reserves a free port.
    pub(crate) fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let number = socket.local_addr().unwrap().as_socket_ipv4().unwrap().port();
        Self { number, _socket: cfg!(target_os = "linux").then_some(socket) }
    }

    /// The address.
    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_reserved_port_is_for_one_server() {
        let port = ReservedPort::new();
        for _ in 0..2 {
            TcpStream::connect(port.address()).unwrap_err();
            let server = TcpListener::bind(port.address()).unwrap();
            TcpStream::connect(server.local_addr().unwrap()).unwrap();
        }
        assert_ne!(ReservedPort::new().address(), port.address());
    }
}
