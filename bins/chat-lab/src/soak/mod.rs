//! A soak test: hours of the traffic and the faults that a server meets, in one command.
//!
//! Members send in both dialects, join and leave, lose their connections, and stop reading. The
//! server is restarted and killed meanwhile. At the end every message must have reached every
//! member once, and the memory must not have grown.

mod classic;
mod flaky_relay;
mod guest;
mod member;
mod plan;
mod report;
mod restarting_server;
mod stalled_reader;
mod state;
mod stream;

use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chat_load::Faults;
use chat_load::format::number;
use chat_testkit::v2::guest_token;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

pub(crate) use self::plan::Plan;

use self::classic::ClassicMember;
use self::flaky_relay::FlakyRelay;
use self::member::Member;
use self::plan::{FIRST_CLASSIC_PUBLISHER, FLAKY_INTERVAL, PUBLISHERS, STEPS, Step};
use self::report::{Memory, Report};
use self::restarting_server::RestartingServer;
use self::stalled_reader::StalledReader;
use self::state::{Counts, Phase, increment};
use crate::server::Server;

/// The maximum time for messages in flight to arrive at the end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(120);

/// The interval between two looks at the progress and at the server's memory.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Runs the test, and prints a report. Returns whether the test has passed.
pub(crate) fn run(plan: &Plan, chatd: Option<&Path>, json: bool) -> Result<bool, Box<dyn Error>> {
    let program = Server::program(chatd)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let bar = ProgressBar::new(plan.duration.as_secs())
        .with_style(ProgressStyle::with_template("{bar:30} {elapsed_precise} {msg}")?);
    let report = runtime.block_on(soak(plan, program, &bar));
    bar.finish_and_clear();
    let report = report?;
    let text = if json { serde_json::to_string_pretty(&report)? } else { report.table() };
    #[expect(clippy::print_stdout, reason = "the output of a command")]
    {
        println!("{text}");
    }
    Ok(report.has_passed())
}

/// The messages of a room in `chat.v2`.
#[derive(Debug, Clone, Default)]
struct Published {
    /// The number of messages of each publisher.
    sent: BTreeMap<u16, u32>,
    /// The room's number of the newest message.
    newest: u64,
}

async fn soak(plan: &Plan, program: PathBuf, bar: &ProgressBar) -> Result<Report, Box<dyn Error>> {
    let mut server = RestartingServer::start(program).await?;
    let counts = Arc::<Counts>::default();
    let (phases, phase) = watch::channel(Phase::Publish);
    let relay = FlakyRelay::start(server.address, plan.duration / 15).await?;
    let members = join_members(plan, server.address, relay.address, &counts).await?;

    let mut publishing = Vec::new();
    for (i, member) in members.iter().enumerate().take(plan.rooms * PUBLISHERS) {
        let publisher = u16::try_from(i / plan.rooms)?;
        publishing.push(member.publish(publisher, plan, phase.clone(), Arc::clone(&counts)));
    }
    let classic = start_classic(plan, server.address, &phase, &counts)?;
    let mut visitors = start_visitors(plan, server.address, &phase, &counts);

    let memory = run_schedule(plan, &mut server, &counts, bar).await?;

    bar.set_message("waiting for messages in flight");
    phases.send_replace(Phase::Drain);
    while visitors.join_next().await.is_some() {}
    let mut published = vec![Published::default(); plan.rooms];
    for (i, publisher) in publishing.into_iter().enumerate() {
        let (publisher, room) = (publisher.await?, &mut published[i % plan.rooms]);
        room.sent.insert(publisher.publisher, publisher.count);
        room.newest = room.newest.max(publisher.newest);
    }
    let deadline = Instant::now() + DRAIN_TIMEOUT;
    let has_all = |(i, member): (usize, &Member)| member.newest() >= published[i % plan.rooms].newest;
    while !members.iter().enumerate().all(has_all) && Instant::now() < deadline {
        sleep(POLL_INTERVAL).await;
    }
    phases.send_replace(Phase::Finished);

    let mut faults = Faults::default();
    for classic_faults in classic.join_all().await {
        faults += classic_faults;
    }
    for (i, member) in members.into_iter().enumerate() {
        match member.leave().await {
            Some(stream) => faults += stream.final_faults(&published[i % plan.rooms].sent),
            None => counts.violation("a member lost its session"),
        }
    }
    Ok(Report::new(plan, &counts, faults, memory, &server))
}

