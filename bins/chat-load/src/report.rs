//! The figures of a run, for people and for programs.

use std::collections::BTreeMap;
use std::time::Duration;

use comfy_table::{Table, presets};
use serde::Serialize;

use crate::format::{counted, number};
use crate::measure::{Faults, Latency};
use crate::plan::{Dialect, LoopMode, Plan};
use crate::run::{ChurnStats, FloodStats, Outcome, ServerUsage};

/// The resident memory of a process varies by some pages: less growth is not what connections use.
const MIN_GROWTH: u64 = 64 << 10;

/// The figures of a run. Times are in milliseconds unless a name contains another unit.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The protocol of the clients.
    pub dialect: Dialect,
    /// The number of rooms.
    pub rooms: usize,
    /// The members of each room.
    pub members: usize,
    /// The publishers of each room.
    pub publishers: usize,
    /// The members of each room that stopped reading.
    pub stalled_readers: usize,
    /// The planned messages per second. `None` in a closed loop.
    pub rate: Option<f64>,
    /// The messages of each publisher in flight. `None` in an open loop.
    pub in_flight: Option<usize>,
    /// The length of a message's text, in bytes.
    pub size: usize,
    /// The duration of the measurement.
    pub seconds: f64,
    /// The time until all connections were open.
    pub connecting_ms: f64,
    /// The time from then on until all members had joined.
    pub joining_ms: f64,
    /// The time that each join took.
    pub join: Option<Percentiles>,
    /// Messages sent per second.
    pub sent_per_second: f64,
    /// Messages per second that arrived back at their publishers.
    pub echoed_per_second: f64,
    /// Messages that arrived at a member during the measurement.
    pub deliveries: u64,
    /// The same per second.
    pub deliveries_per_second: f64,
    /// Bytes that all connections read per second.
    pub bytes_per_second: f64,
    /// The time from when a message was due until a member read it.
    pub latency: Option<Percentiles>,
    /// Messages that did not arrive once and in order.
    pub faults: Faults,
    /// Connections that ended, by reason.
    pub ended: BTreeMap<String, u64>,
    /// Errors of the server, by text.
    pub errors: BTreeMap<String, u64>,
    /// Additional sessions that joined and left.
    pub churn: Option<ChurnStats>,
    /// Additional clients that flooded.
    pub flood: Option<FloodStats>,
    /// The usage of the server's process, if it was measured.
    pub server: Option<ServerReport>,
    /// The CPU time that the load itself used for each delivery, in microseconds.
    pub load_us_per_delivery: Option<f64>,
    /// The CPUs that the load itself used: 1 is one busy CPU.
    pub load_processors: Option<f64>,
    /// What may distort the figures.
    pub notes: Vec<String>,
}

/// Percentiles of a distribution, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
#[non_exhaustive]
pub struct Percentiles {
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The 99.9th percentile.
    #[serde(rename = "p99.9")]
    pub p99_9: f64,
    /// The maximum.
    pub max: f64,
}

/// The usage of the server's process.
#[derive(Debug, Clone, Copy, Serialize)]
#[non_exhaustive]
pub struct ServerReport {
    /// The CPU time for each delivery, in microseconds. `None` without deliveries.
    pub us_per_delivery: Option<f64>,
    /// The CPU time for each byte that was delivered, in nanoseconds.
    pub ns_per_byte: Option<f64>,
    /// The CPUs that the server used: 1 is one busy CPU.
    pub processors: f64,
    /// The memory of each connection, once all members have joined and before the first message.
    /// `None` if it is below what can be measured.
    pub kib_per_connection: Option<f64>,
    /// The maximum memory from then on.
    pub peak_mib: f64,
    /// The growth from then on to the maximum.
    pub growth_mib: f64,
}

