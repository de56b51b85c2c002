//! Real servers on loopback, on the thread of the fuzz target. Each is started once and used for
//! all inputs.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use chat_history::MemoryHistory;
use chat_presence::{MemoryPresence, NodeId};
use chat_rooms::Engine;
use chat_server::{Config, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::yield_now;

/// The maximum time for an exchange. A server that takes longer counts as hung.
const PATIENCE: Duration = Duration::from_secs(20);

/// The maximum number of pieces into which bytes are split.
const MAX_PIECES: usize = 64;

/// The number of turns of the runtime after which the server has read what was written.
const TURNS: usize = 4;

/// A server in this process.
pub(crate) struct LocalServer {
    pub(crate) address: SocketAddr,
    pub(crate) engine: Engine,
}

/// A runtime that polls its sockets in every turn.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().event_interval(1).build().expect("a runtime")
}

impl LocalServer {
    /// Starts a server that runs as long as its runtime, without rate limits and limits per
    /// address.
    pub(crate) async fn start(mut config: Config) -> Self {
        config.limits.message_rate = 0;
        config.joins.per_second = 0;
        config.connections_per_address = 0;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let presence = MemoryPresence::new(NodeId::new("here"));
        let server =
            Server::new(listener, presence, MemoryHistory::new(), config).await.expect("memory answers");
        let (address, engine) = (server.local_addr().expect("an address"), server.engine().clone());
        tokio::spawn(server.run(std::future::pending()));
        Self { address, engine }
    }

    /// Sends these pieces, shuts down the sending side, and returns everything that the server
    /// sends.
    pub(crate) async fn exchange<'a>(&self, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
        let exchange = async {
            let stream = TcpStream::connect(self.address).await.expect("the server accepts");
            let (mut reader, mut writer) = stream.into_split();
            let send = async {
                for piece in pieces {
                    // the server may have closed the connection
                    if writer.write_all(piece).await.is_err() {
                        break;
                    }
                    for _ in 0..TURNS {
                        yield_now().await;
                    }
                }
                let _ = writer.shutdown().await;
            };
            let mut answer = Vec::new();
            let receive = async {
                match reader.read_to_end(&mut answer).await {
                    Err(error) if error.kind() != io::ErrorKind::ConnectionReset => panic!("{error}"),
                    _ => {}
                }
            };
            tokio::join!(send, receive);
            answer
        };
        tokio::time::timeout(PATIENCE, exchange).await.expect("the server ends the connection")
    }
}

/// The bytes in one piece.
pub(crate) fn whole(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::once(bytes)
}

/// The bytes in pieces of pseudo-random sizes.
pub(crate) fn split(mut bytes: &[u8], mut seed: u8) -> impl Iterator<Item = &[u8]> {
    let mut left = MAX_PIECES;
    std::iter::from_fn(move || {
        left = left.saturating_sub(1);
        seed = seed.wrapping_mul(5).wrapping_add(29);
        let length = if left == 0 { bytes.len() } else { usize::from(seed % 23) + 1 };
        let (piece, rest) = bytes.split_at(length.min(bytes.len()));
        bytes = rest;
        (!piece.is_empty()).then_some(piece)
    })
}
