//! A member in the classic dialect: it says something now and then, and enters again when its connection ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chat_protocol::{RoomName, Username};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Message};

use super::plan::Plan;
use super::shared::{Counts, Phase, one_more};
use super::stream::Stream;
use chat_load::{Faults, Stamp};

/// A person types about so fast.
const EVERY: Duration = Duration::from_secs(2);

/// How long to wait before entering again.
const PAUSE: Duration = Duration::from_millis(200);

pub(super) struct Classic {
    pub(super) server: SocketAddr,
    pub(super) room: RoomName,
    pub(super) username: Username,
    pub(super) publisher: u16,
    pub(super) size: usize,
}

impl Classic {
    pub(super) fn new(
        plan: &Plan,
        server: SocketAddr,
        room: RoomName,
        username: Username,
        publisher: u16,
    ) -> Self {
        Self { server, room, username, publisher, size: plan.size }
    }

    /// Is there until all is over. Gives what was wrong with what it heard, connection by connection.
    pub(super) async fn live(self, mut phase: watch::Receiver<Phase>, counts: Arc<Counts>) -> Faults {
        let mut faults = Faults::default();
        let mut count = 0;
        while *phase.borrow() != Phase::Over {
            // while the server is down, or takes the name for still held, it does not let in
            match self.enter().await {
                Ok(socket) => faults += self.stay(socket, &mut count, &mut phase, &counts).await,
                Err(_) => sleep(PAUSE).await,
            }
        }
        faults
    }

    async fn enter(&self) -> Result<WebSocketStream<TcpStream>, tungstenite::Error> {
        let stream = TcpStream::connect(self.server).await?;
        let url = format!("ws://{}/ws/chat/{}/{}", self.server, self.room, self.username);
        Ok(tokio_tungstenite::client_async(url, stream).await?.0)
    }

    async fn stay(
        &self,
        mut socket: WebSocketStream<TcpStream>,
        count: &mut u32,
        phase: &mut watch::Receiver<Phase>,
        counts: &Counts,
    ) -> Faults {
        let mut stream = Stream::default();
        let mut next = Instant::now() + EVERY.mul_f64(rand::random());
        loop {
            tokio::select! {
                read = socket.next() => match read {
                    Some(Ok(Message::Text(text))) => hear(&text, &mut stream, counts),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => break,
                },
                () = sleep_until(next), if *phase.borrow() == Phase::Speak => {
                    next += EVERY;
                    let mut text = Vec::new();
                    Stamp { due: 0, publisher: self.publisher, count: *count }.put(self.size, &mut text);
                    *count += 1;
                    let message = String::from_utf8_lossy(&text);
                    let frame = json!({ "type": "chat_message", "message": message, "username": self.username });
                    if socket.send(Message::text(frame.to_string())).await.is_err() {
                        break;
                    }
                }
                changed = phase.changed() => if changed.is_err() || *phase.borrow() == Phase::Over {
                    // the answer is of no interest any more
                    let _ = socket.close(None).await;
                    break;
                }
            }
        }
        stream.in_between()
    }
}

fn hear(text: &str, stream: &mut Stream, counts: &Counts) {
    let Ok(frame) = serde_json::from_str::<Value>(text) else {
        return counts.wrong("a classic frame cannot be read");
    };
    // entering, leaving and what the server itself says have no stamp
    let stamp = frame["message"].as_str().and_then(|text| Stamp::read(text.as_bytes()));
    if let Some(stamp) = stamp.filter(|_| frame["type"] == "chat_message") {
        one_more(&counts.delivered_classic);
        stream.hear(stamp, None);
    }
}
