//! Somebody who connects, joins, leaves and is gone, again and again.

use std::sync::Arc;
use std::time::Duration;

use chat_client::{Client, JoinOptions, Options};
use chat_protocol::Username;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::plan;
use super::shared::{Counts, Phase, one_more};

/// How long one stays at most.
const STAY: Duration = Duration::from_millis(400);

/// So many rooms are joined by one connection.
const ROOMS: usize = 3;

/// Nobody waits for longer to get in or out: the server may be down.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) async fn live(
    url: String,
    username: Username,
    rooms: usize,
    phase: watch::Receiver<Phase>,
    counts: Arc<Counts>,
) {
    while *phase.borrow() == Phase::Speak {
        match timeout(PATIENCE, visit(&url, &username, rooms, &counts)).await {
            Ok(Some(())) => {}
            Ok(None) | Err(_) => one_more(&counts.not_let_in),
        }
        sleep(STAY.mul_f64(rand::random())).await;
    }
}

/// None: it was not let in somewhere.
async fn visit(url: &str, username: &Username, rooms: usize, counts: &Counts) -> Option<()> {
    let (client, mut events) = Client::connect(Options::new(url, username.clone())).await.ok()?;
    // what is said meanwhile is not looked at, but read
    let listening = tokio::spawn(async move { while events.next().await.is_some() {} });
    let mut is_let_in = Some(());
    for _ in 0..ROOMS {
        let room = plan::room(rand::random_range(0..rooms));
        if client.join(&room, JoinOptions::default()).await.is_err() {
            is_let_in = None;
            continue;
        }
        sleep(STAY.mul_f64(rand::random())).await;
        if client.leave(&room).await.is_ok() {
            one_more(&counts.came_and_went);
        }
    }
    client.close().await;
    // it ends by itself: a client that is closed has no more events
    let _ = listening.await;
    is_let_in
}
