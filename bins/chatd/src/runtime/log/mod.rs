//! The log: filtered, and written to standard error by a thread of its own.

mod writer;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal};
use std::panic::PanicHookInfo;
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::cli::{LogFilter, LogFormat};
use crate::runtime::traces::Traces;
use writer::LogWriter;

/// The format of log lines on this standard error: text or JSON.
fn for_stderr(format: LogFormat) -> LogFormat {
    match format {
        LogFormat::Auto if io::stderr().is_terminal() => LogFormat::Text,
        LogFormat::Auto => LogFormat::Json,
        chosen => chosen,
    }
}

/// The log, whose filter can change. Logging never blocks: lines that standard error does not
/// accept in time are dropped and counted.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    filter: reload::Handle<EnvFilter, Registry>,
    writer: LogWriter,
}

impl Log {
    /// Starts the log. Call it once in a process.
    ///
    /// # Errors
    /// The system does not start the thread that writes the log.
    pub(crate) fn start(filter: &LogFilter, format: LogFormat, traces: &Traces) -> io::Result<Self> {
        let (filter, handle) = reload::Layer::new(filter.to_env_filter());
        let writer = LogWriter::start(stderr())?;
        // the library would report an event that can't be formatted on standard error, which may
        // block
        let layer = tracing_subscriber::fmt::layer().with_writer(writer.clone()).log_internal_errors(false);
        let layer = match for_stderr(format) {
            LogFormat::Json => layer.json().flatten_event(true).boxed(),
            LogFormat::Auto | LogFormat::Text => layer.with_ansi(io::stderr().is_terminal()).boxed(),
        };
        // the filters apply to this layer only, not to the traces
        let layer = layer.with_filter(filter_fn(|line| !may_quote_messages(line))).with_filter(filter);
        tracing_subscriber::registry().with(layer).with(traces.layer()).init();
        // the default hook writes to standard error, which may block
        std::panic::set_hook(Box::new(log_panic));
        Ok(Self { filter: handle, writer })
    }

    /// Replaces the filter.
    ///
    /// # Errors
    /// The log has ended.
    pub(crate) fn set_filter(&self, filter: &LogFilter) -> Result<(), reload::Error> {
        self.filter.reload(filter.to_env_filter())
    }

    /// The number of lines that were dropped since the start.
    pub(crate) fn dropped(&self) -> u64 {
        self.writer.dropped()
    }

    /// Waits until all lines are written, for `timeout` at most.
    pub(crate) fn flush(&self, timeout: Duration) {
        self.writer.flush(timeout);
    }
}

/// Standard error without the lock that the whole process shares, so that a blocked log thread does
/// not block other writers.
#[cfg(unix)]
fn stderr() -> Box<dyn io::Write + Send> {
    use std::os::fd::AsFd;

    match io::stderr().as_fd().try_clone_to_owned() {
        Ok(descriptor) => Box::new(std::fs::File::from(descriptor)),
        Err(_) => Box::new(io::stderr()),
    }
}

#[cfg(not(unix))]
fn stderr() -> Box<dyn io::Write + Send> {
    Box::new(io::stderr())
}

/// Logs a panic as an error.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let payload = panic.payload();
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message");
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let backtrace = Backtrace::capture();
    match backtrace.status() {
        BacktraceStatus::Captured => tracing::error!(thread, location, %backtrace, "panic: {message}"),
        _ => tracing::error!(thread, location, "panic: {message}"),
    }
}

/// Whether a line may contain the text of messages: below the level of warnings, the WebSocket
/// library quotes messages. Such lines are dropped, whatever the filter says.
fn may_quote_messages(line: &Metadata<'_>) -> bool {
    let is_from = |library| line.target().split("::").next() == Some(library);
    *line.level() > Level::WARN && (is_from("tungstenite") || is_from("tokio_tungstenite"))
}
