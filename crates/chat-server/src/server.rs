//! The server: accepts connections and closes all of them at shutdown.

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
use chat_rooms::{BacklogBudget, Engine, EngineLimits};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, RwLock, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::abuse::Abuse;
use crate::admission::addresses::Addresses;
use crate::admission::client_log::{ClientLog, LogKind};
use crate::config::{Config, Page};
use crate::context::Context;
use crate::context::announcements::{Announcements, Changes};
use crate::context::classic_clients::ClassicClients;
use crate::context::directory::Directory;
use crate::context::drain::Drain;
use crate::context::expiry;
use crate::context::inbox::Inbox;
use crate::context::observer::Observer;
use crate::context::sessions::Sessions;
use crate::context::site::RenderedSite;
use crate::context::warnings::Warnings;
use crate::control::Control;
use crate::encoding::Encodings;
use crate::encoding::rendered::Rendered;
use crate::handshake::refusal::Refusal;
use crate::listener;
use crate::metrics;
use crate::search::Searches;

/// Delay before accepting again after an error, such as a lack of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// A peer that acknowledges nothing for this long is considered dead (`TCP_USER_TIMEOUT`). Longer
/// than the timeouts of a chat connection.
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(60);

/// Extra time at shutdown beyond the closing of connections, and the time the store gets after
/// that.
const CLOSE_SLACK: Duration = Duration::from_secs(1);
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// How many bytes the kernel may buffer for a connection beyond those in flight. Its own limit is
/// several megabytes (tcp(7), `tcp_wmem`) for a peer that once read fast.
#[cfg(target_os = "linux")]
const MAX_UNSENT: u32 = 256 << 10;

/// A chat server on a bound listener.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    context: Arc<Context>,
    /// The changes of the announcement that are to be carried out.
    changes: Changes,
}

impl Server {
    /// Creates a server and its engine. Presence rows left by the node's previous run are removed
    /// from the store.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn new(
        listener: TcpListener,
        presence: impl PresenceStore,
        history: impl HistoryStore,
        config: Config,
    ) -> Result<Self, StoreError> {
        let history: Arc<dyn HistoryStore> = Arc::new(history);
        let search = config.search.clone();
        let search = search.map(|search| Searches::start(search, Arc::clone(&history), config.retention));
        metrics::describe(Refusal::ALL.iter().map(|refusal| refusal.name()));
        let builder = Engine::builder(presence)
            .history(Arc::clone(&history))
            .retention(config.retention)
            .limits(EngineLimits { members_per_room: config.members_per_room, ..EngineLimits::default() })
            .metrics_prefix(metrics::PREFIX)
            .count_usage(config.count_usage);
        let builder = match &config.access {
            Some(access) => builder.access(Arc::clone(access)),
            None => builder,
        };
        let inbox = Inbox::default();
        let observer = Observer {
            inbox: config.accounts.is_some().then(|| inbox.clone()),
            index: search.as_ref().map(|search| search.follower().clone()),
        };
        let observes = observer.inbox.is_some() || observer.index.is_some();
        let builder = if observes { builder.observer(observer) } else { builder };
        let rendered = Arc::new(Rendered::new(config.remote_images));
        let (builder, encodings) = Encodings::add_to(builder, &rendered);
        let log = Arc::<ClientLog>::default();
        let engine = builder.start().await?;
        let warnings = Warnings::load(&**engine.access()).await;
        let (announcements, changes) = Announcements::load(&**engine.access(), &rendered).await;
        let context = Context {
            engine,
            abuse: Abuse::default(),
            directory: Directory::default(),
            warnings,
            reporting: RwLock::default(),
            announcements,
            encodings,
            sessions: Sessions::default(),
            classics: ClassicClients::default(),
            chat_permits: Arc::new(Semaphore::new(config.max_connections.min(Semaphore::MAX_PERMITS))),
            is_short_of_memory: AtomicBool::new(false),
            backlog_budget: Arc::new(BacklogBudget::new(config.backlog_total_bytes)),
            addresses: Addresses::new(config.address_limits(), Arc::clone(&log)),
            log,
            pages: pages(&config),
            accounts: config.accounts.clone(),
            inbox,
            search,
            site: ArcSwap::from_pointee(RenderedSite::new(config.site.clone(), &rendered)),
            rendered,
            config: ArcSwap::from_pointee(config),
            stopping: CancellationToken::new(),
            drain: Drain::new(),
            is_ending: AtomicBool::new(false),
            tasks: TaskTracker::new(),
        };
        context.show_on_page(&context.config().site);
        Ok(Self { listener, context: Arc::new(context), changes })
    }

    /// The local address of the listener.
    ///
    /// # Errors
    /// Any error of the operating system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The engine that holds the rooms.
    pub fn engine(&self) -> &Engine {
        &self.context.engine
    }

    /// A handle to inspect and control the server, also while it runs.
    pub fn control(&self) -> Control {
        Control::new(Arc::clone(&self.context))
    }

    /// Serves until `shutdown` resolves. From then on the server is [not ready](Control::ready).
    ///
    /// After [`Timings::notice`](crate::Timings::notice) it stops accepting connections and closes
    /// every open one with 1001. If there are many, it spreads them over
    /// [`Timings::drain`](crate::Timings::drain) and sends `after_ms`, so that clients do not all
    /// reconnect at once. It waits for them for [`Timings::close`](crate::Timings::close) plus a
    /// short slack, whatever clients do, and then removes its presence rows.
    ///
    /// # Errors
    /// [`StoreError`] when the rows could not be removed. The next start removes them.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), StoreError> {
        let Self { listener, context, changes } = self;
        tracing::info!("{}", context.config().origins.description());
        tokio::select! {
            () = accept(&listener, &context) => {}
            () = notice_over(shutdown, &context) => {}
            () = context.log.keep_reporting() => {}
            () = upkeep(&context) => {}
            () = changes.carry_out(&context) => {}
        }
        drop(listener);
        // clients that are still connected can keep chatting and joining
        context.engine.suppress_leave_events();
        context.stopping.cancel();
        context.tasks.close();
        let timings = context.config().timings.clone();
        // connections that cannot be closed do not delay the others
        context.drain.run(context.tasks.len(), timings.drain).await;
        context.engine.close();
        let close_timeout = timings.close + CLOSE_SLACK;
        if tokio::time::timeout(close_timeout, context.tasks.wait()).await.is_err() {
            tracing::warn!(connections = context.tasks.len(), "some connections could not be closed in time");
        }
        context.log.report();
        if let Some(search) = &context.search
            && tokio::time::timeout(STORE_TIMEOUT, search.stop()).await.is_err()
        {
            tracing::warn!("the search index did not stop in time; it continues at the next start");
        }
        match tokio::time::timeout(STORE_TIMEOUT, context.engine.shutdown()).await {
            Ok(result) => result,
            Err(_) => {
                Err(StoreError::new(StoreErrorKind::TimedOut, format!("no answer within {STORE_TIMEOUT:?}")))
            }
        }
    }
}

