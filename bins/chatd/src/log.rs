//! The log: to standard error, and filtered.

use std::io::{self, IsTerminal};

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, reload};

/// A filter that says nothing.
#[derive(Debug, thiserror::Error)]
#[error("the log filter {filter:?} can't be understood: {reason}")]
pub(crate) struct FilterError {
    filter: String,
    reason: String,
}

/// The log, whose filter can change.
#[derive(Debug, Clone)]
pub(crate) struct Log(reload::Handle<EnvFilter, Registry>);

impl Log {
    /// Begins to log. Once in a process.
    pub(crate) fn start(filter: &str) -> Result<Self, FilterError> {
        let (filter, handle) = reload::Layer::new(understand(filter)?);
        let lines =
            tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
        tracing_subscriber::registry().with(filter).with(lines).init();
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

fn understand(filter: &str) -> Result<EnvFilter, FilterError> {
    EnvFilter::try_new(filter)
        .map_err(|error| FilterError { filter: filter.to_owned(), reason: error.to_string() })
}
