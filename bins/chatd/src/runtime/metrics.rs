//! What is counted and timed, kept for Prometheus.

use std::time::Duration;

use metrics::gauge;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;

use crate::runtime::log::Log;

/// The buckets of everything that is timed, in seconds: from what a fan-out takes to what a disk that hangs does.
const SECONDS: [f64; 16] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    10.0,
];

/// How often what was timed is put into its buckets where nobody asks: until then every single time is kept.
const UPKEEP: Duration = Duration::from_secs(5);

/// The metrics of the process.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    kept: PrometheusHandle,
    process: Collector,
    log: Log,
}

/// How many log lines were dropped.
const DROPPED_LINES: &str = "chatd_log_dropped_lines_total";

impl Metrics {
    /// Begins to keep them: once in a process, and before what is to be counted is made.
    pub(crate) fn install(log: Log) -> Result<Self, BuildError> {
        let builder =
            PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)?;
        let kept = builder.install_recorder()?;
        let process = Collector::default();
        process.describe();
        metrics::describe_gauge!("chatd_build_info", "Always 1; the label has the version");
        metrics::describe_counter!(
            DROPPED_LINES,
            "Log lines that were dropped because standard error did not take them in time"
        );
        gauge!("chatd_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        Ok(Self { kept, process, log })
    }

    /// All of them, in the text format.
    pub(crate) fn render(&self) -> String {
        self.process.collect();
        metrics::counter!(DROPPED_LINES).absolute(self.log.dropped());
        self.kept.render()
    }

    /// Keeps the memory of it in bounds, for ever.
    pub(crate) async fn keep_up(self) {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            ticks.tick().await;
            self.kept.run_upkeep();
        }
    }
}
