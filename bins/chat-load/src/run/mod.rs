//! The load itself: connections that join, speak, listen and check what they hear.

mod churn;
mod flood;
mod state;
mod totals;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

pub use self::churn::Churned;
pub use self::flood::{Flood, Flooded};
pub(crate) use self::state::nanoseconds;

use self::churn::Churn;
use self::flood::Flooding;
use self::state::{Course, Done, Phase};
use self::totals::Totals;
use self::worker::Worker;
use crate::measure::Tally;
use crate::measure::process::{self, Usage};
use crate::plan::Plan;
use crate::report::counted;

/// How long all joins together may take, and how long nothing may arrive while there is something left to arrive.
const PATIENCE: Duration = Duration::from_secs(60);
const SILENCE: Duration = Duration::from_secs(3);
/// What joins have stirred up (lists, presence) is over after this.
const SETTLE: Duration = Duration::from_millis(1_500);
/// How often the one that leads looks around.
const LOOK: Duration = Duration::from_millis(20);

/// A run can't go on.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No socket, most likely because the process has no file descriptor left.
    #[error("Cannot open a socket: {0}. Each connection needs a file descriptor: raise `ulimit -n`")]
    Socket(io::Error),
    /// The event loop.
    #[error("Cannot wait for sockets: {0}")]
    Poll(#[from] io::Error),
    /// No connection was opened.
    #[error("Cannot connect to {server}: {why}. Check the address, and that the server is running")]
    NotConnected { server: SocketAddr, why: String },
    /// Some members, or all, could not join.
    #[error("Only {joined} of {connections} connections joined their rooms{why}")]
    NotJoined { joined: usize, connections: usize, why: String },
    /// A thread ended early.
    #[error("A thread of chat-load panicked")]
    Panicked,
}

/// What a run brought.
#[derive(Debug)]
pub struct Outcome {
    pub tally: Tally,
    /// From the first connection until all were open (in v2: welcomed), and from the first join until all were in.
    pub connecting: Duration,
    pub joining: Duration,
    /// For how long it counted.
    pub counted: Duration,
    pub server: Option<Measured>,
    /// What the load itself spent while it counted.
    pub own_processor: Option<Duration>,
    pub churned: Churned,
    pub flooded: Option<Flooded>,
}

/// The server's process.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// While it counted.
    pub processor: Duration,
    pub resident_before: u64,
    /// With everybody in and nothing said.
    pub resident_joined: u64,
    /// The most that was seen while messages were sent.
    pub resident_peak: u64,
}

/// What is going on, to be shown.
#[derive(Debug, Clone, Copy)]
pub enum Progress {
    Connecting {
        done: usize,
        of: usize,
    },
    Joining {
        done: usize,
        of: usize,
    },
    Settling,
    WarmingUp,
    /// `done` is without the warm-up.
    Counting {
        elapsed: Duration,
        of: Duration,
        done: Done,
    },
    Draining,
}

/// Does what the plan says. `pid` is the server's, to see what it costs; `show` is told every 20 ms what is going on.
pub fn run(
    plan: &Plan,
    pid: Option<u32>,
    mut show: impl FnMut(Progress),
) -> Result<Outcome, LoadError> {
    let course = Course::begin();
    let totals = Totals::new(plan);
    let before = pid.and_then(process::usage);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..plan.threads)
            .map(|thread| {
                let (course, totals) = (&course, &totals);
                scope.spawn(move || Worker::new(plan, course, thread)?.run(totals))
            })
            .collect();
        let all_run = || threads.iter().all(|thread| !thread.is_finished());
        let mut lead = Lead { plan, course: &course, pid, peak: 0 };
        let led = lead.all(&all_run, &mut show);
        course.enter(Phase::Over);
        let mut tally = Tally::new();
        for thread in threads {
            tally.add(&thread.join().map_err(|_| LoadError::Panicked)??);
        }
        let led = led.map_err(|error| error.because(plan.server, &tally))?;
        let server = before.zip(led.joined).zip(led.counted_from.zip(led.counted_until));
        Ok(Outcome {
            connecting: led.connecting,
            joining: led.joining,
            counted: plan.duration,
            server: server.map(|((before, joined), (from, until))| Measured {
                processor: until.processor.saturating_sub(from.processor),
                resident_before: before.resident_bytes,
                resident_joined: joined.resident_bytes,
                resident_peak: lead.peak,
            }),
            own_processor: led.own.map(|(from, until)| until.processor.saturating_sub(from.processor)),
            churned: led.churned,
            flooded: led.flooded,
            tally,
        })
    })
}

