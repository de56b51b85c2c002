//! `chatd serve`: runs the server until a signal stops it.

mod announce;
mod listeners;
mod storage;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use chat_admin::Admin;
use chat_history::HistoryError;
use chat_history::{SqliteUserMessages, UserMessages};
use chat_presence::StoreError;
use chat_search::SqliteIndex;
use chat_server::Config;
use chat_usage::Usage;

use crate::cli::{
    DEFAULT_ADMIN_LISTEN, FilterFileError, JwtOptionsError, Options, Secret, Switch, TokenError,
};
use crate::config::Configuration;
use crate::runtime::certificate::{self, CertificateError};
use crate::runtime::descriptors;
use crate::runtime::listen::ListenError;
use crate::runtime::log::Log;
use crate::runtime::memory;
use crate::runtime::metrics::Metrics;
use crate::runtime::reload::Reload;
use crate::runtime::service_manager;
use crate::runtime::signals::{ReloadSignals, ShutdownSignals};
use crate::runtime::traces::{Traces, TracesError};
use announce::announce;
use listeners::{AdminListener, Listeners};
use storage::Storage;

/// How long the database may take to close. If it takes longer, it never closes.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the last lines of the log may take.
const LOG_FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

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
    Open(#[from] chat_db::sqlite::OpenError),
    #[error("the database can't be written: {0}")]
    Store(#[from] StoreError),
    #[error("the database can't be written: {0}")]
    History(#[from] HistoryError),
    #[error("the database can't be written: {0}")]
    Accounts(#[from] chat_accounts::StoreError),
    #[error(transparent)]
    Filter(#[from] FilterFileError),
    #[error(transparent)]
    JwtOptions(#[from] JwtOptionsError),
    #[error("the keys of the identity provider can't be read: {0}")]
    JwtKeys(#[from] chat_accounts::JwtKeyError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("the index for searches can't be opened: {0}")]
    Index(#[from] chat_search::SearchError),
    #[error("can't keep metrics: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    #[error("the system refused what the server needs: {0}")]
    System(#[from] io::Error),
}

/// Runs a server until a signal stops it.
pub(super) fn run(options: &Options, configuration: &Configuration) -> Result<(), StartError> {
    let traces = Traces::start(options.trace_endpoint.0.as_deref(), options.trace_sample.0)?;
    let log = Log::start(&options.log, options.log_format, &traces)?;
    for warning in configuration.warnings() {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(serve(options, configuration, log.clone()));
    // blocking calls that hang do not delay the end of the process
    runtime.shutdown_background();
    // sends the remaining traces
    drop(traces);
    log.flush(LOG_FLUSH_TIMEOUT);
    outcome
}

async fn serve(options: &Options, configuration: &Configuration, log: Log) -> Result<(), StartError> {
    let (shutdown, reloads) = (ShutdownSignals::install()?, ReloadSignals::install()?);
    let tls = certificate::open(options)?;
    let token = options.admin_token()?;
    let Listeners { chat, admin } = Listeners::open(options, configuration).await?;
    // Only the admin listener serves metrics. The server looks up the recorder when it is built.
    let metrics = admin.is_some().then(|| Metrics::install(log.clone())).transpose()?;
    let mut config = Config { tls: tls.clone(), ..options.config() };
    config.abuse.filter = options.read_filter()?;
    let descriptor_limit = descriptors::raise_limit(&mut config);

    let Storage { database, index, server } = storage::start_server(options, chat, config).await?;
    let control = server.control();
    tokio::spawn(Reload::new(control.clone(), tls.clone(), log.clone(), configuration).run(reloads));
    tokio::spawn(memory::watch(control.clone(), options.max_memory));
    let usage = database.clone().map(|database| Usage::new(database, control.engine().clone()));
    if let Some(usage) = usage.clone() {
        tokio::spawn(usage.run(options.usage_days()));
    }
    let admin_address = admin.as_ref().map(AdminListener::local_addr).transpose()?;
    let is_other_port = admin.as_ref().is_some_and(|admin| admin.is_default)
        && admin_address.is_some_and(|address| address.to_string() != DEFAULT_ADMIN_LISTEN);
    let users = database.clone().filter(|_| options.history == Switch::On).map(SqliteUserMessages::new);
    let users = users.map(|users| Arc::new(users) as Arc<dyn UserMessages>);
    let admin = admin.zip(metrics).map(|(listener, metrics)| {
        let admin = Admin::new(control.clone()).usage(usage.clone()).users(users);
        spawn_admin(admin, listener, metrics, token.as_ref())
    });

    announce(options, tls.is_some(), server.local_addr()?, admin_address).await;
    if let Some(address) = admin_address.filter(|_| is_other_port) {
        tracing::warn!(
            %address,
            "the default admin port is in use, so the admin listener has another one: chatd admin needs --url http://{address}"
        );
    }
    descriptor_limit.log();
    tokio::spawn(service_manager::send_watchdog(control));
    service_manager::ready("serving");
    let ending = async {
        shutdown.first(log).await;
        service_manager::stopping();
    };
    log_outcome(server.run(ending).await);
    if let Some(admin) = admin {
        admin.abort();
    }
    close(usage, index, database).await;
    Ok(())
}

/// Starts to serve the admin listener.
fn spawn_admin(
    admin: Admin,
    listener: AdminListener,
    metrics: Metrics,
    token: Option<&Secret>,
) -> tokio::task::JoinHandle<io::Result<()>> {
    tokio::spawn(metrics.clone().run_upkeep());
    let admin = admin.metrics(move || metrics.render());
    let admin = match token {
        Some(token) => admin.token(token.expose()),
        None => admin,
    };
    tokio::spawn(admin.serve(listener.into_inner()))
}

fn log_outcome(outcome: Result<(), StoreError>) {
    match outcome {
        Ok(()) => tracing::info!("stopped"),
        Err(error) => {
            tracing::warn!(%error, "stopped, but some presence rows are left; the next start removes them");
        }
    }
}

/// Saves the last usage statistics, and closes the index and the database, each within
/// [`CLOSE_TIMEOUT`].
async fn close(
    usage: Option<Usage>,
    index: Option<SqliteIndex>,
    database: Option<chat_db::sqlite::Database>,
) {
    if let Some(usage) = usage
        && let Ok(Err(error)) = tokio::time::timeout(CLOSE_TIMEOUT, usage.save()).await
    {
        tracing::warn!(%error, "could not save the usage statistics of the last minute");
    }
    if let Some(index) = index
        && tokio::time::timeout(CLOSE_TIMEOUT, index.close()).await.is_err()
    {
        tracing::warn!("the index for searches did not close in time; it is checked at the next start");
    }
    if let Some(database) = database
        && tokio::time::timeout(CLOSE_TIMEOUT, database.close()).await.is_err()
    {
        tracing::warn!("the database did not close in time");
    }
}
