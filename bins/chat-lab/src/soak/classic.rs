//! A member in the classic dialect. It sends at intervals, and reconnects when its connection ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chat_load::{Faults, Stamp};
use chat_protocol::{RoomName, Username};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Message};

use super::plan::Plan;
use super::state::{Counts, Phase, increment};
use super::stream::StreamChecker;

/// The interval between two messages of a member.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(2);

/// The delay before a refused member connects again.
const RETRY_DELAY: Duration = Duration::from_millis(200);

pub(super) struct ClassicMember {
    server: SocketAddr,
    room: RoomName,
    username: Username,
    publisher: u16,
    size: usize,
}

impl ClassicMember {
    pub(super) fn new(
        plan: &Plan,
        server: SocketAddr,
        room: RoomName,
        username: Username,
        publisher: u16,
    ) -> Self {
        Self { server, room, username, publisher, size: plan.size }
    }

    /// Runs until the soak test is finished. Returns the faults of all connections.
    pub(super) async fn run(self, mut phase: watch::Receiver<Phase>, counts: Arc<Counts>) -> Faults {
        let mut faults = Faults::default();
        let mut count = 0;
        while *phase.borrow() != Phase::Finished {
            // the server refuses while it is down, and while it still holds the name
            match self.connect().await {
                Ok(socket) => faults += self.run_connection(socket, &mut count, &mut phase, &counts).await,
                Err(_) => sleep(RETRY_DELAY).await,
            }
        }
        faults
    }

    async fn connect(&self) -> Result<WebSocketStream<TcpStream>, tungstenite::Error> {
        let stream = TcpStream::connect(self.server).await?;
        let url = format!("ws://{}/ws/chat/{}/{}", self.server, self.room, self.username);
        Ok(tokio_tungstenite::client_async(url, stream).await?.0)
    }

    async fn run_connection(
        &self,
        mut socket: WebSocketStream<TcpStream>,
        count: &mut u32,
        phase: &mut watch::Receiver<Phase>,
        counts: &Counts,
    ) -> Faults {
        let mut stream = StreamChecker::default();
        let mut next = Instant::now() + PUBLISH_INTERVAL.mul_f64(rand::random());
        loop {
            tokio::select! {
                read = socket.next() => match read {
                    Some(Ok(Message::Text(text))) => record(&text, &mut stream, counts),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => break,
                },
                () = sleep_until(next), if *phase.borrow() == Phase::Publish => {
                    next += PUBLISH_INTERVAL;
                    let mut text = Vec::new();
                    Stamp { due: 0, publisher: self.publisher, count: *count }.write(self.size, &mut text);
                    *count += 1;
                    let message = String::from_utf8_lossy(&text);
                    let frame = json!({ "type": "chat_message", "message": message, "username": self.username });
                    if socket.send(Message::text(frame.to_string())).await.is_err() {
                        break;
                    }
                }
                changed = phase.changed() => if changed.is_err() || *phase.borrow() == Phase::Finished {
                    // the connection ends here, whether the server answers or not
                    let _ = socket.close(None).await;
                    break;
                }
            }
        }
        stream.partial_faults()
    }
}

fn record(text: &str, stream: &mut StreamChecker, counts: &Counts) {
    let Ok(frame) = serde_json::from_str::<Value>(text) else {
        return counts.violation("a classic frame cannot be read");
    };
    // joins, leaves and notices have no stamp
    let stamp = frame["message"].as_str().and_then(|text| Stamp::read(text.as_bytes()));
    if let Some(stamp) = stamp.filter(|_| frame["type"] == "chat_message") {
        increment(&counts.delivered_classic);
        stream.record(stamp, None);
    }
}
