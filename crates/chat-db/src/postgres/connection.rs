//! One connection to the server.

use std::cell::RefCell;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::{AsyncConnectionWrapper, BlockOn};
use tokio::runtime::Builder;
use tokio::task::{AbortHandle, JoinHandle};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::not_connected;
use super::url::Url;
use crate::DbError;

/// A connection for diesel's blocking interface.
pub type DbConnection = AsyncConnectionWrapper<AsyncPgConnection, Driver>;

pub(crate) type Transactions = <DbConnection as diesel::Connection>::TransactionManager;

/// How long a statement of chatd may run on the server. The slowest ones, steps of retention or of
/// a search, take a few hundred milliseconds.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one exchange with the server may take. It is longer than the server's own limit, so
/// that a slow statement ends with the server's error, and only a peer that is gone with this one.
pub(crate) const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(12);

/// Settings of each connection. A statement that waits for a lock, or a transaction that waits for
/// this program, ends before others give up. Migrations may take long.
fn setup(has_limits: bool) -> String {
    let quiet = "SET client_min_messages = warning";
    if !has_limits {
        return quiet.to_owned();
    }
    format!(
        "{quiet}; SET statement_timeout = {}; SET lock_timeout = 5000; \
         SET idle_in_transaction_session_timeout = 10000",
        STATEMENT_TIMEOUT.as_millis()
    )
}

/// The runtime of a connection. Unlike tokio's, it may be dropped by a thread that runs async code.
pub(crate) struct Io {
    /// `None` while it is being dropped.
    runtime: Option<tokio::runtime::Runtime>,
}

impl Io {
    fn new() -> std::io::Result<Self> {
        Builder::new_current_thread().enable_all().build().map(|runtime| Self { runtime: Some(runtime) })
    }

    #[allow(clippy::expect_used)]
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.as_ref().expect("a runtime until it is dropped").block_on(future)
    }

    /// Waits for an exchange with the server. After the limit the socket is dropped, with which the
    /// exchange ends with an error.
    fn exchange<F: Future>(&self, socket: &AbortHandle, limit: Duration, exchange: F) -> F::Output {
        self.block_on(async {
            let mut exchange = pin!(exchange);
            match tokio::time::timeout(limit, &mut exchange).await {
                Ok(output) => output,
                Err(_) => {
                    socket.abort();
                    exchange.await
                }
            }
        })
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Drives a connection while it is used: its socket has no task elsewhere. So it costs no switch
/// between threads, and an unused one costs nothing.
pub struct Driver {
    runtime: Arc<Io>,
    /// The task that reads and writes the socket. Without it, every exchange ends with an error.
    socket: AbortHandle,
    limit: Option<Duration>,
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("limit", &self.limit).finish_non_exhaustive()
    }
}

thread_local! {
    /// The driver of the connection that this thread is making: diesel-async asks for one without
    /// saying for which connection.
    static NEXT: RefCell<Option<Driver>> = const { RefCell::new(None) };
}

impl BlockOn for Driver {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        match self.limit {
            Some(limit) => self.runtime.exchange(&self.socket, limit, future),
            None => self.runtime.block_on(future),
        }
    }

    #[allow(clippy::expect_used)]
    fn get_runtime() -> Self {
        // only called by `Link::open`, which has just set it
        NEXT.take().expect("a driver for the connection")
    }
}

/// A connection, and what is needed to know whether it still works.
pub(crate) struct Link {
    /// Declared before the runtime that it needs.
    pub(crate) connection: DbConnection,
    pub(crate) socket: JoinHandle<()>,
    pub(crate) runtime: Arc<Io>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

impl Link {
    /// Connects. Blocks, for at most the time that the URL allows. `limit` is how long each
    /// exchange may take.
    pub(crate) fn open(url: &Url, tls: &MakeRustlsConnect, limit: Option<Duration>) -> Result<Self, DbError> {
        let runtime = Arc::new(Io::new().map_err(|error| not_connected(&error))?);
        let connect_limit = url.config.get_connect_timeout().copied().unwrap_or_default();
        let hosts = u32::try_from(url.config.get_hosts().len()).unwrap_or(u32::MAX);
        let (inner, socket) = runtime.block_on(async {
            // the library's limit is for each host, and for its TCP connection only
            let connecting = async {
                let connected = url.config.connect(tls.clone()).await;
                let (client, connection) = connected.map_err(|error| not_connected(&error))?;
                let socket = tokio::spawn(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!(error = super::error::chain(&error), "a connection has ended");
                    }
                });
                let inner = AsyncPgConnection::try_from(client).await;
                Ok::<_, DbError>((inner.map_err(|error| not_connected(&error))?, socket))
            };
            let timed_out = |_| DbError::failure(&"no connection: the server did not answer in time");
            tokio::time::timeout(connect_limit.saturating_mul(hosts), connecting).await.map_err(timed_out)?
        })?;
        NEXT.set(Some(Driver { runtime: Arc::clone(&runtime), socket: socket.abort_handle(), limit }));
        let mut connection = DbConnection::from(inner);
        connection.batch_execute(&setup(limit.is_some())).map_err(|error| DbError::failure(&error))?;
        Ok(Self { connection, socket, runtime })
    }

    /// Whether the connection still works, as far as this system knows.
    pub(crate) fn is_alive(&mut self) -> bool {
        // the end of the connection is noticed when its task runs
        self.runtime.block_on(async {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
        });
        !self.socket.is_finished()
    }

    /// Begins a transaction with these statements, in one exchange.
    pub(crate) fn begin(&mut self, sql: &str) -> diesel::QueryResult<()> {
        let begun = diesel_async::AnsiTransactionManager::begin_transaction_sql(&mut *self.connection, sql);
        self.runtime.exchange(&self.socket.abort_handle(), EXCHANGE_TIMEOUT, begun)
    }
}
