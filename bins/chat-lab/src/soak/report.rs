//! What a soak brought.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use chat_load::Faults;
use chat_load::report::{counted, number};
use comfy_table::{Table, presets};
use serde::Serialize;

use super::plan::Plan;
use super::servant::Servant;
use super::shared::Counts;

/// The memory of the end may be so many times that of the beginning.
const MOST_GROWTH: f64 = 1.10;

/// What the server had in memory, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Memory {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) most: u64,
}

impl Memory {
    pub(super) fn look(&mut self, resident: u64) {
        self.most = self.most.max(resident);
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
    came_back: u64,
    pages: u64,
    put_out: u64,
    came_and_went: u64,
    not_let_in: u64,
    /// After a sixth of the time, before the end, and at most.
    first_mib: f64,
    last_mib: f64,
    most_mib: f64,
    growth: f64,
    database_mib: f64,
    /// What must not happen, and how often it did.
    wrong: BTreeMap<String, u64>,
}

impl Report {
    pub(super) fn of(
        plan: &Plan,
        counts: &Counts,
        faults: Faults,
        memory: Memory,
        servant: &Servant,
    ) -> Self {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let connections = plan.rooms * (plan.members + plan.classic);
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        Self {
            seconds: plan.duration.as_secs(),
            connections: connections + plan.deaf + plan.guests,
            sent: read(&counts.sent),
            acked: read(&counts.acked),
            delivered: read(&counts.delivered),
            delivered_classic: read(&counts.delivered_classic),
            faults,
            restarts: servant.restarts,
            // the first connection of each is none
            came_back: read(&counts.came_back).saturating_sub((plan.rooms * plan.members) as u64),
            pages: read(&counts.pages),
            put_out: read(&counts.put_out),
            came_and_went: read(&counts.came_and_went),
            not_let_in: read(&counts.not_let_in),
            first_mib: mib(memory.first),
            last_mib: mib(memory.last),
            most_mib: mib(memory.most),
            growth: memory.last as f64 / memory.first as f64,
            database_mib: mib(servant.stored()),
            wrong: counts.all_wrong(),
        }
    }

    /// Whether all is as it has to be; also that what was to be tried was.
    pub(super) fn is_clean(&self) -> bool {
        let is_tried = self.restarts > 0 && self.came_back > 0 && self.put_out > 0 && self.came_and_went > 0;
        let is_whole = self.faults == Faults::default() && self.acked == self.sent && self.wrong.is_empty();
        is_tried && is_whole && self.growth <= MOST_GROWTH
    }

    pub(super) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let mut row = |what: &str, value: String| {
            table.add_row([what.to_owned(), value]);
        };
        let of = |count: u64| number(count as f64);
        row("load", format!("{}, {} s", counted(self.connections, "connection"), self.seconds));
        row("sent, acked", format!("{}, {}", of(self.sent), of(self.acked)));
        row(
            "delivered",
            format!("{} in chat.v2, {} classic", of(self.delivered), of(self.delivered_classic)),
        );
        let Faults { missed, repeated, out_of_order } = self.faults;
        row("lost, duplicated, out of order", format!("{missed}, {repeated}, {out_of_order}"));
        row("server restarts", of(self.restarts));
        row(
            "reconnects",
            format!("{}, with {} read", of(self.came_back), counted(self.pages, "page") + " of history"),
        );
        row("slow readers disconnected", of(self.put_out));
        row(
            "guests joined and left",
            format!("{} times ({} refused)", of(self.came_and_went), of(self.not_let_in)),
        );
        row(
            "memory",
            format!(
                "{:.1} MiB after a sixth of the time, {:.1} MiB at the end ({:.2} times that), {:.1} MiB peak",
                self.first_mib, self.last_mib, self.growth, self.most_mib
            ),
        );
        row("database", format!("{:.1} MiB", self.database_mib));
        for (what, count) in &self.wrong {
            row("fault", format!("{}: {what}", counted(*count, "time")));
        }
        row("result", if self.is_clean() { "passed" } else { "failed" }.to_owned());
        table.to_string()
    }
}