impl LoadError {
    /// With what the connections have heard instead.
    fn because(self, server: SocketAddr, tally: &Tally) -> Self {
        let Self::NotJoined { joined, connections, .. } = self else { return self };
        let what = tally.ended.iter().chain(&tally.errors).max_by_key(|(_, count)| **count);
        match what {
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

/// Leads the threads from phase to phase.
struct Lead<'a> {
    plan: &'a Plan,
    course: &'a Course,
    pid: Option<u32>,
    peak: u64,
}

struct Led {
    connecting: Duration,
    joining: Duration,
    joined: Option<Usage>,
    counted_from: Option<Usage>,
    counted_until: Option<Usage>,
    own: Option<(Usage, Usage)>,
    churned: Churned,
    flooded: Option<Flooded>,
}

impl Lead<'_> {
    fn all(&mut self, all_run: &dyn Fn() -> bool, show: &mut dyn FnMut(Progress)) -> Result<Led, LoadError> {
        let Self { plan, course, .. } = *self;
        let of = plan.connections();
        let begun = Instant::now();
        let ended = || course.ended.load(Ordering::Acquire);
        let connected = || course.connected.load(Ordering::Acquire);
        let joined = || course.joined.load(Ordering::Acquire);
        // one that ended before it was in can't come in any more; one that was in and ended counts among both
        let not_in = || LoadError::NotJoined { joined: joined(), connections: of, why: String::new() };
        let wait = |done: &dyn Fn() -> usize,
                    show: &mut dyn FnMut(Progress),
                    progress: &dyn Fn(usize) -> Progress| {
            while done() < of {
                if begun.elapsed() > PATIENCE || ended() > 0 || !all_run() {
                    return Err(not_in());
                }
                show(progress(done()));
                thread::sleep(Duration::from_millis(1));
            }
            Ok(())
        };
        wait(&connected, show, &|done| Progress::Connecting { done, of })?;
        let connecting = begun.elapsed();
        let joining_from = Instant::now();
        course.enter(Phase::Join);
        wait(&joined, show, &|done| Progress::Joining { done, of })?;
        let joining = joining_from.elapsed();
        course.enter(Phase::Settle);
        show(Progress::Settling);
        thread::sleep(SETTLE);
        let settled = self.usage();

        let churn = Churn::begin(plan);
        let flooding = Flooding::begin(plan).map_err(LoadError::Socket)?;
        course.speak(plan.warm_up, plan.duration);
        show(Progress::WarmingUp);
        self.sleep_until(course.count_from(), all_run, &mut |_| ());
        let warm_up = course.progress();
        let (counted_from, own_from) = (self.usage(), process::own_usage());
        self.sleep_until(course.count_until(), all_run, &mut |now| {
            show(Progress::Counting {
                elapsed: Duration::from_nanos(now - course.count_from()),
                of: plan.duration,
                done: course.progress().since(warm_up),
            });
        });
        let (counted_until, own_until) = (self.usage(), process::own_usage());
        let churned = churn.end();
        let flooded = flooding.end();

        course.enter(Phase::Drain);
        show(Progress::Draining);
        let mut last = (course.delivered.load(Ordering::Relaxed), Instant::now());
        while course.complete.load(Ordering::Acquire) < plan.threads
            && last.1.elapsed() < SILENCE
            && all_run()
        {
            thread::sleep(LOOK);
            let delivered = course.delivered.load(Ordering::Relaxed);
            if delivered != last.0 {
                last = (delivered, Instant::now());
            }
        }
        Ok(Led {
            connecting,
            joining,
            joined: settled,
            counted_from,
            counted_until,
            own: own_from.zip(own_until),
            churned,
            flooded,
        })
    }

    fn sleep_until(&mut self, at: u64, all_run: &dyn Fn() -> bool, each: &mut dyn FnMut(u64)) {
        loop {
            let now = self.course.now();
            if now >= at || !all_run() {
                return;
            }
            self.usage();
            each(now);
            thread::sleep(LOOK.min(Duration::from_nanos(at - now)));
        }
    }

    /// Looks at the server's process.
    fn usage(&mut self) -> Option<Usage> {
        let usage = self.pid.and_then(process::usage);
        self.peak = self.peak.max(usage.map_or(0, |usage| usage.resident_bytes));
        usage
    }
}