/// Connects the members in `chat.v2`: member `i` is in room `i % rooms`. Nothing is sent before all
/// have joined.
async fn join_members(
    plan: &Plan,
    server: SocketAddr,
    relay: SocketAddr,
    counts: &Arc<Counts>,
) -> Result<Vec<Member>, Box<dyn Error>> {
    let mut members = Vec::new();
    for i in 0..plan.rooms * plan.members {
        let (room, number) = (i % plan.rooms, i / plan.rooms);
        let address = if number % FLAKY_INTERVAL == FLAKY_INTERVAL - 1 { relay } else { server };
        let (url, username) = (format!("ws://{address}/ws"), plan::username("member", room, number));
        members.push(Member::join(url, username, plan::room(room), Arc::clone(counts)).await?);
    }
    Ok(members)
}

fn start_classic(
    plan: &Plan,
    server: SocketAddr,
    phase: &watch::Receiver<Phase>,
    counts: &Arc<Counts>,
) -> Result<JoinSet<Faults>, Box<dyn Error>> {
    let mut classic = JoinSet::new();
    for room in 0..plan.rooms {
        for number in 0..plan.classic {
            let publisher = FIRST_CLASSIC_PUBLISHER + u16::try_from(number)?;
            let username = plan::username("classic", room, number);
            let member = ClassicMember::new(plan, server, plan::room(room), username, publisher);
            classic.spawn(member.run(phase.clone(), Arc::clone(counts)));
        }
    }
    Ok(classic)
}

/// Starts the clients that join and leave, and those that stop reading.
fn start_visitors(
    plan: &Plan,
    server: SocketAddr,
    phase: &watch::Receiver<Phase>,
    counts: &Arc<Counts>,
) -> JoinSet<()> {
    let mut visitors = JoinSet::new();
    for number in 0..plan.guests {
        let (url, username) = (format!("ws://{server}/ws"), plan::username("guest", 0, number));
        visitors.spawn(guest::run(url, username, plan.rooms, phase.clone(), Arc::clone(counts)));
    }
    for number in 0..plan.stalled_readers {
        let room = number % plan.rooms;
        let reader = StalledReader {
            server,
            room: plan::room(room),
            username: plan::username("stalled", room, number),
            guest_token: guest_token(),
            stall: plan.duration / 10,
        };
        visitors.spawn(reader.run(phase.clone(), Arc::clone(counts)));
    }
    visitors
}

/// Runs the steps of the schedule, and returns at the end of the duration.
async fn run_schedule(
    plan: &Plan,
    server: &mut RestartingServer,
    counts: &Counts,
    bar: &ProgressBar,
) -> Result<Memory, Box<dyn Error>> {
    let started = Instant::now();
    let mut memory = Memory::default();
    for (part, step) in STEPS {
        let at = started + plan.duration.mul_f64(part);
        wait_until(at, started, server, &mut memory, counts, bar).await?;
        if let Step::Restart | Step::Kill = step {
            increment(&counts.server_ends);
        }
        match step {
            Step::Restart => server.restart(counts).await?,
            Step::Kill => server.kill().await?,
            Step::MeasureFirst => memory.first = measure_memory(plan, server).await?,
            Step::MeasureLast => memory.last = measure_memory(plan, server).await?,
        }
    }
    wait_until(started + plan.duration, started, server, &mut memory, counts, bar).await?;
    Ok(memory)
}

/// Waits, shows the progress, and updates the peak of the memory.
async fn wait_until(
    until: Instant,
    started: Instant,
    server: &RestartingServer,
    memory: &mut Memory,
    counts: &Counts,
    bar: &ProgressBar,
) -> Result<(), Box<dyn Error>> {
    while Instant::now() < until {
        memory.observe(server.resident()?);
        bar.set_position(started.elapsed().as_secs());
        let read = |count: &AtomicU64| number(count.load(Ordering::Relaxed) as f64);
        bar.set_message(format!("{} acked, {} delivered", read(&counts.acked), read(&counts.delivered)));
        sleep_until(until.min(Instant::now() + POLL_INTERVAL)).await;
    }
    Ok(())
}

/// The median of the server's resident memory over a while, in bytes.
async fn measure_memory(plan: &Plan, server: &RestartingServer) -> Result<u64, Box<dyn Error>> {
    let until = Instant::now() + plan.measurement();
    let mut samples = vec![server.resident()?];
    while Instant::now() < until {
        sleep(POLL_INTERVAL).await;
        samples.push(server.resident()?);
    }
    samples.sort_unstable();
    Ok(samples[samples.len() / 2])
}
