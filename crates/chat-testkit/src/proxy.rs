//! A TCP proxy with faults: between a program and a server, it cuts connections, refuses them,
//! delays what they carry, or keeps it.
//!
//! It has a thread of its own. So it works beside tests that block, and its methods block (for
//! milliseconds at most), also in asynchronous tests.

use std::io;
use std::mem::take;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc as std_mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, timeout_at};

use crate::port::ReservedPort;

/// The maximum number of bytes that are forwarded at once.
const CHUNK: usize = 16_384;

/// The maximum number of chunks that a direction of a connection holds back.
const MAX_CHUNKS: usize = 64;

/// The maximum number of connections that are not accepted yet.
const BACKLOG: u32 = 1_024;

/// What a proxy keeps from arriving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// What clients send. The server receives nothing, not even the end of a connection.
    ToServer,
    /// What the server sends. It still receives requests: it executes them, and the client does not
    /// see the result.
    ToClient,
    /// Both.
    Both,
}

/// How connections are treated.
#[derive(Debug, Clone, Copy)]
struct Faults {
    server: SocketAddr,
    stalled: Option<Direction>,
    delay: Duration,
}

impl Faults {
    fn stalls(&self, direction: Direction) -> bool {
        self.stalled.is_some_and(|stalled| stalled == Direction::Both || stalled == direction)
    }
}

/// A proxy on 127.0.0.1. It ends when it is dropped, and resets its connections.
#[derive(Debug)]
pub struct Proxy {
    port: ReservedPort,
    faults: watch::Sender<Faults>,
    connections: Connections,
    /// Accepts connections. `None` while they are refused.
    listening: Mutex<Option<AbortHandle>>,
    runtime: Handle,
    /// Ends the thread when it is dropped.
    running: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts a proxy that forwards connections to a server, for now without a fault. The server
    /// need not run yet.
    pub fn start(server: SocketAddr) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        let (running, ended) = oneshot::channel();
        let thread = std::thread::Builder::new().name("proxy".to_owned());
        let thread = thread
            .spawn(move || {
                // an error when the proxy is dropped
                let _ = runtime.block_on(ended);
            })
            .unwrap();
        let proxy = Self {
            port: ReservedPort::new(),
            faults: watch::Sender::new(Faults { server, stalled: None, delay: Duration::ZERO }),
            connections: Connections::default(),
            listening: Mutex::default(),
            runtime: handle,
            running: Some(running),
            thread: Some(thread),
        };
        proxy.listen();
        proxy
    }

    /// The address for clients. It stays the same.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The number of open connections.
    pub fn connections(&self) -> usize {
        let mut connections = self.connections.lock();
        while connections.try_join_next().is_some() {}
        connections.len()
    }

    /// Resets all connections, on both sides. What the proxy has not forwarded is lost. New
    /// connections are accepted.
    pub fn cut(&self) {
        let mut connections = take(&mut *self.connections.lock());
        self.run(async move { connections.shutdown().await });
    }

    /// Refuses new connections. The open ones continue.
    pub fn refuse(&self) {
        let Some(listening) = lock(&self.listening).take() else { return };
        listening.abort();
        self.run(async move {
            while !listening.is_finished() {
                tokio::task::yield_now().await;
            }
        });
    }

    /// Keeps all connections open, also new ones, and forwards nothing in the direction. What is
    /// sent meanwhile is forwarded after [`resume`](Self::resume).
    pub fn stall(&self, direction: Direction) {
        self.faults.send_modify(|faults| faults.stalled = Some(direction));
    }

    /// Forwards everything later by a duration, in each direction. A direction of a connection
    /// holds back 1 MiB at most, and then the sender has to wait.
    pub fn delay(&self, delay: Duration) {
        self.faults.send_modify(|faults| faults.delay = delay);
    }

    /// Forwards new connections to another server. The open ones continue.
    pub fn set_server(&self, server: SocketAddr) {
        self.faults.send_modify(|faults| faults.server = server);
    }

    /// Ends all faults: accepts connections, and forwards at once.
    pub fn resume(&self) {
        self.faults.send_modify(|faults| {
            faults.stalled = None;
            faults.delay = Duration::ZERO;
        });
        self.listen();
    }

    /// Accepts connections from now on.
    fn listen(&self) {
        let mut listening = lock(&self.listening);
        if listening.is_some() {
            return;
        }
        let address = self.address();
        let (faults, connections) = (self.faults.subscribe(), self.connections.clone());
        *listening = Some(self.run(async move {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_reuseaddr(true).unwrap();
            socket.bind(address).unwrap_or_else(|error| panic!("cannot bind to {address}: {error}"));
            let listener = socket.listen(BACKLOG).unwrap();
            tokio::spawn(accept(listener, faults, connections)).abort_handle()
        }));
    }

    /// Runs a future in the thread of the proxy, and returns its result.
    fn run<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        let (sender, receiver) = std_mpsc::channel();
        self.runtime.spawn(async move {
            // the receiver waits
            let _ = sender.send(future.await);
        });
        receiver.recv().expect("the thread of the proxy runs")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.running.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The tasks of the open connections.
