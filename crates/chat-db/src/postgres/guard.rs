//! Keeps the database for this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use chat_log::{Occasional, Passed};
use diesel::prelude::*;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::connection::{DbConnection, EXCHANGE_TIMEOUT, Link};
use super::identity::{self, State};
use super::url::Url;
use crate::DbError;
use crate::unfinished::{self, Unfinished};

/// How long to wait between two attempts to take the database.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// How often the database is looked at while nothing seems to be wrong.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// What runs in the transaction that takes another database than the one that was in use.
pub(crate) type OnReplaced = Box<dyn FnMut(&mut DbConnection) -> QueryResult<()> + Send>;

/// What all connections of a database share.
pub(crate) struct Shared {
    pub(crate) url: Url,
    pub(crate) tls: MakeRustlsConnect,
    ownership: Mutex<Ownership>,
    /// The greatest position of the server's log that was seen.
    position: AtomicI64,
    /// How many transactions have failed.
    failures: AtomicU64,
    /// Wakes the guard: a connection has met another database, or the database was closed.
    wake: Notify,
    on_replaced: Mutex<Vec<OnReplaced>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Whether the database is this process's.
#[derive(Debug, Clone)]
enum Ownership {
    Owned(Owned),
    /// It could not be taken again yet.
    Lost(DbError),
    /// It was closed.
    Closed,
}

/// What shows that a database is this process's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owned {
    pub(crate) incarnation: Arc<str>,
    pub(crate) identity: Arc<str>,
}

/// Why a process does not have the database.
pub(crate) enum NotTaken {
    InUse,
    /// It is an unfinished copy.
    Unfinished(Unfinished),
    Failed(DbError),
}

impl From<DbError> for NotTaken {
    fn from(error: DbError) -> Self {
        Self::Failed(error)
    }
}

impl From<diesel::result::Error> for NotTaken {
    fn from(error: diesel::result::Error) -> Self {
        Self::Failed(DbError::failure(&error))
    }
}

impl Shared {
    pub(crate) fn owned(&self) -> Result<Owned, DbError> {
        match &*self.ownership.lock() {
            Ownership::Owned(owned) => Ok(owned.clone()),
            Ownership::Lost(error) => Err(error.clone()),
            Ownership::Closed => Err(DbError::Closed),
        }
    }

    /// Reads the state of the database. Returns also whether it is older than what was seen before
    /// the call.
    pub(crate) fn read_state(&self, connection: &mut DbConnection) -> QueryResult<(State, bool)> {
        // before the query: other connections read at the same time
        let seen = self.position.load(Ordering::Relaxed);
        let state = identity::read(connection)?;
        self.position.fetch_max(state.position, Ordering::Relaxed);
        let is_older = state.position < seen;
        Ok((state, is_older))
    }

    /// A connection has met another database, or another incarnation.
    pub(crate) fn suspect(&self) {
        self.wake.notify_one();
    }

    /// A transaction has failed.
    pub(crate) fn note_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// How many transactions have failed.
    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Adds what runs when the database was replaced.
    pub(crate) fn on_replaced(&self, run: OnReplaced) {
        self.on_replaced.lock().push(run);
    }

    /// Another connection, for the guard.
    fn connect(&self) -> Result<Link, DbError> {
        Link::open(&self.url, &self.tls, Some(EXCHANGE_TIMEOUT))
    }

    /// Takes the database again on this connection, which has the lock.
    fn take_again(&self, link: &mut Link) -> Result<(), DbError> {
        let before = match &*self.ownership.lock() {
            Ownership::Owned(owned) => owned.clone(),
            // whatever it is now, it was another process's meanwhile
            Ownership::Lost(_) => Owned { incarnation: "".into(), identity: "".into() },
            Ownership::Closed => return Ok(()),
        };
        let mut hooks = self.on_replaced.lock();
        let (owned, is_unchanged) = own(&mut link.connection, Some((self, &before)), &mut hooks)?;
        drop(hooks);
        if !is_unchanged {
            tracing::warn!(
                database = %self.url,
                "the database is another one than before: a standby or a restored copy; a new epoch begins"
            );
        }
        let mut ownership = self.ownership.lock();
        if !matches!(*ownership, Ownership::Closed) {
            *ownership = Ownership::Owned(owned);
        }
        Ok(())
    }
}

