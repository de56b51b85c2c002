//! A client that stops reading until the server disconnects it, and then reconnects.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chat_protocol::{RoomName, Username};
use futures::{SinkExt, StreamExt};
use rustix::net::sockopt::set_socket_recv_buffer_size;
use serde_json::json;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{self, Message};

use super::state::{Counts, Phase, end_of, increment};

/// The close code for a reader that is too slow.
const TOO_SLOW: u16 = 4503;

/// The receive buffer while the client does not read: small, so that the server's backlog fills.
const STALLED_BUFFER: u32 = 4 << 10;

/// The receive buffer while the client reads the backlog: large, so that this is fast.
const READING_BUFFER: usize = 1 << 20;

/// The maximum time for reading what both systems have buffered.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// The delay before the client reconnects.
const RECONNECT_DELAY: Duration = Duration::from_secs(1);

pub(super) struct StalledReader {
    pub(super) server: SocketAddr,
    pub(super) room: RoomName,
    pub(super) username: Username,
    /// The same on each connection: the server may not have ended the earlier one yet.
    pub(super) guest_token: String,
    /// How long the client does not read.
    pub(super) stall: Duration,
}

impl StalledReader {
    pub(super) async fn run(self, mut phase: watch::Receiver<Phase>, counts: Arc<Counts>) {
        while *phase.borrow() == Phase::Publish {
            let server_ends = counts.server_ends.load(Ordering::Relaxed);
            if let Ok(socket) = self.join().await {
                let _ = timeout(self.stall, end_of(Phase::Publish, &mut phase)).await;
                match read_to_end(socket).await {
                    End::TooSlow => increment(&counts.slow_readers_disconnected),
                    // unless the server itself has ended
                    End::Broken if counts.server_ends.load(Ordering::Relaxed) == server_ends => {
                        increment(&counts.slow_readers_disconnected);
                    }
                    End::Broken | End::Other => {}
                }
            }
            sleep(RECONNECT_DELAY).await;
        }
    }

    async fn join(&self) -> Result<WebSocketStream<TcpStream>, tungstenite::Error> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(STALLED_BUFFER)?;
        let stream = socket.connect(self.server).await?;
        let mut request = format!("ws://{}/ws", self.server).into_client_request()?;
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("chat.v2"));
        let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await?;
        for frame in [
            json!({ "type": "hello", "username": self.username, "guest_token": self.guest_token }),
            json!({ "type": "join", "room": self.room }),
        ] {
            socket.send(Message::text(frame.to_string())).await?;
        }
        // `welcome` and `joined`
        for _ in 0..2 {
            socket.next().await.ok_or(tungstenite::Error::ConnectionClosed)??;
        }
        Ok(socket)
    }
}

/// How a connection ended that was not read for a while.
enum End {
    /// With the close code for a slow reader.
    TooSlow,
    /// Without a close frame: the server waits a few seconds for the reader to accept it, and a
    /// client that stalls for longer does not receive it.
    Broken,
    /// For another reason, or not at all: the client did not stall for long enough.
    Other,
}

/// Reads what both systems have buffered, up to the end of the connection.
async fn read_to_end(mut socket: WebSocketStream<TcpStream>) -> End {
    // without the larger buffer, reading only takes longer
    let _ = set_socket_recv_buffer_size(socket.get_ref(), READING_BUFFER);
    let read = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(Some(frame)))) if u16::from(frame.code) == TOO_SLOW => {
                    return End::TooSlow;
                }
                Some(Ok(Message::Close(_))) => return End::Other,
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return End::Broken,
            }
        }
    };
    timeout(READ_TIMEOUT, read).await.unwrap_or(End::Other)
}
