//! `chatd serve`: runs the server until a signal stops it.

mod announce;
mod listeners;
mod storage;

use std::io;
use std::time::Duration;

use chat_admin::Admin;
use chat_history::HistoryError;
use chat_presence::StoreError;
use chat_server::Config;
use chat_usage::Usage;

use crate::cli::{
    DEFAULT_ADMIN_LISTEN, DatabaseUrlError, FilterFileError, JwtOptionsError, Options, Secret, Switch,
    TokenError,
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
use storage::{Opened, Storage};

/// How long the last usage statistics may take.
const SAVE_TIMEOUT: Duration = Duration::from_secs(1);

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
    OpenFile(#[from] chat_db::sqlite::OpenError),
    #[error(transparent)]
    OpenPostgres(#[from] chat_db::postgres::OpenError),
    #[error(transparent)]
    DatabaseUrl(#[from] DatabaseUrlError),
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
    #[error("the database is another one than before, and the server can't be started again: {0}")]
    Restart(#[source] io::Error),
    #[error("can't keep metrics: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    #[error("the system refused what the server needs: {0}")]
    System(#[from] io::Error),
}

/// Why the server has ended.
enum Ended {
    /// A signal has stopped it.
    Stopped,
    /// The database is another one than before, so nothing that is in memory holds any more.
    DatabaseReplaced,
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
    match outcome? {
        Ended::Stopped => Ok(()),
        Ended::DatabaseReplaced => Err(restart()),
    }
}

/// Starts the program again in this process, as it was started. Returns why that failed.
#[cfg(unix)]
fn restart() -> StartError {
    use std::os::unix::process::CommandExt;

    let restarted = std::env::current_exe().map(|program| {
        let mut arguments = std::env::args_os();
        let mut command = std::process::Command::new(program);
        if let Some(name) = arguments.next() {
            command.arg0(name);
        }
        command.args(arguments).exec()
    });
    StartError::Restart(restarted.unwrap_or_else(|error| error))
}

#[cfg(not(unix))]
fn restart() -> StartError {
    StartError::Restart(io::Error::other("not supported on this operating system"))
}

async fn serve(options: &Options, configuration: &Configuration, log: Log) -> Result<Ended, StartError> {
    let (shutdown, reloads) = (ShutdownSignals::install()?, ReloadSignals::install()?);
    let tls = certificate::open(options)?;
    let token = options.admin_token()?;
    let Listeners { chat, admin } = Listeners::open(options, configuration).await?;
    // Only the admin listener serves metrics. The server looks up the recorder when it is built.
    let metrics = admin.is_some().then(|| Metrics::install(log.clone())).transpose()?;
    let mut config = Config { tls: tls.clone(), ..options.config() };
    config.abuse.filter = options.read_filter()?;
    let descriptor_limit = descriptors::raise_limit(&mut config);

    let Storage { server, opened } = storage::start_server(options, chat, config).await?;
    let control = server.control();
    tokio::spawn(Reload::new(control.clone(), tls.clone(), log.clone(), configuration).run(reloads));
    tokio::spawn(memory::watch(control.clone(), options.max_memory));
    let usage = opened.as_ref().map(|opened| opened.usage(control.engine().clone()));
    if let Some(usage) = usage.clone() {
        tokio::spawn(usage.run(options.usage_days()));
    }
    let admin_address = admin.as_ref().map(AdminListener::local_addr).transpose()?;
    let is_other_port = admin.as_ref().is_some_and(|admin| admin.is_default)
        && admin_address.is_some_and(|address| address.to_string() != DEFAULT_ADMIN_LISTEN);
    let users = opened.as_ref().filter(|_| options.history == Switch::On).map(Opened::user_messages);
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
    let mut is_replaced = false;
    let ending = async {
        tokio::select! {
            () = shutdown.first(log) => service_manager::stopping(),
            () = replaced(opened.as_ref()) => is_replaced = true,
        }
    };
    log_outcome(server.run(ending).await);
    if let Some(admin) = admin {
        admin.abort();
    }
    close(usage, opened).await;
    Ok(if is_replaced { Ended::DatabaseReplaced } else { Ended::Stopped })
}

/// Resolves when the database is another one than before.
async fn replaced(opened: Option<&Opened>) {
    match opened {
        Some(opened) => opened.replaced().await,
        None => std::future::pending().await,
    }
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

/// Saves the last usage statistics within [`SAVE_TIMEOUT`], and closes the database.
async fn close(usage: Option<Usage>, opened: Option<Opened>) {
    if let Some(usage) = usage
        && let Ok(Err(error)) = tokio::time::timeout(SAVE_TIMEOUT, usage.save()).await
    {
        tracing::warn!(%error, "could not save the usage statistics of the last minute");
    }
    if let Some(opened) = opened {
        opened.close().await;
    }
}
