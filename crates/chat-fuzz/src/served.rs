//! Real servers on loopback, on the thread that asks them: started once, and asked again and again.

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

/// Whatever is sent is answered, and done with, within this; a server that takes longer has been stopped by it.
const PATIENCE: Duration = Duration::from_secs(20);

/// The most pieces that bytes are cut into.
const MAX_PIECES: usize = 64;

/// So many turns of the runtime, and whatever was written has been read.
const TURNS: usize = 4;

/// A server in this process.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) engine: Engine,
}

/// A runtime that looks at its sockets each turn.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().event_interval(1).build().expect("a runtime")
}

impl Served {
    /// Starts one that runs for as long as its runtime. Nothing is paced, and nobody is limited by address.
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

    /// Sends these bytes in these pieces, sends nothing more, and gives all that comes back.
    pub(crate) async fn answer<'a>(&self, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
        let talk = async {
            let stream = TcpStream::connect(self.address).await.expect("it accepts");
            let (mut from, mut to) = stream.into_split();
            let send = async {
                for piece in pieces {
                    // it may have hung up
                    if to.write_all(piece).await.is_err() {
                        break;
                    }
                    for _ in 0..TURNS {
                        yield_now().await;
                    }
                }
                let _ = to.shutdown().await;
            };
            let mut answer = Vec::new();
            let receive = async {
                match from.read_to_end(&mut answer).await {
                    Err(error) if error.kind() != io::ErrorKind::ConnectionReset => panic!("{error}"),
                    _ => {}
                }
            };
            tokio::join!(send, receive);
            answer
        };
        tokio::time::timeout(PATIENCE, talk).await.expect("it ends the connection")
    }
}

/// The bytes in one piece.
pub(crate) fn whole(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::once(bytes)
}

/// The bytes cut somewhere.
pub(crate) fn cut(mut bytes: &[u8], mut seed: u8) -> impl Iterator<Item = &[u8]> {
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
