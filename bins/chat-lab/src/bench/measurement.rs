//! One measurement: a server that is started for it, on a CPU of its own, under one load.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::time::Duration;

use chat_load::{LoadError, Report};

use super::workload::Workload;
use crate::server::{Sandbox, Server, StartError};

/// A measurement failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum BenchError {
    #[error("no case has {0:?} in its name; without a name all cases run")]
    NoCase(String),
    #[error(transparent)]
    NotStarted(#[from] StartError),
    #[error("{case}: {error}")]
    Load { case: &'static str, error: LoadError },
    #[error("{case}: messages were lost, duplicated or out of order: {faults}")]
    Faults { case: &'static str, faults: String },
    #[error("the CPU time and memory of a server are read from /proc, which this system does not have")]
    NoProc,
    #[error(transparent)]
    System(#[from] io::Error),
}

/// What all measurements of a comparison have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) server_cpu: usize,
    pub(super) duration: Duration,
}

/// Starts a server, puts the load on it, and stops it.
pub(super) fn measure<A: AsRef<OsStr>>(
    case: &'static str,
    program: &Path,
    arguments: &[A],
    workload: Workload,
    settings: Settings,
) -> Result<Report, BenchError> {
    let sandbox = Sandbox::new(Some(settings.server_cpu))?;
    let server = Server::start(program, &sandbox, arguments)?;
    let plan = workload.plan(server.address, settings.duration);
    let outcome = chat_load::run(&plan, Some(server.pid()), |_| ());
    let report = Report::new(&plan, &outcome.map_err(|error| BenchError::Load { case, error })?);
    if !report.is_complete() {
        return Err(BenchError::Faults { case, faults: format!("{:?}", report.faults) });
    }
    if report.server.is_none() {
        return Err(BenchError::NoProc);
    }
    Ok(report)
}
