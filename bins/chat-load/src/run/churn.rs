//! Sessions that join and leave rooms while others send, by `chat-client`, like the programs of
//! users.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use chat_client::{Client, JoinOptions, Options};
use chat_protocol::{RoomName, Username};
use tokio::time::{Instant, sleep_until};

use crate::plan::Plan;

/// The maximum number of joins per second of one session.
const MAX_SESSION_RATE: f64 = 20.0;

/// What the sessions that join and leave have done.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct ChurnStats {
    /// Joins, each followed by a leave.
    pub joins: u64,
    /// Joins or leaves that were refused, and sessions that could not begin.
    pub failed: u64,
}

#[derive(Default)]
struct Counts {
    joins: AtomicU64,
    failed: AtomicU64,
    is_stopped: AtomicBool,
}

/// A thread with sessions that join and leave.
pub(super) struct Churn {
    counts: Arc<Counts>,
    thread: Option<JoinHandle<()>>,
}

impl Churn {
    /// Starts the thread, unless the plan has no churn.
    pub(super) fn start(plan: &Plan) -> Self {
        let counts = Arc::<Counts>::default();
        let thread = (plan.churn > 0.0).then(|| {
            let (plan, counts) = (plan.clone(), Arc::clone(&counts));
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                match runtime {
                    Ok(runtime) => runtime.block_on(run_sessions(&plan, &counts)),
                    Err(_) => {
                        counts.failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        });
        Self { counts, thread }
    }

    pub(super) fn stop(self) -> ChurnStats {
        self.counts.is_stopped.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread
            && thread.join().is_err()
        {
            self.counts.failed.fetch_add(1, Ordering::Relaxed);
        }
        ChurnStats {
            joins: self.counts.joins.load(Ordering::Relaxed),
            failed: self.counts.failed.load(Ordering::Relaxed),
        }
    }
}

async fn run_sessions(plan: &Plan, counts: &Arc<Counts>) {
    let sessions = (plan.churn / MAX_SESSION_RATE).ceil().max(1.0);
    let interval = Duration::from_secs_f64(sessions / plan.churn);
    let tasks: Vec<_> = (0..sessions as usize)
        .map(|i| {
            let rooms: Vec<_> =
                (0..plan.rooms).filter_map(|room| RoomName::parse(&plan.room_name(room)).ok()).collect();
            let username = Username::parse(&format!("{}-guest-{i}", plan.prefix));
            let (url, counts) = (format!("ws://{}/ws", plan.server), Arc::clone(counts));
            tokio::spawn(async move {
                let completed = match username {
                    Ok(username) => run_session(url, username, &rooms, i, interval, &counts).await,
                    Err(_) => None,
                };
                if completed.is_none() {
                    counts.failed.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for task in tasks {
        let _ = task.await;
    }
}

/// Joins and leaves the rooms in turn, from number `first` on. `None` if the session could not
/// begin.
async fn run_session(
    url: String,
    username: Username,
    rooms: &[RoomName],
    first: usize,
    interval: Duration,
    counts: &Counts,
) -> Option<()> {
    let (client, mut events) = Client::connect(Options::new(url, username)).await.ok()?;
    // the client stops reading from the server while events are unread
    let reader = tokio::spawn(async move { while events.next().await.is_some() {} });
    let mut next = Instant::now();
    let mut turn = first;
    while !counts.is_stopped.load(Ordering::Relaxed) {
        let room = rooms.get(turn % rooms.len())?;
        turn += 1;
        let joined = client.join(room, JoinOptions::default()).await;
        let left = client.leave(room).await;
        if joined.is_err() || left.is_err() {
            counts.failed.fetch_add(1, Ordering::Relaxed);
        } else {
            counts.joins.fetch_add(1, Ordering::Relaxed);
        }
        next += interval;
        sleep_until(next).await;
    }
    client.close().await;
    reader.abort();
    Some(())
}
