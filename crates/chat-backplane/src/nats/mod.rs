//! A backplane through NATS (feature `nats`).
//!
//! Core NATS carries the messages: it is fast, and keeps nothing. The client library has one queue
//! per subscription; one task moves what arrives into the queue of the receiver.

mod connect;
mod driver;
mod options;
mod publisher;
mod round_trip;
mod shared;
mod subject;
mod topics;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

pub use options::{InvalidOptions, NatsOptions};

use crate::incoming::channel_with;
use crate::metrics::Meters;
use crate::{Backplane, MAX_MESSAGE, PublishError, Receiver, SubscribeError, Topic};
use options::Checked;
use publisher::{Outbox, Outgoing};
use round_trip::{Ended, RoundTrips};
use shared::Shared;
use subject::Subjects;

/// How long a subscription may take to be confirmed.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long closing may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// New streams on their way to the pump.
const NEW_STREAMS: usize = 64;

/// A backplane through NATS: see [`NatsOptions`].
///
/// It has two connections to the server. The second one only proves that the server has processed
/// what the first one has sent.
///
/// It connects in the background, and again whenever the connection is lost, with up to 2 s between
/// two attempts. The receiver has [`Connected`](crate::Incoming::Connected) when the connection is
/// there.
///
/// # Limits
/// The queue of messages to publish has up to 4,096 messages and 16 MiB. While there is no
/// connection, messages are not queued but refused. A message that was queued for more than 2 s is
/// dropped. After a reconnect, up to 64 messages that the client library had already taken are sent
/// late.
///
/// # Subscriptions
/// A subscription is confirmed by the server to which this node is connected. In a cluster of NATS
/// servers, another server may learn of it some milliseconds later.
pub struct NatsBackplane {
    shared: Arc<Shared>,
    subjects: Subjects,
    outbox: Outbox,
    /// Ends when the task that runs the backplane has ended.
    running: watch::Receiver<()>,
    task: AbortHandle,
}

impl fmt::Debug for NatsBackplane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsBackplane").field("link", &*self.shared.link.borrow()).finish_non_exhaustive()
    }
}

impl NatsBackplane {
    /// Starts a backplane, which connects in the background. The files of the options are read
    /// here, for which this blocks shortly.
    ///
    /// If the process has no default cryptography for TLS, this sets *ring*.
    ///
    /// ```no_run
    /// use chat_backplane::{Backplane, Incoming, NatsBackplane, NatsOptions, Topic};
    ///
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let options = NatsOptions::new("nats://nats.example:4222").token("secret").name("chat-1");
    /// let (backplane, mut receiver) = NatsBackplane::start(options)?;
    /// // not connected yet: `Connected` follows
    /// let _ = backplane.subscribe(Topic::All).await;
    /// while let Some(incoming) = receiver.recv().await {
    ///     match incoming {
    ///         Incoming::Message { topic, message } => println!("{topic}: {message:?}"),
    ///         Incoming::Connected | Incoming::Missed { .. } => println!("read the database"),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`InvalidOptions`] if the options are not valid. A server that cannot be reached is not an
    /// error.
    ///
    /// # Panics
    /// If there is no tokio runtime.
    pub fn start(options: NatsOptions) -> Result<(Self, Receiver), InvalidOptions> {
        let checked = options.check()?;
        // without it the library would panic if more than one is compiled in
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // an error if another thread was faster
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let meters = Meters::new();
        let (sender, receiver) = channel_with(checked.receiver, meters.clone());
        let shared = Arc::new(Shared::new(sender, meters));
        let subjects = checked.subjects.clone();
        let (outbox, queue) = Outbox::new();
        let (runs, running) = watch::channel(());
        let end = End(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            let (_runs, end) = (runs, end);
            // it ends early only if a task panics or the client's own task does
            if run(Arc::clone(&end.0), checked, queue).await.is_err() && !end.0.is_closed() {
                tracing::error!("the connection to NATS has ended, and is not made again");
            }
        });
        let backplane = Self { shared, subjects, outbox, running, task: task.abort_handle() };
        Ok((backplane, receiver))
    }

    fn try_publish(&self, topic: &Topic, message: Bytes) -> Result<(), PublishError> {
        if message.len() > MAX_MESSAGE {
            return Err(PublishError::TooLarge { size: message.len() });
        }
        if self.outbox.is_closed() {
            return Err(PublishError::Closed);
        }
        if !self.shared.link.borrow().is_up {
            return Err(PublishError::NotConnected);
        }
        self.outbox.push(self.subjects.of(topic), message)
    }

    /// Resolves when a subscription is active, and the connection with it.
    async fn confirmed(&self, waiting: &mut Option<oneshot::Receiver<()>>) -> Result<(), SubscribeError> {
        if let Some(waiting) = waiting {
            // removed: by another caller, or at the end
            waiting.await.map_err(|_| self.removed())?;
        }
        let mut link = self.shared.link.subscribe();
        link.wait_for(|link| link.is_announced).await.map_err(|_| SubscribeError::Closed)?;
        Ok(())
    }

    fn removed(&self) -> SubscribeError {
        if self.outbox.is_closed() || self.shared.is_closed() {
            SubscribeError::Closed
        } else {
            SubscribeError::Unsubscribed
        }
    }
}