impl Report {
    /// The figures of a run of `plan`.
    pub fn new(plan: &Plan, outcome: &Outcome) -> Self {
        let tally = &outcome.tally;
        let seconds = outcome.measured_for.as_secs_f64();
        let each = |time: Duration, count: u64| (count > 0).then(|| time.as_secs_f64() / count as f64);
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let server = outcome.server.map(|server| ServerReport {
            us_per_delivery: each(server.cpu_time, tally.deliveries).map(|each| each * 1e6),
            ns_per_byte: each(server.cpu_time, tally.bytes).map(|each| each * 1e9),
            processors: server.cpu_time.as_secs_f64() / seconds,
            kib_per_connection: kib_per_connection(&server, plan.connections()),
            peak_mib: mib(server.resident_peak),
            growth_mib: mib(server.resident_peak.saturating_sub(server.resident_joined)),
        });
        let load_us = outcome.load_cpu.and_then(|own| each(own, tally.deliveries)).map(|each| each * 1e6);
        let (rate, in_flight) = match plan.mode {
            LoopMode::Open(rate) => (Some(rate), None),
            LoopMode::Closed(in_flight) => (None, Some(in_flight)),
        };
        let mut report = Self {
            dialect: plan.dialect,
            rooms: plan.rooms,
            members: plan.members,
            publishers: plan.publishers,
            stalled_readers: plan.stalled_readers,
            rate,
            in_flight,
            size: plan.size,
            seconds,
            connecting_ms: milliseconds(outcome.connecting),
            joining_ms: milliseconds(outcome.joining),
            join: Percentiles::of(&tally.join_latency),
            sent_per_second: tally.sent as f64 / seconds,
            echoed_per_second: tally.echoed as f64 / seconds,
            deliveries: tally.deliveries,
            deliveries_per_second: tally.deliveries as f64 / seconds,
            bytes_per_second: tally.bytes as f64 / seconds,
            latency: Percentiles::of(&tally.latency),
            faults: tally.faults,
            ended: tally.ended.clone(),
            errors: tally.errors.clone(),
            churn: (plan.churn > 0.0).then_some(outcome.churn),
            flood: outcome.flood,
            server,
            load_us_per_delivery: load_us,
            load_processors: outcome.load_cpu.map(|own| own.as_secs_f64() / seconds),
            notes: Vec::new(),
        };
        report.add_notes(plan, tally.rate_limit);
        report
    }

    fn add_notes(&mut self, plan: &Plan, rate_limit: f64) {
        let publishers = (plan.rooms * plan.publishers) as f64;
        if let Some(rate) = self.rate.filter(|_| publishers > 0.0) {
            if rate_limit > 0.0 && rate / publishers > rate_limit {
                self.notes.push(format!(
                    "each sender should send {:.0} messages/s, but the rate limit of the server is {rate_limit:.0} per session \
                     (chatd: --message-rate)",
                    rate / publishers
                ));
            }
            if self.sent_per_second < 0.98 * rate {
                self.notes.push("fewer messages were sent than --rate asks for: the server read too slowly, or chat-load was at its limit".into());
            }
        } else if rate_limit > 0.0 && publishers > 0.0 {
            self.notes.push(format!(
                "the rate limit of the server is {rate_limit:.0} messages/s per session (chatd: --message-rate 0 turns it off)"
            ));
        }
        if self.load_processors.is_some_and(|processors| processors > 0.9 * plan.threads as f64) {
            self.notes
                .push("chat-load was busy all the time and may be the bottleneck; raise --threads".into());
        }
    }

    /// The load in one line.
    pub fn load(&self) -> String {
        let rate = match (self.rate, self.in_flight) {
            (_, Some(count)) => format!("{} in flight per sender", counted(count, "message")),
            (Some(rate), None) => format!("{} messages/s in total", number(rate)),
            (None, None) => String::new(),
        };
        format!(
            "{}, {}, {} and {} per room, {rate}, {} of text, {} s",
            self.dialect,
            counted(self.rooms, "room"),
            counted(self.members, "member"),
            counted(self.publishers, "sender"),
            counted(self.size, "byte"),
            self.seconds
        )
    }

