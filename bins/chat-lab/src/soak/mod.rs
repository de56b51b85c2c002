//! A soak: hours of what a server lives through, in one command. People speak in both dialects, come and go, lose their connections, stop
//! reading; the server is ended and killed meanwhile. In the end every message has to have reached every member once, and the
//! memory has to be what it was.

mod classic;
mod deaf;
mod guest;
mod member;
mod plan;
mod relay;
mod report;
mod servant;
mod shared;
mod stream;

use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chat_load::Faults;
use chat_load::report::number;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

pub(crate) use self::plan::Plan;

use self::classic::Classic;
use self::deaf::Deaf;
use self::member::Member;
use self::plan::{CLASSIC, ONE_IN_WITH_A_BAD_LINE, PUBLISHERS, STEPS, Step};
use self::relay::Relay;
use self::report::{Memory, Report};
use self::servant::Servant;
use self::shared::{Counts, Phase, one_more};
use crate::cli::Soak;
use crate::server::Server;

/// How long everybody has in the end to hear what was said.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often one looks at what is awaited, and at the server's memory.
const LOOK: Duration = Duration::from_millis(100);

/// Soaks, and prints a report. False: something was wrong.
pub(crate) fn run(options: &Soak) -> Result<bool, Box<dyn Error>> {
    let plan = options.plan();
    let program = Server::program(options.chatd.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let bar = ProgressBar::new(plan.duration.as_secs())
        .with_style(ProgressStyle::with_template("{bar:30} {elapsed_precise} {msg}")?);
    let report = runtime.block_on(soak(&plan, program, &bar));
    bar.finish_and_clear();
    let report = report?;
    let text = if options.json { serde_json::to_string_pretty(&report)? } else { report.table() };
    #[expect(clippy::print_stdout, reason = "it is what was asked for")]
    {
        println!("{text}");
    }
    Ok(report.is_clean())
}

/// What was said in a room.
#[derive(Debug, Clone, Default)]
struct Said {
    /// How many messages of each publisher.
    by: BTreeMap<u16, u32>,
    newest: u64,
}

async fn soak(plan: &Plan, program: PathBuf, bar: &ProgressBar) -> Result<Report, Box<dyn Error>> {
    let mut servant = Servant::start(program).await?;
    let counts = Arc::<Counts>::default();
    let (lead, phase) = watch::channel(Phase::Speak);
    let bad_line = Relay::to(servant.address, plan.duration / 15).await?;
    let members = enter(plan, servant.address, bad_line.address, &counts).await?;

    let mut speaking = Vec::new();
    for (i, member) in members.iter().enumerate().take(plan.rooms * PUBLISHERS) {
        let publisher = u16::try_from(i / plan.rooms)?;
        speaking.push(member.speak(publisher, plan, phase.clone(), Arc::clone(&counts)));
    }
    let classic = start_classic(plan, servant.address, &phase, &counts)?;
    let mut others = start_others(plan, servant.address, &phase, &counts);

    let memory = course(plan, &mut servant, &counts, bar).await?;

    bar.set_message("waiting for messages in flight");
    lead.send_replace(Phase::Listen);
    while others.join_next().await.is_some() {}
    let mut said = vec![Said::default(); plan.rooms];
    for (i, speech) in speaking.into_iter().enumerate() {
        let (speech, said) = (speech.await?, &mut said[i % plan.rooms]);
        said.by.insert(speech.publisher, speech.count);
        said.newest = said.newest.max(speech.newest);
    }
    let by = Instant::now() + PATIENCE;
    let has_all = |(i, member): (usize, &Member)| member.newest() >= said[i % plan.rooms].newest;
    while !members.iter().enumerate().all(has_all) && Instant::now() < by {
        sleep(LOOK).await;
    }
    lead.send_replace(Phase::Over);

    let mut faults = Faults::default();
    for heard in classic.join_all().await {
        faults += heard;
    }
    for (i, member) in members.into_iter().enumerate() {
        match member.leave().await {
            Some(stream) => faults += stream.at_the_end(&said[i % plan.rooms].by),
            None => counts.wrong("a member lost its session"),
        }
    }
    Ok(Report::of(plan, &counts, faults, memory, &servant))
}

/// Member `i` is in room `i % rooms`. Nobody speaks before all are in.
async fn enter(
    plan: &Plan,
    server: SocketAddr,
    bad_line: SocketAddr,
    counts: &Arc<Counts>,
) -> Result<Vec<Member>, Box<dyn Error>> {
    let mut members = Vec::new();
    for i in 0..plan.rooms * plan.members {
        let (room, number) = (i % plan.rooms, i / plan.rooms);
        let way =
            if number % ONE_IN_WITH_A_BAD_LINE == ONE_IN_WITH_A_BAD_LINE - 1 { bad_line } else { server };
        let username = plan::username("member", room, number);
        members.push(
            Member::enter(format!("ws://{way}/ws"), username, plan::room(room), Arc::clone(counts)).await?,
        );
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
            let publisher = CLASSIC + u16::try_from(number)?;
            let username = plan::username("classic", room, number);
            let one = Classic::new(plan, server, plan::room(room), username, publisher);
            classic.spawn(one.live(phase.clone(), Arc::clone(counts)));
        }
    }
    Ok(classic)
}