/// Removes what has expired, and ends the sessions of expired tokens, forever.
async fn upkeep(context: &Context) {
    match &context.accounts {
        Some(accounts) => drop(tokio::join!(
            accounts.clean_up(),
            expiry::watch(accounts, &context.sessions),
            context.inbox.notify(&context.sessions, &context.engine),
        )),
        None => std::future::pending().await,
    }
}

/// Resolves once `shutdown` has resolved and the notice period is over.
async fn notice_over(shutdown: impl Future<Output = ()>, context: &Context) {
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

/// Accepts connections until the future is dropped.
async fn accept(listener: &TcpListener, context: &Arc<Context>) {
    let config = context.config();
    let max = config.max_connections.saturating_add(config.other_connections).min(Semaphore::MAX_PERMITS);
    drop(config);
    let permits = Arc::new(Semaphore::new(max));
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        let (stream, from) = next_connection(listener, &context.log).await;
        context.tasks.spawn(serve(stream, from, permit, Arc::clone(context)));
    }
}

async fn next_connection(listener: &TcpListener, log: &ClientLog) -> (TcpStream, IpAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => return (stream, from.ip()),
            // the peer gave up while it was queued; the next one is waiting
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                if let Some(Passed { suppressed }) = log.pass(LogKind::Accept) {
                    tracing::warn!(%error, suppressed, "connections can't be accepted; retrying until they can");
                }
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, from: IpAddr, permit: OwnedSemaphorePermit, context: Arc<Context>) {
    // sends small frames at once; if this fails they are only delayed
    let _ = stream.set_nodelay(true);
    // makes the kernel give up on a dead peer too, whatever waits for it (tcp(7))
    #[cfg(target_os = "linux")]
    {
        let socket = socket2::SockRef::from(&stream);
        let _ = socket.set_tcp_user_timeout(Some(USER_TIMEOUT));
        // keeps data that a slow reader does not take in its backlog, where it is counted
        let _ = socket.set_tcp_notsent_lowat(MAX_UNSENT);
    }
    listener::open(stream, from, permit, context).await;
}
