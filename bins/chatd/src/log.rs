//! The log: to standard error, and filtered.

use std::io::{self, IsTerminal};

use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::traces::Traces;

/// A filter that says nothing.
#[derive(Debug, thiserror::Error)]
#[error("the log filter {filter:?} can't be understood: {reason}")]
pub(crate) struct FilterError {
    filter: String,
    reason: String,
}

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

/// The log, whose filter can change.
#[derive(Debug, Clone)]
pub(crate) struct Log(reload::Handle<EnvFilter, Registry>);

impl Log {
    /// Begins to log. Once in a process.
    pub(crate) fn start(filter: &str, format: LogFormat, traces: &Traces) -> Result<Self, FilterError> {
        let (filter, handle) = reload::Layer::new(understand(filter)?);
        let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
        let lines = match format.for_stderr() {
            LogFormat::Json => lines.json().flatten_event(true).boxed(),
            LogFormat::Auto | LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        };
        // what is traced and what is logged are asked for apart
        let lines = lines.with_filter(filter_fn(|line| !quotes(line))).with_filter(filter);
        tracing_subscriber::registry().with(lines).with(traces.layer()).init();
        Ok(Self(handle))
    }

    /// Logs what this filter lets through from now on.
    pub(crate) fn filter(&self, filter: &str) -> Result<(), FilterError> {
        let understood = understand(filter)?;
        self.0
            .reload(understood)
            .map_err(|error| FilterError { filter: filter.to_owned(), reason: error.to_string() })
    }
}

/// Whether a line may have what people say in it, whatever filter lets it through: below warnings the WebSocket library quotes messages.
fn quotes(line: &Metadata<'_>) -> bool {
    let is_from = |library| line.target().split("::").next() == Some(library);
    *line.level() > Level::WARN && (is_from("tungstenite") || is_from("tokio_tungstenite"))
}

fn understand(filter: &str) -> Result<EnvFilter, FilterError> {
    EnvFilter::try_new(filter)
        .map_err(|error| FilterError { filter: filter.to_owned(), reason: error.to_string() })
}
