//! The server: accepts connections, and ends them all.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use chat_history::HistoryStore;
use chat_log::Passed;
use chat_markdown::RemoteImages;
use chat_page::{Images, Pages};
use chat_presence::{PresenceStore, StoreError, StoreErrorKind};
use chat_rooms::Engine;
use chat_rooms::outbox::BacklogBudget;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::addresses::{AddressLimits, Addresses};
use crate::classics::Classics;
use crate::config::{Config, Page};
use crate::context::Context;
use crate::control::Control;
use crate::door;
use crate::drain::Drain;
use crate::encodings::Encodings;
use crate::meters;
use crate::sessions::Sessions;
use crate::stranger_log::{Kind, StrangerLog};

/// How long to wait when the system gives no more descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// A peer that takes nothing of what is sent to it for so long is gone. More than a chat connection is given.
#[cfg(target_os = "linux")]
const TAKES_NOTHING: Duration = Duration::from_secs(60);

/// What the end may take beyond the closing of connections, and how long it waits for the store after that.
const END_SLACK: Duration = Duration::from_secs(1);
const LAST_WRITE: Duration = Duration::from_secs(2);

/// How many bytes the system may keep for a connection beside those that are on their way to the peer. Its own limit is some megabytes
/// (tcp(7), `tcp_wmem`) for whoever has once read fast.
#[cfg(target_os = "linux")]
const MOST_UNSENT: u32 = 256 << 10;

/// A chat server on a bound listener.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    context: Arc<Context>,
}

impl Server {
    /// Makes a server, its engine with it: what the node's last run left behind is removed from the store.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn new(
        listener: TcpListener,
        presence: impl PresenceStore,
        history: impl HistoryStore,
        config: Config,
    ) -> Result<Self, StoreError> {
        meters::describe();
        let mut builder = Engine::builder(presence);
        builder.history(history).retention(config.retention).members_per_room(config.members_per_room);
        if config.count_usage {
            builder.count_usage();
        }
        let encodings = Encodings::add_to(&mut builder, config.remote_images);
        let log = Arc::<StrangerLog>::default();
        let context = Context {
            engine: builder.start().await?,
            encodings,
            sessions: Sessions::default(),
            classics: Classics::default(),
            members: Arc::new(Semaphore::new(config.max_connections.min(Semaphore::MAX_PERMITS))),
            is_short_of_memory: AtomicBool::new(false),
            backlogs: Arc::new(BacklogBudget::new(config.backlog_total_bytes)),
            addresses: Addresses::new(AddressLimits::of(&config), Arc::clone(&log)),
            log,
            pages: pages(&config),
            config: ArcSwap::from_pointee(config),
            stopping: CancellationToken::new(),
            drain: Drain::new(),
            is_ending: AtomicBool::new(false),
            tasks: TaskTracker::new(),
        };
        Ok(Self { listener, context: Arc::new(context) })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The rooms.
    pub fn engine(&self) -> &Engine {
        &self.context.engine
    }

    /// The server in the hand of its operator, also while it runs.
    pub fn control(&self) -> Control {
        Control::new(Arc::clone(&self.context))
    }

    /// Serves until `shutdown` resolves. From then on it is [not ready](Control::ready). After
    /// [`Timings::notice`](crate::Timings::notice) it accepts nothing more and closes every connection with 1001, many of them over
    /// [`Timings::drain`](crate::Timings::drain), with `after_ms` so that they don't come back all at once. It waits for them as long
    /// as [`Timings::close`](crate::Timings::close) and a little more, whatever clients do, and removes its rows.
    ///
    /// # Errors
    /// [`StoreError`] when the rows could not be removed at the end: the next start does it.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), StoreError> {
        let Self { listener, context } = self;
        tracing::info!("{}", context.config().origins.explained());
        tokio::select! {
            () = accept(&listener, &context) => {}
            () = about_to_end(shutdown, &context) => {}
            () = context.log.keep_reporting() => {}
        }
        drop(listener);
        // who is still in for a moment chats on, and joins
        context.engine.be_quiet();
        context.stopping.cancel();
        context.tasks.close();
        let timings = context.config().timings.clone();
        // those that can't be closed do not hold up the others
        context.drain.run(context.tasks.len(), timings.drain).await;
        context.engine.close();
        let patience = timings.close + END_SLACK;
        if tokio::time::timeout(patience, context.tasks.wait()).await.is_err() {
            tracing::warn!(connections = context.tasks.len(), "some connections could not be closed in time");
        }
        context.log.report();
        match tokio::time::timeout(LAST_WRITE, context.engine.shutdown()).await {
            Ok(ended) => ended,
            Err(_) => {
                Err(StoreError::new(StoreErrorKind::TimedOut, format!("no answer within {LAST_WRITE:?}")))
            }
        }
    }
}

/// Resolves when the server has to end, some time after it has said that it will.
async fn about_to_end(shutdown: impl Future<Output = ()>, context: &Context) {
    shutdown.await;
    context.is_ending.store(true, Ordering::Relaxed);
    let notice = context.config().timings.notice;
    if !notice.is_zero() {
        tokio::time::sleep(notice).await;
    }
}

fn pages(config: &Config) -> Option<Pages> {
    let images = match config.remote_images {
        RemoteImages::AsLinks => Images::Own,
        RemoteImages::Shown => Images::Remote,
    };
    (config.page == Page::Served).then(|| Pages::new(images))
}

/// Accepts connections for ever.
async fn accept(listener: &TcpListener, context: &Arc<Context>) {
    let config = context.config();
    let most = config.max_connections.saturating_add(config.other_connections).min(Semaphore::MAX_PERMITS);
    drop(config);
    let places = Arc::new(Semaphore::new(most));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (stream, from) = next_connection(listener, &context.log).await;
        context.tasks.spawn(serve(stream, from, place, Arc::clone(context)));
    }
}

async fn next_connection(listener: &TcpListener, log: &StrangerLog) -> (TcpStream, IpAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => return (stream, from.ip()),
            // the peer gave up in the queue: the next one is waiting
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                if let Some(Passed { suppressed }) = log.at_all(Kind::Accept) {
                    tracing::warn!(%error, suppressed, "connections can't be accepted; retrying until they can");
                }
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, from: IpAddr, permit: OwnedSemaphorePermit, context: Arc<Context>) {
    // small frames go out at once; without it they are late, not wrong
    let _ = stream.set_nodelay(true);
    // a peer that takes nothing is gone for the system, too, whoever waits for it (tcp(7))
    #[cfg(target_os = "linux")]
    {
        let socket = socket2::SockRef::from(&stream);
        let _ = socket.set_tcp_user_timeout(Some(TAKES_NOTHING));
        // what a slow reader does not take waits in its backlog, where it is counted
        let _ = socket.set_tcp_notsent_lowat(MOST_UNSENT);
    }
    door::open(stream, from, permit, context).await;
}
