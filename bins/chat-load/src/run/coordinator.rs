//! Leads the threads of a run from phase to phase.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::churn::{Churn, ChurnStats};
use super::flood::{FloodClients, FloodStats};
use super::state::{Phase, RunState};
use super::{LoadError, Progress};
use crate::measure::process::{self, Usage};
use crate::plan::Plan;

/// The maximum time until all members have joined.
const JOIN_TIMEOUT: Duration = Duration::from_secs(60);
/// The run ends if messages are missing and nothing has arrived for this long.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);
/// The presence events and lists of the joins have been delivered after this time.
const SETTLE_TIME: Duration = Duration::from_millis(1_500);
/// The interval between two looks at the progress and at the server's memory.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

pub(super) struct Coordinator<'a> {
    plan: &'a Plan,
    state: &'a RunState,
    pid: Option<u32>,
    /// The maximum resident memory of the server that was seen.
    peak: u64,
}

/// The figures that the coordinator collects.
pub(super) struct Phases {
    pub(super) connecting: Duration,
    pub(super) joining: Duration,
    /// The server's usage once all members had joined.
    pub(super) joined: Option<Usage>,
    /// The server's usage at the start and at the end of the measurement.
    pub(super) measurement: Option<(Usage, Usage)>,
    /// The usage of this process at the same times.
    pub(super) own: Option<(Usage, Usage)>,
    pub(super) churn: ChurnStats,
    pub(super) flood: Option<FloodStats>,
}

impl<'a> Coordinator<'a> {
    pub(super) fn new(plan: &'a Plan, state: &'a RunState, pid: Option<u32>) -> Self {
        Self { plan, state, pid, peak: 0 }
    }

    pub(super) fn peak(&self) -> u64 {
        self.peak
    }

    /// Runs all phases except the last one, which the caller enters. `all_run` returns whether all
    /// threads are alive.
    pub(super) fn run_phases(
        &mut self,
        all_run: &dyn Fn() -> bool,
        show: &mut dyn FnMut(Progress),
    ) -> Result<Phases, LoadError> {
        let (connecting, joining) = self.connect_and_join(all_run, show)?;
        self.state.enter(Phase::Settle);
        show(Progress::Settling);
        thread::sleep(SETTLE_TIME);
        let joined = self.usage();

        let churn = Churn::start(self.plan);
        let flood = FloodClients::start(self.plan).map_err(LoadError::Socket)?;
        self.state.start_publishing(self.plan.warm_up, self.plan.duration);
        show(Progress::WarmingUp);
        self.sleep_until(self.state.measure_from(), all_run, &mut |_| ());
        let warm_up = self.state.progress();
        let (from, own_from) = (self.usage(), process::own_usage());
        let (plan, state) = (self.plan, self.state);
        self.sleep_until(state.measure_until(), all_run, &mut |now| {
            show(Progress::Measuring {
                elapsed: Duration::from_nanos(now - state.measure_from()),
                of: plan.duration,
                done: state.progress().since(warm_up),
            });
        });
        let (until, own_until) = (self.usage(), process::own_usage());
        let churn = churn.stop();
        let flood = flood.stop();

        self.state.enter(Phase::Drain);
        show(Progress::Draining);
        self.drain(all_run);
        Ok(Phases {
            connecting,
            joining,
            joined,
            measurement: from.zip(until),
            own: own_from.zip(own_until),
            churn,
            flood,
        })
    }

    /// Waits until all members have joined. Returns how long connecting and joining took.
    fn connect_and_join(
        &self,
        all_run: &dyn Fn() -> bool,
        show: &mut dyn FnMut(Progress),
    ) -> Result<(Duration, Duration), LoadError> {
        let state = self.state;
        let of = self.plan.connections();
        let started = Instant::now();
        let ended = || state.ended.load(Ordering::Acquire);
        let connected = || state.connected.load(Ordering::Acquire);
        let joined = || state.joined.load(Ordering::Acquire);
        let not_joined = || LoadError::NotJoined { joined: joined(), connections: of, why: String::new() };
        let wait = |done: &dyn Fn() -> usize,
                    show: &mut dyn FnMut(Progress),
                    progress: &dyn Fn(usize) -> Progress| {
            while done() < of {
                // a connection that has ended cannot join any more
                if started.elapsed() > JOIN_TIMEOUT || ended() > 0 || !all_run() {
                    return Err(not_joined());
                }
                show(progress(done()));
                thread::sleep(Duration::from_millis(1));
            }
            Ok(())
        };
        wait(&connected, show, &|done| Progress::Connecting { done, of })?;
        let connecting = started.elapsed();
        let joining_from = Instant::now();
        state.enter(Phase::Join);
        wait(&joined, show, &|done| Progress::Joining { done, of })?;
        Ok((connecting, joining_from.elapsed()))
    }

    /// Waits until every member has received everything, or nothing arrives any more.
    fn drain(&self, all_run: &dyn Fn() -> bool) {
        let mut last = (self.state.delivered.load(Ordering::Relaxed), Instant::now());
        while self.state.complete.load(Ordering::Acquire) < self.plan.threads
            && last.1.elapsed() < DRAIN_TIMEOUT
            && all_run()
        {
            thread::sleep(POLL_INTERVAL);
            let delivered = self.state.delivered.load(Ordering::Relaxed);
            if delivered != last.0 {
                last = (delivered, Instant::now());
            }
        }
    }

    fn sleep_until(&mut self, at: u64, all_run: &dyn Fn() -> bool, each: &mut dyn FnMut(u64)) {
        loop {
            let now = self.state.now();
            if now >= at || !all_run() {
                return;
            }
            self.usage();
            each(now);
            thread::sleep(POLL_INTERVAL.min(Duration::from_nanos(at - now)));
        }
    }

    /// The usage of the server's process. Also updates its peak memory.
    fn usage(&mut self) -> Option<Usage> {
        let usage = self.pid.and_then(process::usage);
        self.peak = self.peak.max(usage.map_or(0, |usage| usage.resident_bytes));
        usage
    }
}
