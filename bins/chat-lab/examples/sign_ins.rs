//! Many users who sign in at once, and what that does to the messages of a room: `sign_ins ADDRESS
//! PID COUNT`. Linux only. Start the server with `--trusted-proxies 127.0.0.1`: each user has an
//! address of its own, so that no limit for an address applies.
//!
//! First COUNT users register, one after the other. Then all sign in at once with their password,
//! while the 100 members of a room receive 20 messages a second.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chat_testkit::http::{Answer, send_json};
use chat_testkit::v2::Session;
use futures::future::join_all;
use serde_json::json;

const MEMBERS: usize = 100;
const INTERVAL: Duration = Duration::from_millis(50);

/// The text of the last message.
const LAST: &str = "last";

/// How long the room is observed before anyone signs in.
const QUIET: Duration = Duration::from_secs(5);

/// A member of a status file of the kernel, in KiB.
fn memory_kib(pid: &str, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn post(server: SocketAddr, path: &str, user: usize) -> Answer {
    let from = format!("X-Forwarded-For: 10.{}.{}.1", user / 250, user % 250);
    let body = json!({"username": format!("user{user}"), "password": "correct horse battery"});
    send_json(server, "POST", &format!("/api/v1/{path}"), &[&from], &body).await
}

/// Sends messages to the room until told to stop, each with the time at which it was sent.
async fn send(mut sender: Session, begun: Instant, stop: Arc<AtomicBool>) {
    // if an ack is late, the messages after it are sent in a burst
    let mut ticks = tokio::time::interval(INTERVAL);
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        sender.send_message("lobby", &begun.elapsed().as_micros().to_string()).await;
    }
    sender.send_message("lobby", LAST).await;
}

/// Receives the messages of the room until the last one: when each was sent, and its latency.
async fn receive(mut member: Session, begun: Instant) -> Vec<(Duration, Duration)> {
    let mut latencies = Vec::new();
    loop {
        let frame = member.next("message").await;
        if frame["body"] == LAST {
            return latencies;
        }
        let sent = Duration::from_micros(frame["body"].as_str().unwrap().parse().unwrap());
        latencies.push((sent, begun.elapsed() - sent));
    }
}

fn print_latencies(when: &str, mut latencies: Vec<Duration>) {
    latencies.sort_unstable();
    let at = |share: usize| latencies[(latencies.len() - 1) * share / 100].as_secs_f64() * 1_000.0;
    println!(
        "{when}: {} deliveries, p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
        latencies.len(),
        at(50),
        at(99),
        at(100)
    );
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, pid, count] = &arguments[..] else { panic!("usage: sign_ins ADDRESS PID COUNT") };
    let (server, count): (SocketAddr, usize) = (address.parse().unwrap(), count.parse().unwrap());
    let registering = Instant::now();
    for user in 0..count {
        let answer = post(server, "accounts", user).await;
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    }
    println!("registered {count} users in {:.1} s", registering.elapsed().as_secs_f64());

    let mut members = Vec::new();
    for member in 0..MEMBERS {
        members.push(Session::enter(server, "lobby", &format!("member{member}")).await.0);
    }
    let (sender, _) = Session::enter(server, "lobby", "sender").await;
    let (begun, stop) = (Instant::now(), Arc::new(AtomicBool::new(false)));
    let receiving: Vec<_> = members.into_iter().map(|member| tokio::spawn(receive(member, begun))).collect();
    let sending = tokio::spawn(send(sender, begun, Arc::clone(&stop)));
    tokio::time::sleep(QUIET).await;

    let (memory, signing_in) = (memory_kib(pid, "VmHWM:"), begun.elapsed());
    let answers = join_all((0..count).map(|user| post(server, "login", user))).await;
    let signed_in = begun.elapsed();
    stop.store(true, Ordering::Relaxed);
    sending.await.unwrap();
    let latencies: Vec<_> = join_all(receiving).await.into_iter().flat_map(Result::unwrap).collect();

    let succeeded = answers.iter().filter(|answer| answer.status == 200).count();
    let elapsed = (signed_in - signing_in).as_secs_f64();
    println!("{count} answered in {elapsed:.1} s, {succeeded} signed in");
    println!("peak memory: {memory} KiB before, {} KiB after", memory_kib(pid, "VmHWM:"));
    let (during, before): (Vec<_>, Vec<_>) = latencies.into_iter().partition(|(sent, _)| *sent >= signing_in);
    print_latencies("before", before.into_iter().map(|(_, latency)| latency).collect());
    print_latencies("during", during.into_iter().map(|(_, latency)| latency).collect());
}
