//! What a large room costs its own members and other rooms, without sockets: members with sinks
//! that count.
//!
//! ```console
//! $ cargo run --release -p chat-lab --example locks -- 100000
//! ```
//!
//! Closes a room of that many members, then lets as many leave, while messages are sent in another
//! room whose history is on disk. Then many senders fill one room.
//!
//! Two times are printed: until a message is stored, measured by a thread that appends to the
//! history itself, and until the sender of a message has its answer, which includes the time that
//! the tasks of the room wait for a worker of the runtime.
#![allow(clippy::print_stdout, missing_docs)]

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use chat_db::sqlite::Database;
use chat_history::{HistoryStore, NewMessage, SqliteHistory};
use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::{Event, Identity, MessageId, RoomName};
use chat_rooms::{Engine, EventSink, Membership, Sink, SinkClosed, Subscribe};
use futures::future::{BoxFuture, FutureExt, try_join_all};
use rustix::time::{ClockId, clock_gettime};

type Failure = Box<dyn Error + Send + Sync>;

/// How long messages are sent while nothing else happens.
const IDLE: Duration = Duration::from_secs(3);

/// The time between two messages in the other room.
const INTERVAL: Duration = Duration::from_millis(2);

const SENDERS: usize = 200;
const MESSAGES_EACH: usize = 50;

fn main() -> Result<(), Failure> {
    let members = std::env::args().nth(1).map_or(Ok(100_000), |members| members.parse())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let folder = tempfile::tempdir()?;
    let lab = runtime.block_on(async {
        let database = Database::open(&folder.path().join("chat.sqlite3"))?;
        let history = Arc::new(SqliteHistory::open(database).await?);
        let presence = MemoryPresence::new(NodeId::new("lab"));
        let engine = Engine::builder(presence).history(Arc::clone(&history)).start().await?;
        Ok::<_, Failure>(Lab { engine, history, leave_notices: Arc::default() })
    })?;

    println!("idle:");
    runtime.block_on(lab.measure(|| (), async || tokio::time::sleep(IDLE).await))?.print();

    println!("close_room of {members}:");
    let crowd = runtime.block_on(lab.fill(members))?;
    let (engine, large) = (lab.engine.clone(), room("large")?);
    let close = move || {
        engine.close_room(&large);
    };
    let notified = async || {
        while lab.leave_notices.load(Ordering::Relaxed) < members {
            tokio::time::sleep(INTERVAL).await;
        }
    };
    let during = runtime.block_on(lab.measure(close, notified))?;
    during.print();
    during.print_cpu(members);
    drop(crowd);

    println!("mass leave of {members}:");
    let crowd = runtime.block_on(lab.fill(members))?;
    let during = runtime.block_on(lab.measure(move || drop(crowd), async || ()))?;
    during.print();
    during.print_cpu(members);

    println!("{SENDERS} senders in one room:");
    runtime.block_on(lab.senders())?;
    Ok(())
}

fn room(name: &str) -> Result<RoomName, Failure> {
    Ok(RoomName::parse(name)?)
}

/// The CPU time of this process.
fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Appends one message after the other until it is over, without the engine and its runtime, and
/// returns how long each took to be stored.
fn commits(history: &impl HistoryStore, is_over: &AtomicBool) -> Result<Vec<Duration>, Failure> {
    let user = Identity::one_time_guest(rand::random(), "bob".parse()?);
    let (room, mut latencies) = (room("apart")?, Vec::new());
    while !is_over.load(Ordering::Relaxed) {
        let (id, name) = (user.id().clone(), user.username().clone());
        let message =
            NewMessage::new(room.clone(), id, name, "hello", MessageId::from_random(rand::random()));
        let (stored, outcome) = mpsc::channel();
        let begin = Instant::now();
        let on_appended = move |appended| drop(stored.send(appended));
        history.append(message.into(), Box::new(on_appended));
        outcome.recv()??;
        latencies.push(begin.elapsed());
        std::thread::sleep(INTERVAL);
    }
    Ok(latencies)
}

/// A sink that counts the leave notices.
struct Counting(Arc<AtomicUsize>);

