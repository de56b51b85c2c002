//! The figures of a report that comparisons use.

use chat_load::Report;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Figure {
    DeliveriesPerSecond,
    /// Microseconds of the server's CPU time.
    CpuPerDelivery,
    /// Nanoseconds of the server's CPU time.
    CpuPerByte,
    P50Milliseconds,
    P99Milliseconds,
    KibPerConnection,
    /// The share of one CPU that the server used, in percent.
    CpuPercent,
    JoiningMilliseconds,
    /// The growth of the server's memory once all members have joined, in MiB.
    GrowthMib,
}

impl Figure {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::DeliveriesPerSecond => "deliveries/s",
            Self::CpuPerDelivery => "CPU us/delivery",
            Self::CpuPerByte => "CPU ns/byte",
            Self::P50Milliseconds => "p50 ms",
            Self::P99Milliseconds => "p99 ms",
            Self::KibPerConnection => "KiB/connection",
            Self::CpuPercent => "% of one core",
            Self::JoiningMilliseconds => "ms until all joined",
            Self::GrowthMib => "MiB growth, peak",
        }
    }

    /// The value in a report. NaN if it was not measured.
    pub(super) fn of(self, report: &Report) -> f64 {
        let server = report.server.as_ref();
        let figure = match self {
            Self::DeliveriesPerSecond => Some(report.deliveries_per_second),
            Self::CpuPerDelivery => server.and_then(|server| server.us_per_delivery),
            Self::CpuPerByte => server.and_then(|server| server.ns_per_byte),
            Self::P50Milliseconds => report.latency.map(|latency| latency.p50),
            Self::P99Milliseconds => report.latency.map(|latency| latency.p99),
            Self::KibPerConnection => server.map(|server| server.kib_per_connection.unwrap_or(0.0)),
            Self::CpuPercent => server.map(|server| 100.0 * server.processors),
            Self::JoiningMilliseconds => Some(report.joining_ms),
            Self::GrowthMib => server.map(|server| server.growth_mib),
        };
        figure.unwrap_or(f64::NAN)
    }
}
