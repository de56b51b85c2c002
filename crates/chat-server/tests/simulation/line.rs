//! A client's way to the server: bytes go through it in pieces, late, not at all, or until it is cut.

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

/// Where the server is, while it is up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Address(Arc<Mutex<Option<SocketAddr>>>);

impl Address {
    pub(crate) fn set(&self, address: Option<SocketAddr>) {
        *self.0.lock() = address;
    }
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    ToServer,
    ToClient,
}

/// What one client's lines are like, this one and those to come.
pub(crate) struct Weather {
    sky: Mutex<Sky>,
    /// Rung when the line is cut.
    cut: Notify,
}

struct Sky {
    rng: SmallRng,
    /// How late a piece is at most, in milliseconds.
    latest_ms: u64,
    /// For so many turns nothing passes, by way.
    shut: [Duration; 2],
}

impl Weather {
    pub(crate) fn new(seed: u64) -> Self {
        let sky = Sky { rng: SmallRng::seed_from_u64(seed), latest_ms: 0, shut: [Duration::ZERO; 2] };
        Self { sky: Mutex::new(sky), cut: Notify::new() }
    }

    /// Ends the connection, if there is one.
    pub(crate) fn cut(&self) {
        self.cut.notify_waiters();
    }

    /// Pieces are this late from now on.
    pub(crate) fn delay(&self, latest_ms: u64) {
        self.sky.lock().latest_ms = latest_ms;
    }

    /// The next piece that goes this way waits for so long.
    pub(crate) fn shut(&self, way: Way, time: Duration) {
        self.sky.lock().shut[way as usize] = time;
    }

    /// How large the next piece may be.
    fn piece(&self) -> usize {
        self.sky.lock().rng.random_range(1..=2_000)
    }

    /// Resolves when a piece is through.
    async fn passes(&self, way: Way) {
        let late = {
            let mut sky = self.sky.lock();
            let latest = sky.latest_ms;
            std::mem::take(&mut sky.shut[way as usize])
                + Duration::from_millis(sky.rng.random_range(0..=latest))
        };
        if !late.is_zero() {
            sleep_until(Instant::now() + late).await;
        }
    }

    async fn carry(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        way: Way,
    ) -> io::Result<()> {
        let mut buffer = vec![0; 2_000];
        loop {
            let most = self.piece();
            let count = from.read(&mut buffer[..most]).await?;
            self.passes(way).await;
            if count == 0 {
                return Ok(());
            }
            to.write_all(&buffer[..count]).await?;
        }
    }
}

/// Connects to the server.
pub(crate) async fn connect(address: &Address, weather: &Arc<Weather>) -> io::Result<DuplexStream> {
    // a turn: the server sees who comes only when it is its turn
    sleep(Duration::from_millis(1)).await;
    let server = (*address.0.lock()).ok_or(io::ErrorKind::ConnectionRefused)?;
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let (near, far) = duplex(64 << 10);
    tokio::spawn(join(far, stream, Arc::clone(weather)));
    Ok(near)
}

/// Carries bytes both ways until one side ends, or the line is cut.
async fn join(client: DuplexStream, mut server: TcpStream, weather: Arc<Weather>) {
    let (from_client, to_client) = tokio::io::split(client);
    let (from_server, to_server) = server.split();
    tokio::select! {
        biased;
        () = weather.cut.notified() => {}
        _ = weather.carry(from_client, to_server, Way::ToServer) => {}
        _ = weather.carry(from_server, to_client, Way::ToClient) => {}
    }
}