impl EventSink for Counting {
    fn offer(&self, event: &Arc<Event>) -> Result<(), SinkClosed> {
        if let Event::LeaveNotice { .. } = **event {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The latency of messages in other rooms, and the CPU time meanwhile.
struct During {
    took: Duration,
    cpu: Duration,
    latencies: Vec<Duration>,
    commits: Vec<Duration>,
}

impl During {
    fn print(&self) {
        Self::print_latencies("commit of a message in another room", &self.commits);
        Self::print_latencies("answer to the sender in another room", &self.latencies);
    }

    fn print_latencies(what: &str, latencies: &[Duration]) {
        let mut sorted = latencies.to_vec();
        sorted.sort_unstable();
        let ms = |percent: usize| {
            let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
            sorted.get(index).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1_000.0)
        };
        let (p50, p99, max, count) = (ms(50), ms(99), ms(100), sorted.len());
        println!("  {what}: p50 {p50:.1} ms, p99 {p99:.1} ms, max {max:.1} ms ({count})");
    }

    fn print_cpu(&self, members: usize) {
        let each = self.cpu.as_secs_f64() * 1e6 / members as f64;
        println!("  took {:.2} s, {each:.1} us CPU/member", self.took.as_secs_f64());
    }
}

struct Lab {
    engine: Engine,
    history: Arc<SqliteHistory>,
    leave_notices: Arc<AtomicUsize>,
}

impl Lab {
    async fn join(&self, name: &str, to: &str) -> Result<Membership, Failure> {
        let user = Identity::one_time_guest(rand::random(), name.parse()?);
        let sink = Sink::Events(Arc::new(Counting(Arc::clone(&self.leave_notices))));
        Ok(self.engine.join(&user, &room(to)?, Subscribe::new(sink)).await?)
    }

    /// Joins the members of the large room, and waits until it is quiet.
    async fn fill(&self, members: usize) -> Result<Vec<Membership>, Failure> {
        let mut crowd = Vec::with_capacity(members);
        for i in 0..members {
            crowd.push(self.join(&format!("p{i}"), "large").await?);
        }
        tokio::time::sleep(chat_protocol::COALESCE_WINDOW * 2).await;
        if let Some(first) = crowd.first() {
            first.idle().await;
        }
        Ok(crowd)
    }

    /// Sends messages in the other room while `work` runs in a thread of its own, and until
    /// `finished` is.
    async fn measure(
        &self,
        work: impl FnOnce() + Send + 'static,
        finished: impl AsyncFnOnce(),
    ) -> Result<During, Failure> {
        let member = self.join("ana", "other").await?;
        member.send("warm").await?;
        let is_over = Arc::new(AtomicBool::new(false));
        let (history, ends) = (Arc::clone(&self.history), Arc::clone(&is_over));
        let committing = std::thread::spawn(move || commits(&*history, &ends));
        let sending = async {
            let mut latencies = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let begin = Instant::now();
                member.send("hello").await?;
                latencies.push(begin.elapsed());
                tokio::time::sleep(INTERVAL).await;
            }
            Ok::<_, Failure>(latencies)
        };
        let (begin, cpu_before) = (Instant::now(), cpu());
        let working = async {
            let work = tokio::task::spawn_blocking(work).await;
            finished().await;
            is_over.store(true, Ordering::Relaxed);
            work.map(|()| begin.elapsed()).map_err(Failure::from)
        };
        let (latencies, took) = futures::try_join!(sending, working)?;
        let cpu = cpu().saturating_sub(cpu_before);
        let commits = committing.join().map_err(|_| "the committing thread has panicked")??;
        Ok(During { took, cpu, latencies, commits })
    }

    /// Lets senders fill a room, and prints how often they are woken.
    async fn senders(&self) -> Result<(), Failure> {
        let mut senders = Vec::new();
        for i in 0..SENDERS {
            senders.push(self.join(&format!("s{i}"), "busy").await?);
        }
        let (polls, body) = (Arc::new(AtomicUsize::new(0)), "x".repeat(8_192));
        let begin = Instant::now();
        let tasks = senders.into_iter().map(|sender| {
            let (polls, body) = (Arc::clone(&polls), body.clone());
            tokio::spawn(async move {
                for _ in 0..MESSAGES_EACH {
                    let sending = sender.submit(body.as_str()).boxed();
                    Counted { sending, polls: &polls }.await?;
                }
                sender.idle().await;
                Ok::<_, Failure>(sender)
            })
        });
        try_join_all(tasks).await?.into_iter().collect::<Result<Vec<_>, _>>()?;
        let messages = SENDERS * MESSAGES_EACH;
        let (each, took) = (polls.load(Ordering::Relaxed) as f64 / messages as f64, begin.elapsed());
        println!(
            "  {:.1} wake-ups/message, {:.0} messages/s",
            each - 1.0,
            messages as f64 / took.as_secs_f64()
        );
        Ok(())
    }
}

/// A send that counts how often it is polled: once, and once for each time that it is woken.
struct Counted<'a, T> {
    sending: BoxFuture<'a, T>,
    polls: &'a AtomicUsize,
}

impl<T> Future for Counted<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        self.sending.poll_unpin(cx)
    }
}
