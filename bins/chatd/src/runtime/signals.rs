//! Signals: Ctrl-C and SIGTERM stop the server, SIGHUP reloads its configuration.

use std::io;
use std::time::Duration;

use crate::runtime::log::Log;

/// How long flushing the log may delay an immediate exit.
const LOG_FLUSH_TIMEOUT: Duration = Duration::from_millis(100);

/// Sent when a write exceeds the limit on file sizes (signal(7)).
#[cfg(target_os = "linux")]
const SIGXFSZ: i32 = 25;

/// The signals that stop the server.
pub(crate) struct ShutdownSignals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    /// Never read. With a handler, a write over the limit on file sizes fails with an error, which
    /// is handled, instead of killing the process (setrlimit(2)).
    #[cfg(target_os = "linux")]
    _file_size: tokio::signal::unix::Signal,
}

impl ShutdownSignals {
    pub(crate) fn install() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?,
            #[cfg(target_os = "linux")]
            _file_size: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(SIGXFSZ))?,
        })
    }

    /// Waits for the first signal. A second signal exits the process immediately.
    pub(crate) async fn first(mut self, log: Log) {
        self.next().await;
        tracing::info!("shutting down; a second signal ends the server at once");
        tokio::spawn(async move {
            self.next().await;
            log.flush(LOG_FLUSH_TIMEOUT);
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

/// The signal that reloads the configuration. From its installation on, SIGHUP does not kill the
/// process.
#[derive(Debug)]
pub(crate) struct ReloadSignals {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

impl ReloadSignals {
    pub(crate) fn install() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?,
        })
    }

    /// Waits for the next signal. Never resolves on systems other than Unix.
    pub(crate) async fn next(&mut self) {
        #[cfg(unix)]
        self.signal.recv().await;
        #[cfg(not(unix))]
        std::future::pending::<()>().await;
    }
}
