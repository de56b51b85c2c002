//! A client's link to the server, which splits, delays and stalls data, and can be cut.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

/// The address of the server, while it is up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Address(Arc<Mutex<Option<SocketAddr>>>);

impl Address {
    pub(crate) fn set(&self, address: Option<SocketAddr>) {
        *self.0.lock() = address;
    }
}

/// A direction of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    ToServer,
    ToClient,
}

/// The link of one client, for its current and later connections.
pub(crate) struct Link {
    state: Mutex<State>,
    /// Notified when the link is cut.
    cut: Notify,
}

struct State {
    rng: SmallRng,
    /// The maximum delay of a piece, in milliseconds.
    max_delay_ms: u64,
    /// How long the next piece in each direction is stalled.
    stall: [Duration; 2],
}

impl Link {
    pub(crate) fn new(seed: u64) -> Self {
        let state = State { rng: SmallRng::seed_from_u64(seed), max_delay_ms: 0, stall: [Duration::ZERO; 2] };
        Self { state: Mutex::new(state), cut: Notify::new() }
    }

    /// Cuts the connection, if there is one.
    pub(crate) fn cut(&self) {
        self.cut.notify_waiters();
    }

    /// Delays pieces by up to this long from now on.
    pub(crate) fn delay(&self, max_delay_ms: u64) {
        self.state.lock().max_delay_ms = max_delay_ms;
    }

    /// Stalls the next piece in this direction for this long.
    pub(crate) fn stall(&self, direction: Direction, time: Duration) {
        self.state.lock().stall[direction as usize] = time;
    }

    /// The maximum size of the next piece.
    fn max_piece(&self) -> usize {
        self.state.lock().rng.random_range(1..=2_000)
    }

    /// Waits until a piece may pass.
    async fn wait(&self, direction: Direction) {
        let delay = {
            let mut state = self.state.lock();
            let max_delay_ms = state.max_delay_ms;
            std::mem::take(&mut state.stall[direction as usize])
                + Duration::from_millis(state.rng.random_range(0..=max_delay_ms))
        };
        if !delay.is_zero() {
            sleep_until(Instant::now() + delay).await;
        }
    }

    async fn forward(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        direction: Direction,
    ) -> io::Result<()> {
        let mut buffer = vec![0; 2_000];
        loop {
            let max_piece = self.max_piece();
            let count = from.read(&mut buffer[..max_piece]).await?;
            self.wait(direction).await;
            if count == 0 {
                return Ok(());
            }
            to.write_all(&buffer[..count]).await?;
        }
    }
}

/// Connects to the server.
pub(crate) async fn connect(address: &Address, link: &Arc<Link>) -> io::Result<DuplexStream> {
    // wait for a turn: the server accepts connections only in its own turn
    sleep(Duration::from_millis(1)).await;
    let server = (*address.0.lock()).ok_or(io::ErrorKind::ConnectionRefused)?;
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let (near, far) = duplex(64 << 10);
    tokio::spawn(join(far, stream, Arc::clone(link)));
    Ok(near)
}

/// Forwards bytes in both directions until one side ends or the link is cut.
async fn join(client: DuplexStream, mut server: TcpStream, link: Arc<Link>) {
    let (from_client, to_client) = tokio::io::split(client);
    let (from_server, to_server) = server.split();
    tokio::select! {
        biased;
        () = link.cut.notified() => {}
        _ = link.forward(from_client, to_server, Direction::ToServer) => {}
        _ = link.forward(from_server, to_client, Direction::ToClient) => {}
    }
}
