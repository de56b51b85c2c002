//! What a run brought, for people and for programs.

use std::collections::BTreeMap;
use std::time::Duration;

use comfy_table::{Table, presets};
use serde::Serialize;

use crate::measure::{Faults, Latency};
use crate::plan::{Pace, Plan};
use crate::protocol::Dialect;
use crate::run::{Churned, Flooded, Measured, Outcome};

/// Memory comes and goes by pages whatever a server does: less than this is not what connections take.
const MIN_GROWTH: u64 = 64 << 10;

/// The figures of a run. Times are in milliseconds unless their names say otherwise.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub dialect: Dialect,
    pub rooms: usize,
    pub members: usize,
    pub publishers: usize,
    pub deaf: usize,
    /// Messages a second that were to be sent; none in a closed loop.
    pub rate: Option<f64>,
    /// Messages of each publisher that were on their way; none in an open loop.
    pub in_flight: Option<usize>,
    pub size: usize,
    pub seconds: f64,
    pub connecting_ms: f64,
    pub joining_ms: f64,
    pub join: Option<Percentiles>,
    pub sent_per_second: f64,
    pub came_back_per_second: f64,
    pub deliveries: u64,
    pub deliveries_per_second: f64,
    pub bytes_per_second: f64,
    pub latency: Option<Percentiles>,
    pub faults: Faults,
    pub ended: BTreeMap<String, u64>,
    pub errors: BTreeMap<String, u64>,
    pub churn: Option<Churned>,
    pub flood: Option<Flooded>,
    pub server: Option<Server>,
    /// What the load spent itself: microseconds for each delivery, and how much of one processor.
    pub load_us_per_delivery: Option<f64>,
    pub load_processors: Option<f64>,
    /// What may be wrong with the figures.
    pub remarks: Vec<String>,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub struct Percentiles {
    pub p50: f64,
    pub p99: f64,
    #[serde(rename = "p99.9")]
    pub p99_9: f64,
    pub max: f64,
}

/// What the server spent.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Server {
    /// Of processor time.
    pub us_per_delivery: Option<f64>,
    pub ns_per_byte: Option<f64>,
    /// How much of one processor.
    pub processors: f64,
    /// With everybody in and nothing said, beyond what it had before.
    /// `None` if it is below what can be measured.
    pub kib_per_connection: Option<f64>,
    /// The most while messages were sent, and how much that is beyond what it had with everybody in.
    pub peak_mib: f64,
    pub growth_mib: f64,
}

impl Report {
    pub fn of(plan: &Plan, outcome: &Outcome) -> Self {
        let tally = &outcome.tally;
        let seconds = outcome.counted.as_secs_f64();
        let each = |time: Duration, count: u64| (count > 0).then(|| time.as_secs_f64() / count as f64);
        let server = outcome.server.map(|server| Server {
            us_per_delivery: each(server.processor, tally.deliveries).map(|each| each * 1e6),
            ns_per_byte: each(server.processor, tally.bytes).map(|each| each * 1e9),
            processors: server.processor.as_secs_f64() / seconds,
            kib_per_connection: per_connection(&server, plan.connections()),
            peak_mib: server.resident_peak as f64 / f64::from(1 << 20),
            growth_mib: server.resident_peak.saturating_sub(server.resident_joined) as f64
                / f64::from(1 << 20),
        });
        let load_us =
            outcome.own_processor.and_then(|own| each(own, tally.deliveries)).map(|each| each * 1e6);
        let mut report = Self {
            dialect: plan.dialect,
            rooms: plan.rooms,
            members: plan.members,
            publishers: plan.publishers,
            deaf: plan.deaf,
            rate: match plan.pace {
                Pace::Rate(rate) => Some(rate),
                Pace::InFlight(_) => None,
            },
            in_flight: match plan.pace {
                Pace::Rate(_) => None,
                Pace::InFlight(count) => Some(count),
            },
            size: plan.size,
            seconds,
            connecting_ms: milliseconds(outcome.connecting),
            joining_ms: milliseconds(outcome.joining),
            join: Percentiles::of(&tally.joins),
            sent_per_second: tally.sent as f64 / seconds,
            came_back_per_second: tally.came_back as f64 / seconds,
            deliveries: tally.deliveries,
            deliveries_per_second: tally.deliveries as f64 / seconds,
            bytes_per_second: tally.bytes as f64 / seconds,
            latency: Percentiles::of(&tally.latency),
            faults: tally.faults,
            ended: tally.ended.clone(),
            errors: tally.errors.clone(),
            churn: (plan.churn > 0.0).then_some(outcome.churned),
            flood: outcome.flooded,
            server,
            load_us_per_delivery: load_us,
            load_processors: outcome.own_processor.map(|own| own.as_secs_f64() / seconds),
            remarks: Vec::new(),
        };
        report.remark(plan, tally.paced_to);
        report
    }