/// The thread that holds the lock of the database.
#[derive(Debug)]
pub(crate) struct Guard {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Guard {
    /// Takes the database for this process. Returns what keeps it, and whether it is the database
    /// that was last in use.
    pub(crate) fn take(url: Url, tls: MakeRustlsConnect, mut link: Link) -> Result<(Self, bool), NotTaken> {
        if !identity::lock(&mut link.connection)? {
            return Err(NotTaken::InUse);
        }
        if let Some(unfinished) = unfinished::on_postgres(&mut link.connection)? {
            return Err(NotTaken::Unfinished(unfinished));
        }
        let (owned, is_unchanged) = own(&mut link.connection, None, &mut [])?;
        let ownership = Mutex::new(Ownership::Owned(owned));
        let shared = Arc::new(Shared {
            url,
            tls,
            ownership,
            position: AtomicI64::new(0),
            failures: AtomicU64::new(0),
            wake: Notify::new(),
            on_replaced: Mutex::default(),
        });
        let kept = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("chat-db-guard".into())
            .spawn(move || keep(&kept, link))
            .map_err(|error| DbError::failure(&error))?;
        Ok((Self { shared, thread: Mutex::new(Some(thread)) }, is_unchanged))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Gives the database up. Blocks until the connection is closed.
    pub(crate) fn close(&self) {
        *self.shared.ownership.lock() = Ownership::Closed;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the guard of the database ended with a panic");
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        *self.shared.ownership.lock() = Ownership::Closed;
        self.shared.wake.notify_one();
    }
}

/// Makes the database this process's, on a connection that has the lock. Returns whether it is the
/// one that was last in use, by this process as `before` says, if there is something.
fn own(
    connection: &mut DbConnection,
    before: Option<(&Shared, &Owned)>,
    hooks: &mut [OnReplaced],
) -> Result<(Owned, bool), DbError> {
    let taken = connection.transaction(|connection| {
        let (state, is_older) = match before {
            Some((shared, _)) => shared.read_state(connection)?,
            None => (identity::read(connection)?, false),
        };
        let is_same = state.known_identity.as_ref() == Some(&state.identity);
        let is_ours = before
            .is_none_or(|(_, owned)| !is_older && state.incarnation.as_deref() == Some(&*owned.incarnation));
        let identity: Arc<str> = state.identity.into();
        if let Some((shared, owned)) = before {
            if is_same && is_ours {
                return Ok((Owned { identity, ..owned.clone() }, true));
            }
            shared.position.store(state.position, Ordering::Relaxed);
        }
        let incarnation: Arc<str> = format!("{:032x}", rand::random::<u128>()).into();
        identity::write(connection, &identity, &incarnation)?;
        for hook in hooks {
            hook(connection)?;
        }
        QueryResult::Ok((Owned { incarnation, identity }, is_same && before.is_none()))
    });
    taken.map_err(|error| DbError::failure(&error))
}

/// Holds the connection with the lock, and takes it again when it was lost.
fn keep(shared: &Shared, link: Link) {
    let (mut held, failures) = (Some(link), Occasional::new());
    loop {
        if let Some(link) = &mut held {
            let runtime = Arc::clone(&link.runtime);
            runtime.block_on(async {
                let woken = std::pin::pin!(shared.wake.notified());
                let event = futures::future::select(&mut link.socket, woken);
                // what time brings is looked at below, too
                let _ = tokio::time::timeout(CHECK_INTERVAL, event).await;
            });
        } else {
            std::thread::sleep(RETRY_INTERVAL);
        }
        if matches!(*shared.ownership.lock(), Ownership::Closed) {
            return;
        }
        let alive = held.as_mut().and_then(|link| link.is_alive().then_some(link));
        let lost = match alive {
            Some(link) => shared.take_again(link),
            None => take_lock(shared).map(|link| held = Some(link)),
        };
        if let Err(error) = lost {
            held = None;
            if let Some(Passed { suppressed }) = failures.pass() {
                tracing::error!(database = %shared.url, %error, suppressed, "the database is lost");
            }
        }
    }
}

/// Connects, and takes the lock and the database again.
fn take_lock(shared: &Shared) -> Result<Link, DbError> {
    let mut link = shared.connect()?;
    if !identity::try_lock(&mut link.connection).map_err(|error| DbError::failure(&error))? {
        let error = DbError::failure(&"another chatd has taken the database");
        let mut ownership = shared.ownership.lock();
        if matches!(*ownership, Ownership::Owned(_)) {
            *ownership = Ownership::Lost(error.clone());
        }
        return Err(error);
    }
    shared.take_again(&mut link)?;
    Ok(link)
}
