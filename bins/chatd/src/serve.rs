//! From options to a server, and to its end.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chat_admin::Admin;
use chat_history::{HistoryError, MemoryHistory, SqliteHistory, SqliteUserMessages, UserMessages};
use chat_presence::{MemoryPresence, NodeId, SqlitePresence, StoreError};
use chat_server::Server;
use chat_usage::Usage;
use tokio::net::TcpListener;

use crate::admin::{Secret, TokenError};
use crate::certificate::{self, CertificateError};
use crate::config::Configuration;
use crate::descriptors;
use crate::listen::{ListenError, adopt, listen, listen_near};
use crate::log::Log;
use crate::memory;
use crate::metrics::Metrics;
use crate::options::{DEFAULT_ADMIN_LISTEN, Database, Options, Switch};
use crate::reload::Reload;
use crate::service::{self, Passed};
use crate::signals::{HangUps, Signals};
use crate::traces::{Traces, TracesError};

/// The name of this node in the store. One process to a database file: there is only one.
const NODE: &str = "local";

/// How long the database's end is waited for: what hangs by then hangs for good.
const CLOSE: Duration = Duration::from_secs(1);

/// How long the log's last lines may take.
const LAST_LINES: Duration = Duration::from_secs(1);

/// How long standard output may take to print that the server listens.
const ANNOUNCE: Duration = Duration::from_secs(1);

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
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
    #[error("can't keep metrics: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    #[error("the system refused what the server needs: {0}")]
    System(#[from] io::Error),
}

/// Runs a server until it is told to end.
pub(crate) fn serve(options: &Options, configuration: &Configuration) -> Result<(), StartError> {
    let traces = Traces::start(options.trace_endpoint.0.as_deref(), options.trace_sample.0)?;
    let log = Log::start(&options.log, options.log_format, &traces)?;
    for warning in configuration.warnings() {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(run(options, configuration, log.clone()));
    // nothing that still hangs somewhere holds the end up
    runtime.shutdown_background();
    // with what it has not sent yet
    drop(traces);
    log.flush(LAST_LINES);
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
        None => listen(options.listen.as_str(), "--listen").await?,
    };
    let passed_admin = passed.listener(1)?;
    let is_passed = passed_admin.is_some();
    let admin_listener = match (passed_admin, &options.admin_listen.0) {
        (Some(listener), _) => Some(adopt(listener)?),
        (None, Some(address)) if configuration.is_default("admin-listen") => {
            Some(listen_near(address.as_str(), "--admin-listen").await?)
        }
        (None, Some(address)) => Some(listen(address.as_str(), "--admin-listen").await?),
        (None, None) => None,
    };
    // where nobody can ask, nothing is kept; what counts looks for it as it is made
    let metrics = admin_listener.is_some().then(|| Metrics::install(log.clone())).transpose()?;
    let fit = descriptors::fit(&mut config);
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
    tokio::spawn(Reload::new(server.control(), tls, log.clone(), configuration).follow(hang_ups));
    tokio::spawn(memory::follow(server.control(), options.max_memory));
    let admin_address = admin_listener.as_ref().map(TcpListener::local_addr).transpose()?;
    let usage = database.clone().map(|database| Usage::new(database, server.control().engine().clone()));
    if let Some(usage) = usage.clone() {
        tokio::spawn(usage.keep(options.usage_days()));
    }
    let users = database.clone().filter(|_| options.history == Switch::On).map(SqliteUserMessages::new);
    let users = users.map(|users| Arc::new(users) as Arc<dyn UserMessages>);
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
    announce(announcement(options, scheme, server.local_addr()?, admin_address)).await;
    if let Some(address) = admin_address.filter(|_| configuration.is_default("admin-listen") && !is_passed)
        && address.to_string() != DEFAULT_ADMIN_LISTEN
    {
        tracing::warn!(
            %address,
            "the default admin port is in use, so the admin listener has another one: chatd admin needs --url http://{address}"
        );
    }
    fit.log();
    tokio::spawn(service::watch(server.control()));
    service::ready("serving");
    let ending = async {
        shutdown.first(log).await;
        service::stopping();
    };
    finish(server.run(ending).await);
    if let Some(admin) = admin {
        admin.abort();
    }
    if let Some(usage) = usage
        && let Ok(Err(error)) = tokio::time::timeout(CLOSE, usage.save()).await
    {
        tracing::warn!(%error, "could not save the usage statistics of the last minute");
    }
    if let Some(database) = database
        && tokio::time::timeout(CLOSE, database.close()).await.is_err()
    {
        tracing::warn!("the database did not close in time");
    }
    Ok(())
}

async fn open(path: PathBuf) -> Result<chat_db::Database, StartError> {
    // it blocks while it opens and migrates; nothing else is going on yet
    Ok(tokio::task::spawn_blocking(move || chat_db::Database::open(&path))
        .await
        .map_err(io::Error::from)??)
}

/// Tells the person who started it that it runs, and where. A standard output that does not take it holds nobody up.
async fn announce(text: String) {
    let print = move || {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()
    };
    match tokio::time::timeout(ANNOUNCE, tokio::task::spawn_blocking(print)).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => {
            tracing::warn!(%error, "could not print to standard output that the server listens");
        }
        Ok(Err(_)) | Err(_) => {
            tracing::warn!("standard output does not take the line that the server listens");
        }
    }
}

fn announcement(options: &Options, scheme: &str, address: SocketAddr, admin: Option<SocketAddr>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let (database, is_stored) = match &options.database {
        Database::Memory => (":memory:".to_owned(), false),
        Database::File(path) => (path.display().to_string(), options.history == Switch::On),
    };
    let history = if is_stored { "" } else { ", messages are not stored" };
    let admin = admin.map_or(String::new(), |address| format!(", admin: http://{address}"));
    format!(
        "chatd {version} listens on {scheme}://{address} (database: {database}{history}{admin}); press Ctrl-C to stop it"
    )
}

fn finish(outcome: Result<(), StoreError>) {
    match outcome {
        Ok(()) => tracing::info!("stopped"),
        Err(error) => {
            tracing::warn!(%error, "stopped, but some presence rows are left; the next start removes them");
        }
    }
}