impl Backplane for NatsBackplane {
    fn publish(&self, topic: &Topic, message: Bytes) -> Result<(), PublishError> {
        self.try_publish(topic, message).inspect_err(|error| self.shared.meters.dropped((*error).into()))
    }

    fn subscribe(&self, topic: Topic) -> BoxFuture<'_, Result<(), SubscribeError>> {
        async move {
            if self.outbox.is_closed() {
                return Err(SubscribeError::Closed);
            }
            // before the state of the connection is read: if it is down now, the driver sees the
            // topic when it is up again
            let mut waiting = self.shared.topics.lock().subscribe(topic);
            self.shared.changed.notify_one();
            let mut link = self.shared.link.subscribe();
            let result = timeout(SUBSCRIBE_TIMEOUT, async {
                tokio::select! {
                    biased;
                    confirmed = self.confirmed(&mut waiting) => confirmed,
                    _ = link.wait_for(|link| !link.is_up) => Err(SubscribeError::NotConnected),
                }
            });
            match result.await {
                Ok(result) => result,
                Err(_) if was_confirmed(waiting) && self.is_connected() => Ok(()),
                Err(_) => Err(SubscribeError::TimedOut),
            }
        }
        .boxed()
    }

    fn unsubscribe(&self, topic: &Topic) {
        self.shared.topics.lock().unsubscribe(topic);
    }

    /// A connection that breaks without a sign is noticed after three
    /// [ping intervals](NatsOptions::ping_interval).
    fn is_connected(&self) -> bool {
        self.shared.link.borrow().is_announced
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async move {
            self.outbox.close();
            let mut running = self.running.clone();
            // an error when the task has ended
            let _ = timeout(CLOSE_TIMEOUT, async { while running.changed().await.is_ok() {} }).await;
            self.task.abort();
            while running.changed().await.is_ok() {}
        }
        .boxed()
    }
}

impl Drop for NatsBackplane {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whether the confirmation has come just now. From here on nothing is sent to this caller, so the
/// driver notifies the receiver instead.
fn was_confirmed(waiting: Option<oneshot::Receiver<()>>) -> bool {
    waiting.is_some_and(|mut waiting| {
        waiting.close();
        waiting.try_recv().is_ok()
    })
}

/// Ends what callers and the receiver wait for, when the task ends in whatever way.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.is_closed.store(true, Ordering::Release);
        self.0.topics.lock().clear();
        // first: the end is not a connection that was lost
        self.0.incoming.close();
        self.0.link_down();
    }
}

/// Runs a backplane until its queue of messages to publish is closed and sent.
async fn run(shared: Arc<Shared>, checked: Checked, queue: mpsc::Receiver<Outgoing>) -> Result<(), Ended> {
    let Checked { servers, options, subjects, .. } = checked;
    let id = format!("{:016x}", rand::random::<u64>());
    let client = connect::connect(options.clone(), &servers, &shared).await.map_err(|_| Ended)?;
    let second = connect::connect_second(options, &servers, &shared).await.map_err(|_| Ended)?;
    let round_trips = RoundTrips::new(&client, &subjects, &id, "subscribe").await?;
    let mut last_trip = RoundTrips::new(&client, &subjects, &id, "close").await?;

    // they end with this function
    let mut tasks = JoinSet::new();
    tasks.spawn(round_trip::answer(second, subjects.echo(&id)));
    let (streams, new_streams) = mpsc::channel(NEW_STREAMS);
    let pumped = Arc::clone(&shared);
    tasks.spawn(async move { driver::pump(&pumped, new_streams).await });
    let (driven, its_client) = (Arc::clone(&shared), client.clone());
    tasks.spawn(async move {
        let _ = driver::drive(&driven, &its_client, &subjects, round_trips, streams).await;
    });

    let publish = async {
        publisher::publish(&shared, &client, queue).await;
        // nothing is in flight if there is no connection
        let mut link = shared.link.subscribe();
        tokio::select! {
            made = last_trip.make() => made,
            _ = link.wait_for(|link| !link.is_up) => Ok(()),
        }
    };
    tokio::select! {
        published = publish => published,
        // none of them ends before the client does
        _ = tasks.join_next() => Err(Ended),
    }
}
