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

use crate::cli::log_filter::Filter;
use crate::runtime::traces::Traces;

use writer::Lines;

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    Text,
    Json,
}

impl LogFormat {
    fn for_stderr(self) -> Self {
        match self {
            Self::Auto if io::stderr().is_terminal() => Self::Text,
            Self::Auto => Self::Json,
            chosen => chosen,
        }
    }
}

/// The log, whose filter can change. Nothing waits for it: where standard error does not take its lines, they are dropped and counted.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    filter: reload::Handle<EnvFilter, Registry>,
    lines: Lines,
}

impl Log {
    /// Begins to log. Once in a process.
    ///
    /// # Errors
    /// What the system says about the log's thread.
    pub(crate) fn start(filter: &Filter, format: LogFormat, traces: &Traces) -> io::Result<Self> {
        let (filter, handle) = reload::Layer::new(filter.to_env_filter());
        let lines = Lines::start(stderr())?;
        // an event that can't be formatted would be reported on standard error, which may block
        let layer = tracing_subscriber::fmt::layer().with_writer(lines.clone()).log_internal_errors(false);
        let layer = match format.for_stderr() {
            LogFormat::Json => layer.json().flatten_event(true).boxed(),
            LogFormat::Auto | LogFormat::Text => layer.with_ansi(io::stderr().is_terminal()).boxed(),
        };
        // what is traced and what is logged are asked for apart
        let layer = layer.with_filter(filter_fn(|line| !quotes(line))).with_filter(filter);
        tracing_subscriber::registry().with(layer).with(traces.layer()).init();
        // the usual hook writes to standard error, which may block
        std::panic::set_hook(Box::new(log_panic));
        Ok(Self { filter: handle, lines })
    }

    /// Logs what this filter lets through from now on.
    ///
    /// # Errors
    /// The log has ended.
    pub(crate) fn filter(&self, filter: &Filter) -> Result<(), reload::Error> {
        self.filter.reload(filter.to_env_filter())
    }

    /// How many lines were dropped since the start.
    pub(crate) fn dropped(&self) -> u64 {
        self.lines.dropped()
    }

    /// Waits until everything that was logged is written, but no longer than `patience`.
    pub(crate) fn flush(&self, patience: Duration) {
        self.lines.flush(patience);
    }
}

/// Standard error, without the lock that the whole process shares: the log's thread may hold up nobody else who writes there.
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

/// Logs a panic as any other error.
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

/// Whether a line may have what people say in it, whatever filter lets it through: below warnings the WebSocket library quotes messages.
fn quotes(line: &Metadata<'_>) -> bool {
    let is_from = |library| line.target().split("::").next() == Some(library);
    *line.level() > Level::WARN && (is_from("tungstenite") || is_from("tokio_tungstenite"))
}
