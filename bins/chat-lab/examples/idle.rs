//! The memory of an idle connection of a running server: opens COUNT connections in rooms of ten,
//! and compares the resident memory of the server's process before and after. Linux only. `idle
//! ADDRESS PID COUNT [classic|v2|register|account]`.
//!
//! Start the server with `--connections-per-address off --join-rate off`.
//!
//! `register` makes COUNT accounts with 20 rooms in their lists, and prints their tokens. `account`
//! reads these tokens: each connection belongs to an account of its own, and is in no room. Start
//! the server with `--trusted-proxies 127.0.0.1` then: each user registers from an address of its
//! own, so that no limit for an address applies. Restart it in between: registering uses memory.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::net::SocketAddr;
use std::time::Duration;

use chat_testkit::Client;
use chat_testkit::http::send_json;
use chat_testkit::v2::Session;
use serde_json::json;

/// Rooms in the list of an account.
const LISTED: usize = 20;

/// The time after which the server has freed the buffers of the handshakes, and the allocator has
/// returned the memory to the system.
const SETTLE: Duration = Duration::from_secs(3);

/// The resident memory of a process that belongs to no file.
fn resident_kib(pid: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, pid, count, dialect @ ..] = &arguments[..] else {
        panic!("usage: idle ADDRESS PID COUNT [classic|v2|register|account]")
    };
    let dialect = dialect.first().map_or("classic", String::as_str);
    let (address, count): (SocketAddr, u64) = (address.parse().unwrap(), count.parse().unwrap());
    if dialect == "register" {
        for i in 0..count {
            println!("{}", register(address, i).await);
        }
        return;
    }
    let mut tokens = std::io::stdin().lines();
    let before = resident_kib(pid);
    let mut idle = Vec::new();
    for i in 0..count {
        let (room, name) = (format!("room{}", i / 10), format!("user{i}"));
        idle.push(match dialect {
            "classic" => Client::enter(address, &room, &name).await,
            "v2" => Session::enter(address, &room, &name).await.0.client,
            "account" => {
                let mut session =
                    Session::hello_with(address, json!({"token": tokens.next().unwrap().unwrap()})).await;
                let list = session.next("rooms").await;
                assert_eq!(list["entries"].as_array().unwrap().len(), LISTED);
                session.client
            }
            _ => panic!("classic, v2 or account"),
        });
    }
    tokio::time::sleep(SETTLE).await;
    let after = resident_kib(pid);
    let each = (after - before) as f64 / count as f64;
    println!("{before} KiB before, {after} KiB with {count} idle connections: {each:.2} KiB each");
}

/// Registers a user with rooms in the list, and returns the token.
async fn register(address: SocketAddr, user: u64) -> String {
    let from = format!("X-Forwarded-For: 10.{}.{}.1", user / 250, user % 250);
    let body = json!({"username": format!("user{user}"), "password": "correct horse battery"});
    let answer = send_json(address, "POST", "/api/v1/accounts", &[&from], &body).await;
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    let mut session = Session::hello_with(address, json!({"token": token})).await;
    for room in 0..LISTED {
        // users share rooms, as those of a community do
        let room = format!("room{}", user % 50 * LISTED as u64 + room as u64);
        let kept = session.ask(json!({"type": "keep", "room": room})).await;
        assert_eq!(kept["type"], "kept", "{kept}");
    }
    token
}
