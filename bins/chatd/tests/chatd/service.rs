//! A service manager: notifications to it, and listeners from it.
#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use chat_testkit::http::request;
use chat_testkit::until;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::Signal;

use crate::process::{Running, chatd, chatd_at};

/// The socket of the service manager.
struct Manager(UnixDatagram);

impl Manager {
    fn new(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self(socket)
    }

    /// The next notification.
    fn next(&self) -> String {
        let mut message = [0; 1_024];
        let length = self.0.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).into_owned()
    }

    /// The next notification with this prefix.
    fn next_with(&self, prefix: &str) -> String {
        loop {
            let notification = self.next();
            if notification.starts_with(prefix) {
                return notification;
            }
        }
    }
}

#[tokio::test]
async fn the_manager_is_notified_of_start_reload_and_stop() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("notify");
    let manager = Manager::new(&socket);
    let mut server = Running::start(chatd(folder.path()).env("NOTIFY_SOCKET", &socket));
    assert_eq!(manager.next(), "READY=1\nSTATUS=serving\n");
    server.signal(Signal::HUP);
    assert!(manager.next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(manager.next(), "READY=1\nSTATUS=serving\n");
    server.signal(Signal::TERM);
    assert_eq!(manager.next(), "STOPPING=1\n");
    assert!(server.end_within(Duration::from_secs(10)).await.success());
}

#[tokio::test]
async fn the_watchdog_is_notified_until_the_process_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("notify");
    let manager = Manager::new(&socket);
    // a manager also passes the id of the process that it watches
    let program = chatd(folder.path()).get_program().to_owned();
    let mut shell = chatd_at(Path::new("bash"), folder.path());
    shell.args(["-c", "WATCHDOG_PID=$$ exec \"$0\" \"$@\""]).arg(program);
    let server = Running::start(shell.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "200000"));
    for _ in 0..5 {
        assert_eq!(manager.next_with("WATCHDOG=1"), "WATCHDOG=1\nSTATUS=0 rooms\n");
    }
    server.signal(Signal::STOP);
    manager.0.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut message = [0; 1_024];
    // notifications in flight arrive, and then nothing
    assert!((0..5).any(|_| manager.0.recv(&mut message).is_err()));
    server.signal(Signal::CONT);
    assert_eq!(manager.next_with("WATCHDOG=1"), "WATCHDOG=1\nSTATUS=0 rooms\n");
}

/// The program with a listener as descriptor 3, announced in the environment as a service manager
/// does it.
fn with_listener(folder: &Path, listener: &TcpListener) -> Command {
    let program = chatd(folder).get_program().to_owned();
    let mut shell = chatd_at(Path::new("bash"), folder);
    let passed = listener.as_raw_fd();
    let script = format!("exec 3<&{passed}; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" \"$@\"");
    shell.args(["-c", &script]).arg(program);
    shell
}

/// Whether a connection gets a response. `Err` if it is refused.
fn is_served(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut answer = String::new();
    let asked = stream.write_all(b"GET /livez HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    // the server that accepted it may be ending
    Ok(asked.and_then(|()| stream.read_to_string(&mut answer)).is_ok() && answer.contains("alive"))
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_passed_listener_no_connection_is_refused_during_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // other child processes inherit it, too, and ignore it
    fcntl_setfd(&listener, FdFlags::empty()).unwrap();
    let mut server = Running::start(&mut with_listener(folder.path(), &listener));
    assert_eq!(server.address, address, "it uses the passed listener, not --listen");

    let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let connecting: Vec<_> = (0..4)
        .map(|_| {
            let (stop, served) = (Arc::clone(&stop), Arc::clone(&served));
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let is_served = is_served(address).expect("nobody is refused");
                    served.fetch_add(usize::from(is_served), Ordering::Relaxed);
                }
            })
        })
        .collect();
    for _ in 0..3 {
        let before = served.load(Ordering::Relaxed);
        until("some are served", async || served.load(Ordering::Relaxed) > before + 10).await;
        server.signal(Signal::TERM);
        assert!(server.end_within(Duration::from_secs(10)).await.success());
        server = Running::start(&mut with_listener(folder.path(), &listener));
    }
    let before = served.load(Ordering::Relaxed);
    until("some are served", async || served.load(Ordering::Relaxed) > before + 10).await;
    stop.store(true, Ordering::Relaxed);
    for thread in connecting {
        thread.join().unwrap();
    }
    assert_eq!(request(address, "GET", "/readyz", &[]).await.status, 200);
}
