//! From options to a server, and to its end.

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chat_history::{HistoryError, MemoryHistory, SqliteHistory};
use chat_presence::{MemoryPresence, NodeId, SqlitePresence, StoreError};
use chat_server::Server;
use tokio::net::{TcpListener, TcpSocket};
use tracing_subscriber::EnvFilter;

use crate::certificate::{self, CertificateError};
use crate::descriptors;
use crate::options::{Database, DotenvError, Options, Switch};

/// The name of this node in the store. One process to a database file: there is only one.
const NODE: &str = "local";

/// How long the database's end is waited for: what hangs by then hangs for good.
const CLOSE: Duration = Duration::from_secs(1);

/// A write went over the limit on file sizes (signal(7)).
#[cfg(target_os = "linux")]
const SIGXFSZ: i32 = 25;

/// How many connections may wait to be accepted, as far as the system allows (`net.core.somaxconn`). When all come back at once the
/// usual 128 are soon full, and who finds no place tries again after a second.
const BACKLOG: u32 = 4_096;

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Dotenv(#[from] DotenvError),
    #[error("the log filter {filter:?} can't be understood: {reason}")]
    Log { filter: String, reason: String },
    #[error(
        "the address {listen} is in use: another server runs there, or --listen should name another port"
    )]
    InUse { listen: String },
    #[error("can't listen on {listen}: {source}")]
    Listen { listen: String, source: io::Error },
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error(transparent)]
    Open(#[from] chat_db::OpenError),
    #[error("the database can't be written: {0}")]
    Store(#[from] StoreError),
    #[error("the database can't be written: {0}")]
    History(#[from] HistoryError),
    #[error("the system refuses what a server needs: {0}")]
    System(#[from] io::Error),
}

/// Runs a server until it is told to end.
pub(crate) fn serve(options: &Options) -> Result<(), StartError> {
    start_log(&options.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(run(options));
    // nothing that still hangs somewhere holds the end up
    runtime.shutdown_background();
    outcome
}

fn start_log(filter: &str) -> Result<(), StartError> {
    let understood = EnvFilter::try_new(filter)
        .map_err(|error| StartError::Log { filter: filter.to_owned(), reason: error.to_string() })?;
    tracing_subscriber::fmt()
        .with_env_filter(understood)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    Ok(())
}

async fn run(options: &Options) -> Result<(), StartError> {
    let shutdown = Signals::install()?;
    let mut config = options.config();
    config.tls = certificate::open(options)?;
    certificate::follow_hang_ups(config.tls.clone())?;
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let listener = listen(&options.listen).await?;
    descriptors::fit(&mut config);
    match &options.database {
        Database::Memory => {
            let presence = MemoryPresence::new(NodeId::new(NODE));
            let server = Server::new(listener, presence, MemoryHistory::new(), config).await?;
            announce(scheme, server.local_addr()?, ":memory:", Switch::Off)?;
            finish(server.run(shutdown.first()).await);
        }
        Database::File(path) => {
            let database = open(path.clone()).await?;
            let presence = SqlitePresence::new(database.clone(), NodeId::new(NODE));
            let server = match options.history {
                Switch::On => {
                    let history = SqliteHistory::open(database.clone()).await?;
                    Server::new(listener, presence, history, config).await?
                }
                Switch::Off => Server::new(listener, presence, MemoryHistory::new(), config).await?,
            };
            announce(scheme, server.local_addr()?, &path.display().to_string(), options.history)?;
            finish(server.run(shutdown.first()).await);
            if tokio::time::timeout(CLOSE, database.close()).await.is_err() {
                tracing::warn!("the database could not be closed in time");
            }
        }
    }
    Ok(())
}

async fn listen(listen: &str) -> Result<TcpListener, StartError> {
    let listening = async {
        let mut outcome = Err(io::ErrorKind::AddrNotAvailable.into());
        for address in tokio::net::lookup_host(listen).await? {
            outcome = listen_on(address);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    };
    listening.await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => StartError::InUse { listen: listen.to_owned() },
        _ => StartError::Listen { listen: listen.to_owned(), source },
    })
}

/// Listens as the standard library does, but for the backlog.
fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // on Windows this would let two servers have one port
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn open(path: PathBuf) -> Result<chat_db::Database, StartError> {
    // it blocks while it opens and migrates; nothing else is going on yet
    Ok(tokio::task::spawn_blocking(move || chat_db::Database::open(&path))
        .await
        .map_err(io::Error::from)??)
}

/// Tells the person who started it that it runs, and where.
fn announce(scheme: &str, address: SocketAddr, database: &str, history: Switch) -> io::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    let history = if history == Switch::Off { ", messages are not stored" } else { "" };
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "chatd {version} listens on {scheme}://{address} (database: {database}{history}); Ctrl-C ends it"
    )?;
    out.flush()
}

fn finish(outcome: Result<(), StoreError>) {
    match outcome {
        Ok(()) => tracing::info!("ended"),
        Err(error) => tracing::warn!(%error, "ended; the next start removes the rows that are left"),
    }
}

/// What tells the server to end: Ctrl-C and SIGTERM.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    /// Never looked at. Having it makes a write over the limit on file sizes an error of that write, which is handled, instead
    /// of the end of the process (setrlimit(2)).
    #[cfg(target_os = "linux")]
    _file_size: tokio::signal::unix::Signal,
}

impl Signals {
    fn install() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?,
            #[cfg(target_os = "linux")]
            _file_size: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(SIGXFSZ))?,
        })
    }

    /// Resolves at the first; a second one ends the process at once.
    async fn first(mut self) {
        self.next().await;
        tracing::info!("ending; once more ends at once");
        tokio::spawn(async move {
            self.next().await;
            std::process::exit(1);
        });
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}
