//! Measures what an idle connection costs a running server: opens this number of connections, in
//! rooms of ten, and compares the resident memory of the server's process before and after. Linux
//! only. `idle ADDRESS PID COUNT [classic|v2]`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::net::SocketAddr;
use std::time::Duration;

use chat_testkit::Client;
use chat_testkit::v2::Session;

/// Time for the server to free the buffers of the handshakes, and for the allocator to return
/// memory.
const SETTLE: Duration = Duration::from_secs(3);

fn resident_kib(pid: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, pid, count, dialect @ ..] = &arguments[..] else {
        panic!("usage: idle ADDRESS PID COUNT [classic|v2]")
    };
    let is_v2 = dialect.first().is_some_and(|dialect| dialect == "v2");
    let (address, count): (SocketAddr, u64) = (address.parse().unwrap(), count.parse().unwrap());
    let before = resident_kib(pid);
    let mut idle = Vec::new();
    for i in 0..count {
        let (room, name) = (format!("room{}", i / 10), format!("user{i}"));
        idle.push(if is_v2 {
            Session::enter(address, &room, &name).await.0.client
        } else {
            Client::enter(address, &room, &name).await
        });
    }
    tokio::time::sleep(SETTLE).await;
    let after = resident_kib(pid);
    let each = (after - before) as f64 / count as f64;
    println!("{before} KiB before, {after} KiB with {count} idle connections: {each:.2} KiB each");
}
