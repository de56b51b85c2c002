//! People who come and go while others speak: sessions of `chat-client`, the way a program of a user's own would.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use chat_client::{Client, JoinOptions, Options};
use chat_protocol::{RoomName, Username};
use tokio::time::{Instant, sleep_until};

use crate::plan::Plan;

/// So many joins a second one session does at most.
const MOST_OF_ONE: f64 = 20.0;

/// What those have done who came and went.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct Churned {
    /// Each of them was followed by a leave.
    pub joins: u64,
    pub failed: u64,
}

#[derive(Default)]
struct Counts {
    joins: AtomicU64,
    failed: AtomicU64,
    is_over: AtomicBool,
}

/// A thread with sessions that join and leave.
pub(super) struct Churn {
    counts: Arc<Counts>,
    thread: Option<JoinHandle<()>>,
}

impl Churn {
    /// Begins as many joins a second as the plan says; with none there is no thread.
    pub(super) fn begin(plan: &Plan) -> Self {
        let counts = Arc::<Counts>::default();
        let thread = (plan.churn > 0.0).then(|| {
            let (plan, counts) = (plan.clone(), Arc::clone(&counts));
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                match runtime {
                    Ok(runtime) => runtime.block_on(all(&plan, &counts)),
                    Err(_) => {
                        counts.failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        });
        Self { counts, thread }
    }

    pub(super) fn end(self) -> Churned {
        self.counts.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread
            && thread.join().is_err()
        {
            self.counts.failed.fetch_add(1, Ordering::Relaxed);
        }
        Churned {
            joins: self.counts.joins.load(Ordering::Relaxed),
            failed: self.counts.failed.load(Ordering::Relaxed),
        }
    }
}

async fn all(plan: &Plan, counts: &Arc<Counts>) {
    let sessions = (plan.churn / MOST_OF_ONE).ceil().max(1.0);
    let every = Duration::from_secs_f64(sessions / plan.churn);
    let tasks: Vec<_> = (0..sessions as usize)
        .map(|i| {
            let rooms: Vec<_> =
                (0..plan.rooms).filter_map(|room| RoomName::parse(&plan.room_name(room)).ok()).collect();
            let username = Username::parse(&format!("{}-guest-{i}", plan.prefix));
            let (url, counts) = (format!("ws://{}/ws", plan.server), Arc::clone(counts));
            tokio::spawn(async move {
                let done = match username {
                    Ok(username) => one(url, username, &rooms, i, every, &counts).await,
                    Err(_) => None,
                };
                if done.is_none() {
                    counts.failed.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for task in tasks {
        let _ = task.await;
    }
}

/// One session; none: it could not go on.
async fn one(
    url: String,
    username: Username,
    rooms: &[RoomName],
    first: usize,
    every: Duration,
    counts: &Counts,
) -> Option<()> {
    let (client, mut events) = Client::connect(Options::new(url, username)).await.ok()?;
    // what is said meanwhile is not looked at, but read
    let listener = tokio::spawn(async move { while events.next().await.is_some() {} });
    let mut next = Instant::now();
    let mut place = first;
    while !counts.is_over.load(Ordering::Relaxed) {
        let room = rooms.get(place % rooms.len())?;
        place += 1;
        let joined = client.join(room, JoinOptions::default()).await;
        let left = client.leave(room).await;
        if joined.is_err() || left.is_err() {
            counts.failed.fetch_add(1, Ordering::Relaxed);
        } else {
            counts.joins.fetch_add(1, Ordering::Relaxed);
        }
        next += every;
        sleep_until(next).await;
    }
    client.close().await;
    listener.abort();
    Some(())
}
