//! Metrics for Prometheus.

use std::time::Duration;

use metrics::gauge;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;

use crate::runtime::log::Log;

/// The buckets of all histograms of durations, in seconds: from the time of a fan-out to that of a
/// disk that hangs.
const SECONDS: [f64; 16] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    10.0,
];

/// How often durations are added to their buckets if nothing scrapes the metrics. Until then every
/// single value is kept.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The number of log lines that were dropped.
const DROPPED_LINES: &str = "chatd_log_dropped_lines_total";

/// The metrics of the process.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    recorder: PrometheusHandle,
    process: Collector,
    log: Log,
}

impl Metrics {
    /// Installs the recorder. Call it once in a process, before the server is built: a counter
    /// looks up the recorder when it is made.
    pub(crate) fn install(log: Log) -> Result<Self, BuildError> {
        let builder =
            PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)?;
        let recorder = builder.install_recorder()?;
        let process = Collector::default();
        process.describe();
        metrics::describe_gauge!("chatd_build_info", "Always 1; the label has the version");
        metrics::describe_counter!(
            DROPPED_LINES,
            "Log lines that were dropped because standard error did not take them in time"
        );
        gauge!("chatd_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        Ok(Self { recorder, process, log })
    }

    /// All metrics, in the text format.
    pub(crate) fn render(&self) -> String {
        self.process.collect();
        metrics::counter!(DROPPED_LINES).absolute(self.log.dropped());
        self.recorder.render()
    }

    /// Bounds the memory of the recorder, forever.
    pub(crate) async fn run_upkeep(self) {
        let mut ticks = tokio::time::interval(UPKEEP_INTERVAL);
        loop {
            ticks.tick().await;
            self.recorder.run_upkeep();
        }
    }
}
