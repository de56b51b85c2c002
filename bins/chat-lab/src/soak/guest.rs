//! A guest that connects, joins and leaves rooms, and disconnects, again and again.

use std::sync::Arc;
use std::time::Duration;

use chat_client::{Client, GuestToken, JoinOptions, Options};
use chat_protocol::Username;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::plan;
use super::state::{Counts, Phase, increment};

/// The maximum time in a room, and between two visits.
const MAX_STAY: Duration = Duration::from_millis(400);

/// The number of rooms that one connection joins.
const ROOMS: usize = 3;

/// The maximum duration of a visit: the server may be down.
const VISIT_TIMEOUT: Duration = Duration::from_secs(15);

pub(super) async fn run(
    url: String,
    username: Username,
    rooms: usize,
    phase: watch::Receiver<Phase>,
    counts: Arc<Counts>,
) {
    // the same user on each visit: its own earlier connection, if it lingers, does not refuse it
    let options = Options::new(url, username).guest_token(GuestToken::from_random(rand::random()));
    while *phase.borrow() == Phase::Publish {
        match timeout(VISIT_TIMEOUT, visit(options.clone(), rooms, &counts)).await {
            Ok(Some(())) => {}
            Ok(None) | Err(_) => increment(&counts.guests_refused),
        }
        sleep(MAX_STAY.mul_f64(rand::random())).await;
    }
}

/// One connection. `None` if the server refused it, or one of its joins.
async fn visit(options: Options, rooms: usize, counts: &Counts) -> Option<()> {
    let (client, mut events) = Client::connect(options).await.ok()?;
    // the client stops reading from the server while events are unread
    let reader = tokio::spawn(async move { while events.next().await.is_some() {} });
    let mut accepted = Some(());
    for _ in 0..ROOMS {
        let room = plan::room(rand::random_range(0..rooms));
        if client.join(&room, JoinOptions::default()).await.is_err() {
            accepted = None;
            continue;
        }
        sleep(MAX_STAY.mul_f64(rand::random())).await;
        if client.leave(&room).await.is_ok() {
            increment(&counts.guest_visits);
        }
    }
    client.close().await;
    // the events end once the client is closed
    let _ = reader.await;
    accepted
}
