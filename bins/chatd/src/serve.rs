//! From options to a server, and to its end.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chat_admin::Admin;
use chat_history::users::UserMessages;
use chat_history::{HistoryError, MemoryHistory, SqliteHistory};
use chat_presence::{MemoryPresence, NodeId, SqlitePresence, StoreError};
use chat_server::Server;
use chat_usage::Usage;
use tokio::net::TcpListener;

use crate::admin::{Secret, TokenError};
use crate::certificate::{self, CertificateError};
use crate::config::Configuration;
use crate::descriptors;
use crate::listen::{ListenError, adopt, listen};
use crate::log::{FilterError, Log};
use crate::memory;
use crate::metrics::Metrics;
use crate::options::{Database, Options, Switch};
use crate::reload::Reload;
use crate::service::{self, Passed};
use crate::signals::{HangUps, Signals};
use crate::traces::{Traces, TracesError};

/// The name of this node in the store. One process to a database file: there is only one.
const NODE: &str = "local";

/// How long the database's end is waited for: what hangs by then hangs for good.
const CLOSE: Duration = Duration::from_secs(1);

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Log(#[from] FilterError),
    #[error(transparent)]
    Traces(#[from] TracesError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error(transparent)]
    Open(#[from] chat_db::OpenError),
    #[error("the database can't be written: {0}")]
    Store(#[from] StoreError),
    #[error("the database can't be written: {0}")]
    History(#[from] HistoryError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("metrics can't be kept: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    #[error("the system refuses what a server needs: {0}")]
    System(#[from] io::Error),
}

/// Runs a server until it is told to end.
pub(crate) fn serve(options: &Options, configuration: &Configuration) -> Result<(), StartError> {
    // dropped last, with what it has not sent yet
    let traces = Traces::start(options.trace_endpoint.0.as_deref(), options.trace_sample.0)?;
    let log = Log::start(&options.log, options.log_format, &traces)?;
    for warning in configuration.warnings() {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(run(options, configuration, log));
    // nothing that still hangs somewhere holds the end up
    runtime.shutdown_background();
    outcome
}

async fn run(options: &Options, configuration: &Configuration, log: Log) -> Result<(), StartError> {
    let (shutdown, hang_ups) = (Signals::install()?, HangUps::install()?);
    let mut config = options.config();
    let tls = certificate::open(options)?;
    let token = Secret::of(options.admin_token_file.0.as_deref(), options.admin_token.0.as_ref())?;
    config.tls = tls.clone();
    let scheme = if tls.is_some() { "https" } else { "http" };
    let mut passed = Passed::take();
    let listener = match passed.listener(0)? {
        Some(listener) => adopt(listener)?,
        None => listen(&options.listen, "--listen").await?,
    };
    let admin_listener = match (passed.listener(1)?, &options.admin_listen.0) {
        (Some(listener), _) => Some(adopt(listener)?),
        (None, Some(address)) => Some(listen(address, "--admin-listen").await?),
        (None, None) => None,
    };
    // where nobody can ask, nothing is kept; what counts looks for it as it is made
    let metrics = admin_listener.is_some().then(Metrics::install).transpose()?;
    descriptors::fit(&mut config);
    let (database, server) = match &options.database {
        Database::Memory => {
            let presence = MemoryPresence::new(NodeId::new(NODE));
            (None, Server::new(listener, presence, MemoryHistory::new(), config).await?)
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
            (Some(database), server)
        }
    };
    tokio::spawn(Reload::new(server.control(), tls, log, configuration).follow(hang_ups));
    tokio::spawn(memory::follow(server.control(), options.max_memory));
    let admin_address = admin_listener.as_ref().map(TcpListener::local_addr).transpose()?;
    let usage = database.clone().map(|database| Usage::new(database, server.control().engine().clone()));
    if let Some(usage) = usage.clone() {
        tokio::spawn(usage.keep(options.usage_days()));
    }
    let users = database.clone().filter(|_| options.history == Switch::On).map(UserMessages::new);
    let admin = admin_listener.zip(metrics).map(|(listener, metrics)| {
        tokio::spawn(metrics.clone().keep_up());
        let admin = Admin::new(server.control())
            .metrics(move || metrics.render())
            .usage(usage.clone())
            .users(users.clone());
        let admin = match &token {
            Some(token) => admin.token(token.expose()),
            None => admin,
        };
        tokio::spawn(admin.serve(listener))
    });
    announce(options, scheme, server.local_addr()?, admin_address)?;
    tokio::spawn(service::watch(server.control()));
    service::ready("serving");
    let ending = async {
        shutdown.first().await;
        service::stopping();
    };
    finish(server.run(ending).await);
    if let Some(admin) = admin {
        admin.abort();
    }
    if let Some(usage) = usage
        && let Ok(Err(error)) = tokio::time::timeout(CLOSE, usage.save()).await
    {
        tracing::warn!(%error, "the usage of rooms in the last minute is not written down");
    }
    if let Some(database) = database
        && tokio::time::timeout(CLOSE, database.close()).await.is_err()
    {
        tracing::warn!("the database could not be closed in time");
    }
    Ok(())
}

async fn open(path: PathBuf) -> Result<chat_db::Database, StartError> {
    // it blocks while it opens and migrates; nothing else is going on yet
    Ok(tokio::task::spawn_blocking(move || chat_db::Database::open(&path))
        .await
        .map_err(io::Error::from)??)
}

/// Tells the person who started it that it runs, and where.
fn announce(
    options: &Options,
    scheme: &str,
    address: SocketAddr,
    admin: Option<SocketAddr>,
) -> io::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    let (database, is_stored) = match &options.database {
        Database::Memory => (":memory:".to_owned(), false),
        Database::File(path) => (path.display().to_string(), options.history == Switch::On),
    };
    let history = if is_stored { "" } else { ", messages are not stored" };
    let admin = admin.map_or(String::new(), |address| format!(", for the operator: http://{address}"));
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "chatd {version} listens on {scheme}://{address} (database: {database}{history}{admin}); Ctrl-C ends it"
    )?;
    out.flush()
}

fn finish(outcome: Result<(), StoreError>) {
    match outcome {
        Ok(()) => tracing::info!("ended"),
        Err(error) => tracing::warn!(%error, "ended; the next start removes the rows that are left"),
    }
}
