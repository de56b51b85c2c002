//! A member of `chat.v2`, by `chat-client`, as a program of a user's own would be one: it hears everything, over all breaks of its connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chat_client::{Client, Closed, ConnectError, Event, Events, JoinOptions, Options, Page};
use chat_protocol::v2::StoredMessage;
use chat_protocol::{RoomName, Username};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

use super::plan::Plan;
use super::shared::{Counts, Phase, one_more};
use super::stream::Stream;
use chat_load::Stamp;

/// So many events may wait while the history is read.
const EVENTS: usize = 16 << 10;

/// Messages of a page of the history.
const PAGE: u64 = 100;

/// How long it is tried to read the history, and how long to wait in between.
const READING: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

/// It can't be in its room.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnterError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Join(#[from] chat_client::CommandError),
}

/// What a member has said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Speech {
    pub(super) publisher: u16,
    pub(super) count: u32,
    /// The room's number of the newest.
    pub(super) newest: u64,
}

pub(super) struct Member {
    client: Client,
    room: RoomName,
    /// The room's number of the newest message that it has heard.
    newest: Arc<AtomicU64>,
    listening: JoinHandle<Stream>,
}

impl Member {
    pub(super) async fn enter(
        url: String,
        username: Username,
        room: RoomName,
        counts: Arc<Counts>,
    ) -> Result<Self, EnterError> {
        let options = Options::new(url, username).event_buffer(EVENTS);
        let (client, events) = Client::connect(options).await?;
        let joined = client.join(&room, JoinOptions::default()).await?;
        let newest = Arc::new(AtomicU64::new(joined.seq));
        let listener = Listener {
            client: client.clone(),
            room: room.clone(),
            stream: Stream::behind(joined.seq),
            newest: Arc::clone(&newest),
            counts,
        };
        let listening = tokio::spawn(listener.listen(events));
        Ok(Self { client, room, newest, listening })
    }

    pub(super) fn newest(&self) -> u64 {
        self.newest.load(Ordering::Relaxed)
    }

    /// Speaks until the phase is over and everything is acked.
    pub(super) fn speak(
        &self,
        publisher: u16,
        plan: &Plan,
        phase: watch::Receiver<Phase>,
        counts: Arc<Counts>,
    ) -> JoinHandle<Speech> {
        let (client, room, size) = (self.client.clone(), self.room.clone(), plan.size);
        let every = plan.every();
        tokio::spawn(async move {
            let mut acks = JoinSet::new();
            // those of a room do not speak all at once
            let mut next = Instant::now() + every.mul_f64(rand::random());
            let mut count = 0;
            while *phase.borrow() == Phase::Speak {
                sleep_until(next).await;
                next += every;
                let mut text = Vec::new();
                Stamp { due: 0, publisher, count }.put(size, &mut text);
                let mut receipt = client.send(&room, String::from_utf8_lossy(&text));
                count += 1;
                one_more(&counts.sent);
                if let Err(error) = receipt.accepted().await {
                    counts.wrong(format!("a message was refused: {error}"));
                }
                let counts = Arc::clone(&counts);
                acks.spawn(async move {
                    match receipt.await {
                        Ok(ack) => {
                            one_more(&counts.acked);
                            ack.seq
                        }
                        Err(error) => {
                            counts.wrong(format!("a message was not acked: {error}"));
                            0
                        }
                    }
                });
                while acks.try_join_next().is_some() {}
            }
            let newest = acks.join_all().await.into_iter().max().unwrap_or_default();
            Speech { publisher, count, newest }
        })
    }

    /// Leaves, and gives what was heard; none where nobody listens any more.
    pub(super) async fn leave(self) -> Option<Stream> {
        self.client.close().await;
        self.listening.await.ok()
    }
}

/// Listens to one room.
struct Listener {
    client: Client,
    room: RoomName,
    stream: Stream,
    newest: Arc<AtomicU64>,
    counts: Arc<Counts>,
}

impl Listener {
    /// Until the client is closed.
    async fn listen(mut self, mut events: Events) -> Stream {
        while let Some(event) = events.next().await {
            match event {
                Event::Message { message, .. } => self.hear(&message),
                Event::Connected(_) => one_more(&self.counts.came_back),
                Event::Gap(gap) if gap.epoch_changed => {
                    self.counts.wrong("the history of the room was replaced");
                }
                Event::Gap(gap) => self.read(gap.last_seen, gap.resumes_at).await,
                Event::Left { reason, .. } => self.counts.wrong(format!("a member was removed: {reason:?}")),
                Event::RejoinRefused { message, .. } => {
                    self.counts.wrong(format!("a member could not rejoin: {message}"));
                }
                Event::Closed(Closed::Asked) => {}
                Event::Closed(why) => self.counts.wrong(format!("a session was closed: {why:?}")),
                // a hole is seen in the numbers
                _ => {}
            }
        }
        self.stream
    }

    fn hear(&mut self, message: &StoredMessage) {
        one_more(&self.counts.delivered);
        let seq = message.seq();
        match message {
            StoredMessage::Said { body, .. } => match Stamp::read(body.as_bytes()) {
                Some(stamp) => self.stream.hear(stamp, Some(seq)),
                None => self.counts.wrong("a message is not from this test"),
            },
            StoredMessage::Erased { .. } => self.counts.wrong("a message was erased"),
        }
        self.newest.store(seq, Ordering::Relaxed);
    }

    /// Reads what is more than the server hands out to who comes back. Live messages wait meanwhile.
    async fn read(&mut self, last_seen: u64, resumes_at: u64) {
        let (mut last, by) = (last_seen, Instant::now() + READING);
        while last + 1 < resumes_at {
            if Instant::now() > by {
                return self.counts.wrong("the history cannot be read");
            }
            match self.client.history(&self.room, Page::After { seq: last, limit: PAGE }).await {
                Ok(page) => {
                    one_more(&self.counts.pages);
                    for message in page.messages.iter().filter(|message| message.seq() < resumes_at) {
                        self.hear(message);
                        last = message.seq();
                    }
                }
                // the connection broke: the client is about to come back
                Err(_) => sleep(PAUSE).await,
            }
        }
    }
}
