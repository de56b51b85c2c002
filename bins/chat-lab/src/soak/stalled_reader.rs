//! A reader that stops reading until the server puts it out, and comes again.

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

use super::shared::{Counts, Phase, end_of, one_more};

/// The code of a reader that is too slow.
const TOO_SLOW: u16 = 4503;

/// How much the system keeps for it, so that the server's backlog is what fills.
const RECEIVE_BUFFER: u32 = 4 << 10;

/// Later it wants to read what has gathered, and soon.
const ROOMY_BUFFER: usize = 1 << 20;

/// How long it may take to read what lies in the buffers of both systems.
const READING: Duration = Duration::from_secs(10);

/// How long to wait before coming again.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Deaf {
    pub(super) server: SocketAddr,
    pub(super) room: RoomName,
    pub(super) username: Username,
    /// For how long it does not read.
    pub(super) pause: Duration,
}

impl Deaf {
    pub(super) async fn live(self, mut phase: watch::Receiver<Phase>, counts: Arc<Counts>) {
        while *phase.borrow() == Phase::Speak {
            let ends = counts.ends.load(Ordering::Relaxed);
            if let Ok(socket) = self.enter().await {
                let _ = timeout(self.pause, end_of(Phase::Speak, &mut phase)).await;
                match end(socket).await {
                    End::TooSlow => one_more(&counts.put_out),
                    // unless it ended with the server
                    End::Broken if counts.ends.load(Ordering::Relaxed) == ends => one_more(&counts.put_out),
                    End::Broken | End::Other => {}
                }
            }
            sleep(PAUSE).await;
        }
    }

    async fn enter(&self) -> Result<WebSocketStream<TcpStream>, tungstenite::Error> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        let stream = socket.connect(self.server).await?;
        let mut request = format!("ws://{}/ws", self.server).into_client_request()?;
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("chat.v2"));
        let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await?;
        for frame in [
            json!({ "type": "hello", "username": self.username }),
            json!({ "type": "join", "room": self.room }),
        ] {
            socket.send(Message::text(frame.to_string())).await?;
        }
        // welcome, joined
        for _ in 0..2 {
            socket.next().await.ok_or(tungstenite::Error::ConnectionClosed)??;
        }
        Ok(socket)
    }
}

/// How a connection ended that was not read for a while.
enum End {
    /// It was told that it is too slow.
    TooSlow,
    /// It just ended: the server gives the close frame a few seconds, and who is deaf for longer does not see it.
    Broken,
    /// It was closed for another reason, or not at all: it was not deaf for long enough.
    Other,
}

/// Reads what the systems have kept until the end, or closes where there is none.
async fn end(mut socket: WebSocketStream<TcpStream>) -> End {
    // it is only slower without
    let _ = set_socket_recv_buffer_size(socket.get_ref(), ROOMY_BUFFER);
    let read_to_the_end = async {
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
    timeout(READING, read_to_the_end).await.unwrap_or(End::Other)
}
