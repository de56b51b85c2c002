//! What a server process needs around the server: the log, signals, listeners, limits, metrics.

pub(crate) mod certificate;
pub(crate) mod descriptors;
pub(crate) mod listen;
pub(crate) mod log;
pub(crate) mod memory;
pub(crate) mod metrics;
pub(crate) mod reload;
pub(crate) mod service_manager;
pub(crate) mod signals;
pub(crate) mod traces;
