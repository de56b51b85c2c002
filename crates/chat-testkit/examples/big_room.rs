//! Measures what presence costs in a large room of a running server:
//! `big_room ADDRESS MEMBERS SECONDS`. This number of members joins one room; then some clients
//! join and leave as fast as they can, while the frames that other members receive are counted.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chat_testkit::v2::Session;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// The number of clients that join and leave.
const RESTLESS: usize = 50;

/// The number of members whose frames are counted.
const WATCHED: usize = 20;

/// The number of concurrent joins.
const AT_ONCE: usize = 200;

fn size(frame: &Value) -> usize {
    frame.to_string().len()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let server: SocketAddr = next("127.0.0.1:8000").parse().unwrap();
    let members: usize = next("10000").parse().unwrap();
    let seconds = Duration::from_secs(next("5").parse().unwrap());

    let (mut crowd, mut largest) = (Vec::new(), 0);
    let began = Instant::now();
    for first in (0..members).step_by(AT_ONCE) {
        let mut joining = JoinSet::new();
        for i in first..members.min(first + AT_ONCE) {
            joining.spawn(async move { Session::enter(server, "big", &format!("member{i}")).await });
        }
        while let Some(joined) = joining.join_next().await {
            let (session, joined) = joined.unwrap();
            largest = largest.max(size(&joined));
            crowd.push(session);
        }
    }
    println!(
        "{members} joined in {:.1} s; the largest `joined` has {largest} bytes",
        began.elapsed().as_secs_f64()
    );

    let until = Instant::now() + seconds;
    let mut restless = JoinSet::new();
    for i in 0..RESTLESS {
        restless.spawn(async move {
            let mut session = Session::hello(server, &format!("restless{i}")).await;
            let mut rounds = 0_u64;
            while Instant::now() < until {
                session.join("big").await;
                session.ask(json!({"type": "leave", "room": "big"})).await;
                rounds += 1;
            }
            rounds
        });
    }
    let mut watching = JoinSet::new();
    for mut session in crowd.drain(..WATCHED.min(members)) {
        watching.spawn(async move {
            // frames of the first second were sent while the room filled; they are not counted
            let (mut frames, mut bytes) = (0_u64, 0);
            let began = Instant::now();
            while let Ok(frame) = tokio::time::timeout_at(until.into(), session.frame()).await {
                if began.elapsed() > Duration::from_secs(1) {
                    frames += 1;
                    bytes += size(&frame);
                }
            }
            (frames, bytes)
        });
    }
    let (mut frames, mut bytes, mut watched) = (0, 0, 0_u64);
    while let Some(counted) = watching.join_next().await {
        let (own_frames, own_bytes) = counted.unwrap();
        frames += own_frames;
        bytes += own_bytes;
        watched += 1;
    }
    let mut rounds = 0;
    while let Some(done) = restless.join_next().await {
        rounds += done.unwrap();
    }
    let listened = (seconds.as_secs_f64() - 1.0) * watched as f64;
    println!(
        "{:.0} joins and leaves per second: each member receives {:.1} frames and {:.0} bytes per second",
        2.0 * rounds as f64 / seconds.as_secs_f64(),
        frames as f64 / listened,
        bytes as f64 / listened
    );
}