/// Who comes and goes, and who does not read.
fn start_others(
    plan: &Plan,
    server: SocketAddr,
    phase: &watch::Receiver<Phase>,
    counts: &Arc<Counts>,
) -> JoinSet<()> {
    let mut others = JoinSet::new();
    for number in 0..plan.guests {
        let (url, username) = (format!("ws://{server}/ws"), plan::username("guest", 0, number));
        others.spawn(guest::live(url, username, plan.rooms, phase.clone(), Arc::clone(counts)));
    }
    for number in 0..plan.deaf {
        let room = number % plan.rooms;
        let deaf = Deaf {
            server,
            room: plan::room(room),
            username: plan::username("deaf", room, number),
            pause: plan.duration / 10,
        };
        others.spawn(deaf.live(phase.clone(), Arc::clone(counts)));
    }
    others
}

/// Takes the steps when it is time for them, and returns when the duration is over.
async fn course(
    plan: &Plan,
    servant: &mut Servant,
    counts: &Counts,
    bar: &ProgressBar,
) -> Result<Memory, Box<dyn Error>> {
    let begun = Instant::now();
    let mut memory = Memory::default();
    for (part, step) in STEPS {
        pass(begun + plan.duration.mul_f64(part), begun, servant, &mut memory, counts, bar).await?;
        if let Step::Restart | Step::Kill = step {
            one_more(&counts.ends);
        }
        match step {
            Step::Restart => servant.restart(counts).await?,
            Step::Kill => servant.kill().await?,
            Step::MeasureFirst => memory.first = look(plan, servant).await?,
            Step::MeasureLast => memory.last = look(plan, servant).await?,
        }
    }
    pass(begun + plan.duration, begun, servant, &mut memory, counts, bar).await?;
    Ok(memory)
}

/// Lets time pass, and shows what happens.
async fn pass(
    until: Instant,
    begun: Instant,
    servant: &Servant,
    memory: &mut Memory,
    counts: &Counts,
    bar: &ProgressBar,
) -> Result<(), Box<dyn Error>> {
    while Instant::now() < until {
        memory.look(servant.resident()?);
        bar.set_position(begun.elapsed().as_secs());
        let read = |count: &AtomicU64| number(count.load(Ordering::Relaxed) as f64);
        bar.set_message(format!("{} acked, {} delivered", read(&counts.acked), read(&counts.delivered)));
        sleep_until(until.min(Instant::now() + LOOK)).await;
    }
    Ok(())
}

/// The median of what the server has in memory over a while.
async fn look(plan: &Plan, servant: &Servant) -> Result<u64, Box<dyn Error>> {
    let until = Instant::now() + plan.look();
    let mut seen = vec![servant.resident()?];
    while Instant::now() < until {
        sleep(LOOK).await;
        seen.push(servant.resident()?);
    }
    seen.sort_unstable();
    Ok(seen[seen.len() / 2])
}