    /// The report as a table for a terminal.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let mut row = |what: &str, value: String| {
            table.add_row([what.to_owned(), value]);
        };
        row("load", self.load());
        let joins = self.join.map_or(String::new(), |join| format!("; each join: {join}"));
        row(
            "connections",
            format!(
                "all open after {:.0} ms, all joined after {:.0} ms{joins}",
                self.connecting_ms, self.joining_ms
            ),
        );
        row(
            "sent",
            format!(
                "{} messages/s; {}/s arrived back at their senders",
                number(self.sent_per_second),
                number(self.echoed_per_second)
            ),
        );
        row(
            "deliveries",
            format!(
                "{} ({}/s, {} MB/s)",
                number(self.deliveries as f64),
                number(self.deliveries_per_second),
                number(self.bytes_per_second / 1e6)
            ),
        );
        if let Some(latency) = self.latency {
            row("latency", latency.to_string());
        }
        let Faults { lost, duplicated, out_of_order } = self.faults;
        row("lost, duplicated, out of order", format!("{lost}, {duplicated}, {out_of_order}"));
        for (what, counts) in [("connections lost", &self.ended), ("errors", &self.errors)] {
            for (why, count) in counts {
                row(what, format!("{}: {why}", counted(*count, "time")));
            }
        }
        if let Some(churn) = self.churn {
            row("joins and leaves", format!("{} ({} failed)", churn.joins, churn.failed));
        }
        if let Some(flood) = self.flood {
            let FloodStats { kind, clients, frames, failed } = flood;
            let (frames, clients) = (counted(frames, "frame"), counted(clients, "client"));
            row("flood", format!("{frames} ({kind}) from {clients}, {failed} failed"));
        }
        if let Some(server) = self.server {
            row("server CPU", cpu(server.us_per_delivery, server.processors));
            let each = server.kib_per_connection.map_or_else(
                || "memory per connection is below what can be measured".to_owned(),
                |kib| format!("{kib:.2} KiB per connection"),
            );
            row("server memory", format!("{each}; peak {:.1} MiB", server.peak_mib));
        }
        if let Some(processors) = self.load_processors {
            row("chat-load CPU", cpu(self.load_us_per_delivery, processors));
        }
        for note in &self.notes {
            row("note", note.clone());
        }
        table.to_string()
    }

    /// Whether every message arrived once and in order.
    pub fn is_complete(&self) -> bool {
        self.faults == Faults::default()
    }
}

impl Percentiles {
    fn of(latency: &Latency) -> Option<Self> {
        (!latency.is_empty()).then(|| Self {
            p50: milliseconds(latency.percentile(50.0)),
            p99: milliseconds(latency.percentile(99.0)),
            p99_9: milliseconds(latency.percentile(99.9)),
            max: milliseconds(latency.max()),
        })
    }
}

impl std::fmt::Display for Percentiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { p50, p99, p99_9, max } = self;
        write!(f, "p50 {p50:.2} ms, p99 {p99:.2} ms, p99.9 {p99_9:.2} ms, max {max:.2} ms")
    }
}

/// The growth of the server's memory for each connection. `None` if it is too small to be
/// measured: a warm server has memory for connections already.
fn kib_per_connection(server: &ServerUsage, connections: usize) -> Option<f64> {
    let growth = server.resident_joined.saturating_sub(server.resident_before);
    (growth >= MIN_GROWTH).then(|| growth as f64 / 1024.0 / connections as f64)
}

fn cpu(us_per_delivery: Option<f64>, processors: f64) -> String {
    let each = us_per_delivery.map_or(String::new(), |us| format!("{us:.2} us per delivery, "));
    format!("{each}{:.0} % of one core", 100.0 * processors)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_cannot_be_measured_is_not_a_figure() {
        let usage = |before, joined| ServerUsage {
            cpu_time: Duration::ZERO,
            resident_before: before,
            resident_joined: joined,
            resident_peak: joined,
        };
        assert_eq!(kib_per_connection(&usage(1 << 20, 2 << 20), 1_024), Some(1.0));
        assert_eq!(kib_per_connection(&usage(1 << 20, 1 << 20), 100), None);
        assert_eq!(kib_per_connection(&usage(2 << 20, 1 << 20), 100), None, "a server that has shrunk");
    }
}
