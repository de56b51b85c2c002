//! A member in `chat.v2`, by `chat-client`, like a program of a user. It receives every message,
//! although its connection breaks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chat_client::{Client, Closed, ConnectError, Event, Events, JoinOptions, Joined, Options, Page};
use chat_load::Stamp;
use chat_protocol::v2::StoredMessage;
use chat_protocol::{RoomName, Username};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

use super::plan::Plan;
use super::state::{Counts, Phase, increment};
use super::stream::StreamChecker;

/// The maximum number of unread events while history is read.
const EVENT_BUFFER: usize = 16 << 10;

/// The number of messages of a page of history.
const PAGE_LIMIT: u64 = 100;

/// The maximum time for reading history, and the delay after a failed attempt.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// A member could not join its room.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JoinError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Join(#[from] chat_client::CommandError),
}

/// What a publisher has sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Published {
    pub(super) publisher: u16,
    pub(super) count: u32,
    /// The room's number of the newest message.
    pub(super) newest: u64,
}

pub(super) struct Member {
    client: Client,
    room: RoomName,
    /// The room's number of the newest message that this member has received.
    newest: Arc<AtomicU64>,
    receiving: JoinHandle<StreamChecker>,
}

impl Member {
    pub(super) async fn join(
        url: String,
        username: Username,
        room: RoomName,
        counts: Arc<Counts>,
    ) -> Result<Self, JoinError> {
        let options = Options::new(url, username).event_buffer(EVENT_BUFFER);
        let (client, events) = Client::connect(options).await?;
        let joined = client.join(&room, JoinOptions::default()).await?;
        let newest = Arc::new(AtomicU64::new(joined.seq));
        let receiver = Receiver {
            client: client.clone(),
            room: room.clone(),
            stream: StreamChecker::after(joined.seq),
            newest: Arc::clone(&newest),
            counts,
        };
        let receiving = tokio::spawn(receiver.run(events));
        Ok(Self { client, room, newest, receiving })
    }

    pub(super) fn newest(&self) -> u64 {
        self.newest.load(Ordering::Relaxed)
    }

    /// Sends at intervals until the phase is over, and returns once everything is acked.
    pub(super) fn publish(
        &self,
        publisher: u16,
        plan: &Plan,
        phase: watch::Receiver<Phase>,
        counts: Arc<Counts>,
    ) -> JoinHandle<Published> {
        let (client, room, size) = (self.client.clone(), self.room.clone(), plan.size);
        let interval = plan.publish_interval();
        tokio::spawn(async move {
            let mut acks = JoinSet::new();
            // the publishers of a room do not send at the same time
            let mut next = Instant::now() + interval.mul_f64(rand::random());
            let mut count = 0;
            while *phase.borrow() == Phase::Publish {
                sleep_until(next).await;
                next += interval;
                let mut text = Vec::new();
                Stamp { due: 0, publisher, count }.write(size, &mut text);
                let mut receipt = client.send(&room, String::from_utf8_lossy(&text));
                count += 1;
                increment(&counts.sent);
                if let Err(error) = receipt.accepted().await {
                    counts.violation(format!("a message was refused: {error}"));
                }
                let counts = Arc::clone(&counts);
                acks.spawn(async move {
                    match receipt.await {
                        Ok(ack) => {
                            increment(&counts.acked);
                            ack.seq
                        }
                        Err(error) => {
                            counts.violation(format!("a message was not acked: {error}"));
                            0
                        }
                    }
                });
                while acks.try_join_next().is_some() {}
            }
            let newest = acks.join_all().await.into_iter().max().unwrap_or_default();
            Published { publisher, count, newest }
        })
    }

    /// Disconnects, and returns what was received. `None` if the receiving task panicked.
    pub(super) async fn leave(self) -> Option<StreamChecker> {
        self.client.close().await;
        self.receiving.await.ok()
    }
}

/// Receives the events of one room.
struct Receiver {
    client: Client,
    room: RoomName,
    stream: StreamChecker,
    newest: Arc<AtomicU64>,
    counts: Arc<Counts>,
}

impl Receiver {
    /// Runs until the client is closed.
    async fn run(mut self, mut events: Events) -> StreamChecker {
        while let Some(event) = events.next().await {
            match event {
                Event::Message { message, .. } => self.record(&message),
                Event::Connected(_) => increment(&self.counts.sessions),
                Event::Joined(joined) if !joined.recovered => self.read_missed(&joined).await,
                Event::Left { reason, .. } => {
                    self.counts.violation(format!("a member was removed: {reason:?}"));
                }
                Event::RejoinRefused { message, .. } => {
                    self.counts.violation(format!("a member could not rejoin: {message}"));
                }
                Event::Closed(Closed::Requested) => {}
                Event::Closed(reason) => {
                    self.counts.violation(format!("a session was closed: {reason:?}"));
                }
                // the checker detects gaps by the numbers
                _ => {}
            }
        }
        self.stream
    }

    fn record(&mut self, message: &StoredMessage) {
        increment(&self.counts.delivered);
        let seq = message.seq();
        match message {
            StoredMessage::Text { body, .. } => match Stamp::read(body.as_bytes()) {
                Some(stamp) => self.stream.record(stamp, Some(seq)),
                None => self.counts.violation("a message is not from this test"),
            },
            StoredMessage::Deleted { .. } => self.counts.violation("a message was deleted"),
        }
        self.newest.store(seq, Ordering::Relaxed);
    }

    /// Reads the messages that a reconnect could not recover. Live messages wait meanwhile.
    async fn read_missed(&mut self, joined: &Joined) {
        let Some(since) = &joined.since else { return };
        if since.epoch != joined.epoch {
            return self.counts.violation("the history of the room was replaced");
        }
        let (mut last, deadline) = (since.seq, Instant::now() + READ_TIMEOUT);
        while last < joined.seq {
            if Instant::now() > deadline {
                return self.counts.violation("the history cannot be read");
            }
            match self.client.history(&self.room, Page::After { seq: last, limit: PAGE_LIMIT }).await {
                Ok(page) => {
                    increment(&self.counts.pages);
                    for message in page.messages.iter().filter(|message| message.seq() <= joined.seq) {
                        self.record(message);
                    }
                    last = if page.more { page.last } else { joined.seq };
                }
                // the connection broke, and the client reconnects
                Err(_) => sleep(RETRY_DELAY).await,
            }
        }
    }
}
