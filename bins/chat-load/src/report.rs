//! What a run brought, for people and for programs.

use std::collections::BTreeMap;
use std::time::Duration;

use comfy_table::{Table, presets};
use serde::Serialize;

use crate::load::{Churned, Dialect, Faults, Flooded, Latency, Outcome, Pace, Plan};

/// The figures of a run. Times are in milliseconds unless their names say otherwise.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    pub(crate) dialect: Dialect,
    pub(crate) rooms: usize,
    pub(crate) members: usize,
    pub(crate) publishers: usize,
    pub(crate) deaf: usize,
    /// Messages a second that were to be sent; none in a closed loop.
    pub(crate) rate: Option<f64>,
    /// Messages of each publisher that were on their way; none in an open loop.
    pub(crate) in_flight: Option<usize>,
    pub(crate) size: usize,
    pub(crate) seconds: f64,
    pub(crate) connecting_ms: f64,
    pub(crate) joining_ms: f64,
    pub(crate) join: Option<Percentiles>,
    pub(crate) sent_per_second: f64,
    pub(crate) came_back_per_second: f64,
    pub(crate) deliveries: u64,
    pub(crate) deliveries_per_second: f64,
    pub(crate) bytes_per_second: f64,
    pub(crate) latency: Option<Percentiles>,
    pub(crate) faults: Faults,
    pub(crate) ended: BTreeMap<String, u64>,
    pub(crate) errors: BTreeMap<String, u64>,
    pub(crate) churn: Option<Churned>,
    pub(crate) flood: Option<Flooded>,
    pub(crate) server: Option<Server>,
    /// What the load spent itself: microseconds for each delivery, and how much of one processor.
    pub(crate) load_us_per_delivery: Option<f64>,
    pub(crate) load_processors: Option<f64>,
    /// What may be wrong with the figures.
    pub(crate) remarks: Vec<String>,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    #[serde(rename = "p99.9")]
    pub(crate) p99_9: f64,
    pub(crate) max: f64,
}

/// What the server spent.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Server {
    /// Of processor time.
    pub(crate) us_per_delivery: Option<f64>,
    pub(crate) ns_per_byte: Option<f64>,
    /// How much of one processor.
    pub(crate) processors: f64,
    /// With everybody in and nothing said, beyond what it had before.
    pub(crate) kib_per_connection: f64,
    /// The most while messages were sent, and how much that is beyond what it had with everybody in.
    pub(crate) peak_mib: f64,
    pub(crate) growth_mib: f64,
}

impl Report {
    pub(crate) fn of(plan: &Plan, outcome: &Outcome) -> Self {
        let tally = &outcome.tally;
        let seconds = outcome.counted.as_secs_f64();
        let each = |time: Duration, count: u64| (count > 0).then(|| time.as_secs_f64() / count as f64);
        let server = outcome.server.map(|server| Server {
            us_per_delivery: each(server.processor, tally.deliveries).map(|each| each * 1e6),
            ns_per_byte: each(server.processor, tally.bytes).map(|each| each * 1e9),
            processors: server.processor.as_secs_f64() / seconds,
            kib_per_connection: server.resident_joined.saturating_sub(server.resident_before) as f64
                / 1024.0
                / plan.connections() as f64,
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
                    "each publisher is to send {:.0} messages a second, and the server takes {paced_to:.0} in the long run \
                     (chatd: --message-rate)",
                    rate / speakers
                ));
            }
            if self.sent_per_second < 0.98 * rate {
                self.remarks.push("fewer messages were sent than were due: the server read too slowly, or the load was at its limit".into());
            }
        } else if paced_to > 0.0 && speakers > 0.0 {
            self.remarks.push(format!(
                "the server takes {paced_to:.0} messages a second from each publisher in the long run (chatd: --message-rate 0 lifts it)"
            ));
        }
        if self.load_processors.is_some_and(|processors| processors > 0.9 * plan.threads as f64) {
            self.remarks.push("the load was busy all the time, and may be what limits (--threads)".into());
        }
    }

    /// For a person.
    pub(crate) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let mut row = |what: &str, value: String| {
            table.add_row([what.to_owned(), value]);
        };
        let pace = match (self.rate, self.in_flight) {
            (_, Some(count)) => format!("{count} in flight each"),
            (Some(rate), None) => format!("{} messages/s in all", number(rate)),
            (None, None) => String::new(),
        };
        row(
            "load",
            format!(
                "{:?}, {} x {} members, {} of each speak, {pace}, {} bytes, {} s",
                self.dialect, self.rooms, self.members, self.publishers, self.size, self.seconds
            ),
        );
        let joins = self.join.map_or(String::new(), |join| format!("; each {join}"));
        row(
            "connections",
            format!(
                "open after {:.0} ms, in their rooms after {:.0} ms{joins}",
                self.connecting_ms, self.joining_ms
            ),
        );
        row(
            "sent",
            format!(
                "{}/s, back at their senders {}/s",
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
        row("missed, repeated, out of order", format!("{missed}, {repeated}, {out_of_order}"));
        for (what, counts) in [("connections ended", &self.ended), ("errors", &self.errors)] {
            for (why, count) in counts {
                row(what, format!("{count}: {why}"));
            }
        }
        if let Some(churn) = self.churn {
            row("came and went", format!("{} ({} failed)", churn.joins, churn.failed));
        }
        if let Some(flood) = self.flood {
            let Flooded { of, clients, frames, failed } = flood;
            row("flooded", format!("{frames} frames of {of} by {clients} clients ({failed} failed)"));
        }
        if let Some(server) = self.server {
            let each = server.us_per_delivery.map_or(String::new(), |us| format!("{us:.2} us/delivery, "));
            row(
                "server",
                format!(
                    "{each}{:.0} % of a processor; {:.2} KiB/connection, {:.1} MiB at most",
                    100.0 * server.processors,
                    server.kib_per_connection,
                    server.peak_mib
                ),
            );
        }
        if let Some(processors) = self.load_processors {
            let each = self.load_us_per_delivery.map_or(String::new(), |us| format!("{us:.2} us/delivery, "));
            row("the load itself", format!("{each}{:.0} % of a processor", 100.0 * processors));
        }
        for remark in &self.remarks {
            row("note", remark.clone());
        }
        table.to_string()
    }

    /// Whether every message arrived where it had to, once and in order.
    pub(crate) fn is_whole(&self) -> bool {
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

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// With thousands apart, and decimals where there are few digits before them.
pub(crate) fn number(value: f64) -> String {
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
