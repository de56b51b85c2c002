//! One run: threads that connect, join, send and receive, and a coordinator that leads them
//! through the phases.

mod churn;
mod coordinator;
mod flood;
mod state;
mod totals;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

pub use self::churn::ChurnStats;
pub use self::flood::FloodStats;
pub use self::state::MessageCounts;

use self::coordinator::Coordinator;
use self::state::{Phase, RunState};
use self::totals::Totals;
use self::worker::Worker;
use crate::format::counted;
use crate::measure::{Tally, process};
use crate::plan::Plan;

/// A run failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A socket could not be opened, most likely because the process has no file descriptor left.
    #[error("Cannot open a socket: {0}. Each connection needs a file descriptor: raise `ulimit -n`")]
    Socket(io::Error),
    /// The event loop failed.
    #[error("Cannot wait for sockets: {0}")]
    Poll(#[from] io::Error),
    /// No connection was opened.
    #[error("Cannot connect to {server}: {why}. Check the address, and that the server is running")]
    NotConnected {
        /// The address of the server.
        server: SocketAddr,
        /// Why connections ended.
        why: String,
    },
    /// Some members, or all, could not join.
    #[error("Only {joined} of {connections} connections joined their rooms{why}")]
    NotJoined {
        /// Connections that joined.
        joined: usize,
        /// All connections of the plan.
        connections: usize,
        /// The most frequent reason, after a colon.
        why: String,
    },
    /// A thread ended early.
    #[error("A thread of chat-load panicked")]
    Panicked,
}

/// The figures of a run.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// What the connections measured.
    pub tally: Tally,
    /// The time from the first connection until all were open (in chat.v2: welcomed).
    pub connecting: Duration,
    /// The time from the first join until all members had joined.
    pub joining: Duration,
    /// The duration of the measurement.
    pub measured_for: Duration,
    /// The usage of the server's process, if its id was given and the system has `/proc`.
    pub server: Option<ServerUsage>,
    /// The CPU time that the load itself used during the measurement.
    pub load_cpu: Option<Duration>,
    /// The sessions that joined and left.
    pub churn: ChurnStats,
    /// The clients that flooded.
    pub flood: Option<FloodStats>,
}

/// The usage of the server's process.
#[derive(Debug, Clone, Copy)]
pub struct ServerUsage {
    /// The CPU time during the measurement.
    pub cpu_time: Duration,
    /// The resident memory before the first connection, in bytes.
    pub resident_before: u64,
    /// The resident memory once all members had joined and before the first message.
    pub resident_joined: u64,
    /// The maximum resident memory that was seen from then on.
    pub resident_peak: u64,
}

/// The progress of a run, for a progress bar.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Progress {
    /// Connections are opened.
    Connecting {
        /// Connections that are open.
        done: usize,
        /// All connections of the plan.
        of: usize,
    },
    /// Members join their rooms.
    Joining {
        /// Members that have joined.
        done: usize,
        /// All members of the plan.
        of: usize,
    },
    /// The presence events of the joins are delivered.
    Settling,
    /// Messages are sent and not measured yet.
    WarmingUp,
    /// The measurement.
    Measuring {
        /// The time since the measurement began.
        elapsed: Duration,
        /// The duration of the measurement.
        of: Duration,
        /// Messages since the measurement began.
        done: MessageCounts,
    },
    /// Messages in flight may still arrive.
    Draining,
}

/// Runs the plan. `pid` is the process id of the server, to measure its usage. `show` is called
/// at least every 20 ms while members connect and messages are sent.
///
/// # Errors
/// [`LoadError`] if the load could not be generated. Messages that were lost, and connections that
/// ended, are figures and not errors.
pub fn run(plan: &Plan, pid: Option<u32>, mut show: impl FnMut(Progress)) -> Result<Outcome, LoadError> {
    let state = RunState::new();
    let totals = Totals::new(plan);
    let before = pid.and_then(process::usage);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..plan.threads)
            .map(|thread| {
                let (state, totals) = (&state, &totals);
                scope.spawn(move || Worker::new(plan, state, thread)?.run(totals))
            })
            .collect();
        let all_run = || threads.iter().all(|thread| !thread.is_finished());
        let mut coordinator = Coordinator::new(plan, &state, pid);
        let phases = coordinator.run_phases(&all_run, &mut show);
        state.enter(Phase::Finished);
        let mut tally = Tally::new();
        for thread in threads {
            tally.add(&thread.join().map_err(|_| LoadError::Panicked)??);
        }
        let phases = phases.map_err(|error| error.with_cause(plan.server, &tally))?;
        let server = before.zip(phases.joined).zip(phases.measurement);
        Ok(Outcome {
            connecting: phases.connecting,
            joining: phases.joining,
            measured_for: plan.duration,
            server: server.map(|((before, joined), (from, until))| ServerUsage {
                cpu_time: until.cpu_time.saturating_sub(from.cpu_time),
                resident_before: before.resident_bytes,
                resident_joined: joined.resident_bytes,
                resident_peak: coordinator.peak(),
            }),
            load_cpu: phases.own.map(|(from, until)| until.cpu_time.saturating_sub(from.cpu_time)),
            churn: phases.churn,
            flood: phases.flood,
            tally,
        })
    })
}

impl LoadError {
    /// Adds the most frequent reason for which connections ended or commands were refused.
    fn with_cause(self, server: SocketAddr, tally: &Tally) -> Self {
        let Self::NotJoined { joined, connections, .. } = self else { return self };
        let cause = tally.ended.iter().chain(&tally.errors).max_by_key(|(_, count)| **count);
        match cause {
            Some((why, _)) if joined == 0 && !tally.has_connected => {
                Self::NotConnected { server, why: why.clone() }
            }
            Some((why, count)) => {
                let why = format!(": {why} ({})", counted(*count, "time"));
                Self::NotJoined { joined, connections, why }
            }
            None => Self::NotJoined { joined, connections, why: ": the server does not answer".to_owned() },
        }
    }
}
