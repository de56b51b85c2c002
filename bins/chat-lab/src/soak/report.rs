//! The figures of a soak test.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use chat_load::Faults;
use chat_load::format::{counted, number};
use comfy_table::{Table, presets};
use serde::Serialize;

use super::plan::Plan;
use super::restarting_server::RestartingServer;
use super::state::Counts;

/// The maximum ratio of the memory at the end to that at the beginning.
const MAX_GROWTH: f64 = 1.10;

/// The resident memory of the server, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Memory {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) peak: u64,
}

impl Memory {
    pub(super) fn observe(&mut self, resident: u64) {
        self.peak = self.peak.max(resident);
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Report {
    seconds: u64,
    connections: usize,
    sent: u64,
    acked: u64,
    delivered: u64,
    delivered_classic: u64,
    faults: Faults,
    restarts: u64,
    reconnects: u64,
    pages: u64,
    slow_readers_disconnected: u64,
    guest_visits: u64,
    guests_refused: u64,
    /// The memory after a sixth of the time, at the end, and the peak.
    first_mib: f64,
    last_mib: f64,
    peak_mib: f64,
    growth: f64,
    database_mib: f64,
    /// What must not happen, and how often it did.
    violations: BTreeMap<String, u64>,
}

impl Report {
    pub(super) fn new(
        plan: &Plan,
        counts: &Counts,
        faults: Faults,
        memory: Memory,
        server: &RestartingServer,
    ) -> Self {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let connections = plan.rooms * (plan.members + plan.classic);
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        Self {
            seconds: plan.duration.as_secs(),
            connections: connections + plan.stalled_readers + plan.guests,
            sent: read(&counts.sent),
            acked: read(&counts.acked),
            delivered: read(&counts.delivered),
            delivered_classic: read(&counts.delivered_classic),
            faults,
            restarts: server.restarts,
            // the first session of each member is not a reconnect
            reconnects: read(&counts.sessions).saturating_sub((plan.rooms * plan.members) as u64),
            pages: read(&counts.pages),
            slow_readers_disconnected: read(&counts.slow_readers_disconnected),
            guest_visits: read(&counts.guest_visits),
            guests_refused: read(&counts.guests_refused),
            first_mib: mib(memory.first),
            last_mib: mib(memory.last),
            peak_mib: mib(memory.peak),
            growth: memory.last as f64 / memory.first as f64,
            database_mib: mib(server.database_bytes()),
            violations: counts.violations(),
        }
    }

    /// Whether nothing went wrong, and everything that the test exercises has happened.
    pub(super) fn has_passed(&self) -> bool {
        let is_exercised = self.restarts > 0
            && self.reconnects > 0
            && self.slow_readers_disconnected > 0
            && self.guest_visits > 0;
        let is_complete =
            self.faults == Faults::default() && self.acked == self.sent && self.violations.is_empty();
        is_exercised && is_complete && self.growth <= MAX_GROWTH
    }

    pub(super) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let mut row = |what: &str, value: String| {
            table.add_row([what.to_owned(), value]);
        };
        let total = |count: u64| number(count as f64);
        row("load", format!("{}, {} s", counted(self.connections, "connection"), self.seconds));
        row("sent, acked", format!("{}, {}", total(self.sent), total(self.acked)));
        row(
            "delivered",
            format!("{} in chat.v2, {} classic", total(self.delivered), total(self.delivered_classic)),
        );
        let Faults { lost, duplicated, out_of_order } = self.faults;
        row("lost, duplicated, out of order", format!("{lost}, {duplicated}, {out_of_order}"));
        row("server restarts", total(self.restarts));
        row(
            "reconnects",
            format!("{}, with {} read", total(self.reconnects), counted(self.pages, "page") + " of history"),
        );
        row("slow readers disconnected", total(self.slow_readers_disconnected));
        row(
            "guests joined and left",
            format!("{} times ({} refused)", total(self.guest_visits), total(self.guests_refused)),
        );
        row(
            "memory",
            format!(
                "{:.1} MiB after a sixth of the time, {:.1} MiB at the end ({:.2} times that), {:.1} MiB peak",
                self.first_mib, self.last_mib, self.growth, self.peak_mib
            ),
        );
        row("database", format!("{:.1} MiB", self.database_mib));
        for (what, count) in &self.violations {
            row("fault", format!("{}: {what}", counted(*count, "time")));
        }
        row("result", if self.has_passed() { "passed" } else { "failed" }.to_owned());
        table.to_string()
    }
}
