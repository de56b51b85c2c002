//! The floor under load, as a base for comparisons.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::time::Duration;

use chat_load::{Dialect, LoopMode, Plan, Report};

use crate::chat_lab;

/// A floor process, killed when this is dropped.
struct Floor {
    process: Child,
    address: SocketAddr,
}

impl Floor {
    fn start() -> Self {
        let mut process = chat_lab()
            .args(["floor", "--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut announced = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut announced).unwrap();
        let address = announced.split("http://").nth(1).unwrap().split(' ').next().unwrap();
        Self { address: address.parse().unwrap(), process }
    }

    /// Runs a load against this floor.
    fn load(&self, members: usize, mode: LoopMode, warm_up: Duration, duration: Duration) -> Report {
        let plan = Plan {
            server: self.address,
            trust: None,
            host: self.address.to_string(),
            dialect: Dialect::V2,
            compression: false,
            prefix: "test".into(),
            rooms: 1,
            members,
            publishers: 1,
            stalled_readers: 0,
            sample: 1,
            mode,
            size: 128,
            churn: 0.0,
            flood: None,
            flood_clients: 0,
            concurrency: 256,
            warm_up,
            duration,
            threads: 1,
        };
        let outcome = chat_load::run(&plan, Some(self.process.id()), |_| ()).unwrap();
        Report::new(&plan, &outcome)
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
fn the_floor_carries_the_same_load() {
    let floor = Floor::start();
    let report = floor.load(50, LoopMode::Closed(2), Duration::from_millis(200), Duration::from_secs(1));
    assert!(report.is_complete(), "{report:?}");
    assert!(report.deliveries > 1_000, "{report:?}");
    assert!(report.server.unwrap().us_per_delivery.unwrap() > 0.0, "{report:?}");
}

#[test]
fn the_table_is_plain_and_its_plurals_are_right() {
    let floor = Floor::start();
    let run = || {
        let report =
            floor.load(10, LoopMode::Open(50.0), Duration::from_millis(100), Duration::from_millis(300));
        assert!(report.is_complete(), "{report:?}");
        report.table()
    };
    let table = run();
    assert!(table.contains("chat.v2, 1 room, 10 members and 1 sender per room"), "{table}");
    assert!(table.contains("lost, duplicated, out of order"), "{table}");
    // the floor already has the memory for ten connections
    let warm = run();
    assert!(warm.contains("memory per connection is below what can be measured"), "{warm}");
    assert!(!warm.contains("0.00 KiB"), "{warm}");
}