    fn remark(&mut self, plan: &Plan, paced_to: f64) {
        let speakers = (plan.rooms * plan.publishers) as f64;
        if let Some(rate) = self.rate.filter(|_| speakers > 0.0) {
            if paced_to > 0.0 && rate / speakers > paced_to {
                self.remarks.push(format!(
                    "each sender should send {:.0} messages/s, but the rate limit of the server is {paced_to:.0} per session \
                     (chatd: --message-rate)",
                    rate / speakers
                ));
            }
            if self.sent_per_second < 0.98 * rate {
                self.remarks.push("fewer messages were sent than --rate asks for: the server read too slowly, or chat-load was at its limit".into());
            }
        } else if paced_to > 0.0 && speakers > 0.0 {
            self.remarks.push(format!(
                "the rate limit of the server is {paced_to:.0} messages/s per session (chatd: --message-rate 0 turns it off)"
            ));
        }
        if self.load_processors.is_some_and(|processors| processors > 0.9 * plan.threads as f64) {
            self.remarks
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

    /// For a person.
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
                number(self.came_back_per_second)
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
        let Faults { missed, repeated, out_of_order } = self.faults;
        row("lost, duplicated, out of order", format!("{missed}, {repeated}, {out_of_order}"));
        for (what, counts) in [("connections lost", &self.ended), ("errors", &self.errors)] {
            for (why, count) in counts {
                row(what, format!("{} times: {why}", number(*count as f64)));
            }
        }
        if let Some(churn) = self.churn {
            row("joins and leaves", format!("{} ({} failed)", churn.joins, churn.failed));
        }
        if let Some(flood) = self.flood {
            let Flooded { of, clients, frames, failed } = flood;
            let (frames, clients) = (counted(frames, "frame"), counted(clients, "client"));
            row("flood", format!("{frames} ({of}) from {clients}, {failed} failed"));
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
        for remark in &self.remarks {
            row("note", remark.clone());
        }
        table.to_string()
    }

    /// Whether every message arrived where it had to, once and in order.
    pub fn is_whole(&self) -> bool {
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

/// KiB of memory that each connection takes: what the server has grown by while they joined. `None` if that is too little to be
/// measured: on a warm server connections take memory that it has already.
fn per_connection(server: &Measured, connections: usize) -> Option<f64> {
    let growth = server.resident_joined.saturating_sub(server.resident_before);
    (growth >= MIN_GROWTH).then(|| growth as f64 / 1024.0 / connections as f64)
}

/// Processor time: microseconds per delivery, and how much of one processor.
fn cpu(us_per_delivery: Option<f64>, processors: f64) -> String {
    let each = us_per_delivery.map_or(String::new(), |us| format!("{us:.2} us per delivery, "));
    format!("{each}{:.0} % of one core", 100.0 * processors)
}

/// A number and its noun, in the plural if need be: `1 room`, `2 rooms`.
pub fn counted(count: impl TryInto<u64>, noun: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{} {noun}{}", number(count as f64), if count == 1 { "" } else { "s" })
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// With thousands apart, and decimals where there are few digits before them.
pub fn number(value: f64) -> String {
    if value.abs() < 100.0 && value.fract() != 0.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && digit.is_ascii_digit() && (digits.len() - i).is_multiple_of(3) && !out.ends_with('-') {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_agree_with_their_number() {
        assert_eq!(counted(0_usize, "sender"), "0 senders");
        assert_eq!(counted(1_usize, "sender"), "1 sender");
        assert_eq!(counted(1_000_u64, "room"), "1,000 rooms");
    }

    #[test]
    fn memory_that_cannot_be_measured_is_not_a_figure() {
        let measured = |before, joined| Measured {
            processor: Duration::ZERO,
            resident_before: before,
            resident_joined: joined,
            resident_peak: joined,
        };
        assert_eq!(per_connection(&measured(1 << 20, 2 << 20), 1_024), Some(1.0));
        assert_eq!(per_connection(&measured(1 << 20, 1 << 20), 100), None);
        assert_eq!(per_connection(&measured(2 << 20, 1 << 20), 100), None, "a server that has shrunk");
    }

    #[test]
    fn numbers_are_read_by_people() {
        for (value, expected) in [
            (0.0, "0"),
            (1.5, "1.5"),
            (999.6, "1,000"),
            (1_234_567.0, "1,234,567"),
            (-1_234.0, "-1,234"),
            (123.0, "123"),
        ] {
            assert_eq!(number(value), expected);
        }
    }
}
