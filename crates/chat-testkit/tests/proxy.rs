//! Tests of the TCP proxy with faults.
#![allow(clippy::unwrap_used)]

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use chat_testkit::PATIENCE;
use chat_testkit::proxy::{Direction, Proxy};

/// What a test waits for before it says that nothing arrives.
const A_WHILE: Duration = Duration::from_millis(100);

/// A connection through a proxy: the client's end and the server's end.
struct Connection {
    client: TcpStream,
    server: TcpStream,
}

/// A server that accepts connections for the test.
fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn connect(proxy: &Proxy, listener: &TcpListener) -> Connection {
    let client = TcpStream::connect(proxy.address()).unwrap();
    let (server, _) = listener.accept().unwrap();
    for stream in [&client, &server] {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    Connection { client, server }
}

/// Sends bytes from one end to the other.
fn carry(mut from: &TcpStream, mut to: &TcpStream, text: &str) {
    from.write_all(text.as_bytes()).unwrap();
    let mut received = vec![0; text.len()];
    to.read_exact(&mut received).unwrap();
    assert_eq!(received, text.as_bytes());
}

/// Whether nothing arrives for a while.
fn is_silent(mut stream: &TcpStream) -> bool {
    stream.set_read_timeout(Some(A_WHILE)).unwrap();
    let result = stream.read(&mut [0]);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    result.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

fn is_reset(mut stream: &TcpStream) -> bool {
    stream.read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

#[test]
fn everything_is_forwarded_up_to_the_end() {
    let (listener, address) = listener();
    let proxy = Proxy::start(address);
    let Connection { mut client, mut server } = connect(&proxy, &listener);
    carry(&client, &server, "to the server");
    carry(&server, &client, "to the client");
    assert_eq!(proxy.connections(), 1);

    // more than all buffers hold, and one side ends first
    let large: Vec<u8> = (0..8_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
    std::thread::scope(|scope| {
        let sent = scope.spawn(|| {
            client.write_all(&large).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
        });
        let mut received = Vec::new();
        server.read_to_end(&mut received).unwrap();
        assert!(received == large, "{} bytes of {}", received.len(), large.len());
        sent.join().unwrap();
    });
    server.write_all(b"the last words").unwrap();
    drop(server);
    let mut received = String::new();
    client.read_to_string(&mut received).unwrap();
    assert_eq!(received, "the last words");
    let begin = Instant::now();
    while proxy.connections() > 0 {
        assert!(begin.elapsed() < PATIENCE, "the connection does not end");
        std::thread::yield_now();
    }
}

#[test]
fn a_cut_resets_both_sides() {
    let (listener, address) = listener();
    let proxy = Proxy::start(address);
    let connections = [connect(&proxy, &listener), connect(&proxy, &listener)];
    carry(&connections[0].client, &connections[0].server, "before");
    proxy.cut();
    assert_eq!(proxy.connections(), 0);
    for Connection { client, server } in &connections {
        assert!(is_reset(client) && is_reset(server));
    }
    let Connection { client, server } = connect(&proxy, &listener);
    carry(&client, &server, "after");
    // a reset is forwarded, too
    drop(proxy);
    assert!(is_reset(&client) && is_reset(&server));
}

#[test]
fn a_reset_is_forwarded() {
    let (listener, address) = listener();
    let proxy = Proxy::start(address);
    let Connection { client, server } = connect(&proxy, &listener);
    socket2::SockRef::from(&server).set_linger(Some(Duration::ZERO)).unwrap();
    drop(server);
    assert!(is_reset(&client));
}

#[test]
fn connections_are_refused_and_accepted_again() {
    let (listener, address) = listener();
    let proxy = Proxy::start(address);
    let Connection { client, server } = connect(&proxy, &listener);
    for _ in 0..10 {
        proxy.refuse();
        proxy.refuse();
        let error = TcpStream::connect(proxy.address()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        carry(&client, &server, "the open connection continues");
        proxy.resume();
        proxy.resume();
        let Connection { client, server } = connect(&proxy, &listener);
        carry(&client, &server, "a new connection");
    }
}

#[test]
fn a_stall_keeps_what_is_sent() {
    let (listener, address) = listener();
    let proxy = Proxy::start(address);
    let Connection { mut client, mut server } = connect(&proxy, &listener);
    let directions = [
        (Direction::ToServer, true, false),
        (Direction::ToClient, false, true),
        (Direction::Both, true, true),
    ];
    for (direction, stalls_server, stalls_client) in directions {
        proxy.stall(direction);
        let new = connect(&proxy, &listener);
        client.write_all(b"a").unwrap();
        server.write_all(b"b").unwrap();
        drop(new.client);
        assert_eq!(is_silent(&server), stalls_server, "{direction:?}");
        assert_eq!(is_silent(&client), stalls_client, "{direction:?}");
        // the end of a connection is kept, too
        assert_eq!(is_silent(&new.server), stalls_server, "{direction:?}");
        proxy.resume();
        if stalls_server {
            server.read_exact(&mut [0]).unwrap();
        }
        if stalls_client {
            client.read_exact(&mut [0]).unwrap();
        }
        carry(&client, &server, "to the server");
        carry(&server, &client, "to the client");
        assert_eq!((&new.server).read(&mut [0]).unwrap(), 0);
    }
}

#[test]
fn a_delay_is_added_in_each_direction() {
    let (listener, address) = listener();
    let proxy = Proxy::start(address);
    let Connection { client, server } = connect(&proxy, &listener);
    let delay = Duration::from_millis(150);
    proxy.delay(delay);
    let begin = Instant::now();
    carry(&client, &server, "there");
    carry(&server, &client, "and back");
    assert!(begin.elapsed() >= 2 * delay);
    // also ends what is held back at that time
    proxy.delay(PATIENCE * 2);
    (&client).write_all(b"a").unwrap();
    assert!(is_silent(&server));
    proxy.resume();
    (&server).read_exact(&mut [0]).unwrap();
}

#[test]
fn new_connections_go_to_another_server() {
    let (one, other) = (listener(), listener());
    let proxy = Proxy::start(one.1);
    let first = connect(&proxy, &one.0);
    proxy.set_server(other.1);
    let second = connect(&proxy, &other.0);
    carry(&first.client, &first.server, "one");
    carry(&second.client, &second.server, "other");
    // a server that does not run
    drop(other.0);
    assert!(is_reset(&TcpStream::connect(proxy.address()).unwrap()));
}
