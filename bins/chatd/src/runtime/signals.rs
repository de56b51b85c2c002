//! What tells the server to end, Ctrl-C and SIGTERM; and to read its configuration anew, SIGHUP.

use std::io;
use std::time::Duration;

use crate::runtime::log::Log;

/// How long the log may hold up an end that is to come at once.
const LAST_LINES: Duration = Duration::from_millis(100);

/// A write went over the limit on file sizes (signal(7)).
#[cfg(target_os = "linux")]
const SIGXFSZ: i32 = 25;

/// What tells the server to end.
pub(crate) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    /// Never looked at. Having it makes a write over the limit on file sizes an error of that write, which is handled, instead
    /// of the end of the process (setrlimit(2)).
    #[cfg(target_os = "linux")]
    _file_size: tokio::signal::unix::Signal,
}

impl Signals {
    pub(crate) fn install() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?,
            #[cfg(target_os = "linux")]
            _file_size: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(SIGXFSZ))?,
        })
    }

    /// Resolves at the first; a second one ends the process at once.
    pub(crate) async fn first(mut self, log: Log) {
        self.next().await;
        tracing::info!("shutting down; a second signal ends the server at once");
        tokio::spawn(async move {
            self.next().await;
            log.flush(LAST_LINES);
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

/// What tells the server to read its configuration anew. From its making on SIGHUP does not end the process any more.
#[derive(Debug)]
pub(crate) struct HangUps {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

impl HangUps {
    pub(crate) fn install() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?,
        })
    }

    /// Resolves with each. Elsewhere than on Unix never.
    pub(crate) async fn next(&mut self) {
        #[cfg(unix)]
        self.signal.recv().await;
        #[cfg(not(unix))]
        std::future::pending::<()>().await;
    }
}