#[derive(Debug, Clone, Default)]
struct Connections(Arc<Mutex<JoinSet<()>>>);

impl Connections {
    fn lock(&self) -> MutexGuard<'_, JoinSet<()>> {
        lock(&self.0)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Accepts connections until the task is aborted.
async fn accept(listener: TcpListener, faults: watch::Receiver<Faults>, connections: Connections) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // too many open files, for example
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let mut connections = connections.lock();
        while connections.try_join_next().is_some() {}
        connections.spawn(serve(client, faults.clone()));
    }
}

/// Forwards a connection until both sides have ended it. If the task is aborted, or one side resets
/// the connection, both sides are reset.
async fn serve(mut client: TcpStream, faults: watch::Receiver<Faults>) {
    reset_when_dropped(&client, true);
    let server = faults.borrow().server;
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    reset_when_dropped(&server, true);
    let (client_reader, client_writer) = client.split();
    let (server_reader, server_writer) = server.split();
    let ended = tokio::try_join!(
        forward(client_reader, server_writer, Direction::ToServer, faults.clone()),
        forward(server_reader, client_writer, Direction::ToClient, faults),
    );
    if ended.is_ok() {
        // otherwise what is still in the buffers of the kernel would be lost
        reset_when_dropped(&client, false);
        reset_when_dropped(&server, false);
    }
}

fn reset_when_dropped(stream: &TcpStream, is_reset: bool) {
    // the proxy must not delay what it carries
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(stream).set_linger(is_reset.then_some(Duration::ZERO));
}

/// Forwards one direction of a connection until its end.
///
/// # Errors
/// One of the sides has reset the connection.
async fn forward(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    direction: Direction,
    mut faults: watch::Receiver<Faults>,
) -> io::Result<()> {
    // The end and a reset are forwarded like the rest: in their order, and with the faults.
    let (sender, mut chunks) = mpsc::channel::<(Instant, io::Result<Vec<u8>>)>(MAX_CHUNKS);
    let read = async {
        loop {
            let mut chunk = vec![0; CHUNK];
            let result = from.read(&mut chunk).await.map(|count| {
                chunk.truncate(count);
                chunk
            });
            let is_last = result.as_ref().map_or(true, Vec::is_empty);
            // the receiver exists as long as this future
            let _ = sender.send((Instant::now(), result)).await;
            if is_last {
                return Ok(());
            }
        }
    };
    let write = async {
        loop {
            let Some((received, chunk)) = chunks.recv().await else { return Ok(()) };
            until_forwarded(received, direction, &mut faults).await;
            let chunk = chunk?;
            if chunk.is_empty() {
                return to.shutdown().await;
            }
            to.write_all(&chunk).await?;
        }
    };
    tokio::try_join!(read, write).map(|_| ())
}

/// Returns once something that was received at this time may be forwarded.
async fn until_forwarded(received: Instant, direction: Direction, faults: &mut watch::Receiver<Faults>) {
    loop {
        let now = *faults.borrow_and_update();
        let due = received + now.delay;
        let changed = if now.stalls(direction) {
            faults.changed().await
        } else if due <= Instant::now() {
            return;
        } else if let Ok(changed) = timeout_at(due, faults.changed()).await {
            changed
        } else {
            return;
        };
        if changed.is_err() {
            // the proxy ends, and this task with it
            std::future::pending::<()>().await;
        }
    }
}
