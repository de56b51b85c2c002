//! A faulty system: the wall clock jumps, a sync of the disk takes a second or fails. A preloaded
//! library simulates it; the test compiles it from `shim.c`.
#![cfg(target_os = "linux")]

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use chat_testkit::v2::Session;
use chat_testkit::{Client, http, postgres, until};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Running, chatd};
use chat_testkit::needs::{self, Need};

/// A system whose faults can be set.
struct System {
    folder: TempDir,
}

impl System {
    /// `None` if the machine has no C compiler.
    fn new() -> Option<Self> {
        if !needs::are_met(&[Need::Program("cc")]) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        // a server of another user reads the files
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let system = Self { folder };
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chatd/shim.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(system.shim())
            .arg(source)
            .status();
        assert!(compiled.unwrap().success());
        Some(system)
    }

    fn shim(&self) -> PathBuf {
        self.folder.path().join("shim.so")
    }

    /// The environment of a program on this system.
    fn environment(&self) -> [(&'static str, PathBuf); 4] {
        let file = |name| self.folder.path().join(name);
        [
            ("LD_PRELOAD", self.shim()),
            ("SHIM_CLOCK_SECONDS", file("clock")),
            ("SHIM_SYNC_MILLISECONDS", file("sync")),
            ("SHIM_SYNC_ERROR", file("sync-error")),
        ]
    }

    /// Starts chatd on this system.
    fn start(&self, arguments: &[&str]) -> Running {
        Running::start(chatd(self.folder.path()).envs(self.environment()).args(arguments))
    }

    fn set(&self, what: &str, value: i64) {
        let written: PathBuf = self.folder.path().join("next");
        std::fs::write(&written, value.to_string()).unwrap();
        // a rename is atomic, so the library reads a complete number
        std::fs::rename(written, self.folder.path().join(what)).unwrap();
    }
}

fn say(n: u64) -> Value {
    json!({"type": "send", "room": "r", "body": format!("{n}"), "id": format!("id{n}")})
}

/// The time of a message, in milliseconds since 1970.
fn sent_at(ack: &Value) -> i64 {
    let text = ack["sent_at"].as_str().unwrap_or_else(|| panic!("no time in {ack}"));
    let time = humantime::parse_rfc3339(text).unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(time.as_millis()).unwrap()
}

const HOUR: i64 = 3_600;

#[tokio::test(flavor = "multi_thread")]
async fn when_the_clock_jumps_clients_stay_connected_and_the_order_is_kept() {
    let Some(system) = System::new() else { return };
    let server = system.start(&[]);
    the_clock_jumps(&server, |seconds| system.set("clock", seconds), HOUR).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_clock_jumps_the_order_on_postgres_is_kept() {
    if !needs::are_met(&[Need::Postgres]) {
        return;
    }
    let Some(system) = System::new() else { return };
    let database = postgres::shared();
    let server = system.start(&["--database", database.url()]);
    the_clock_jumps(&server, |seconds| system.set("clock", seconds), HOUR).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_clock_of_postgres_jumps_nothing_changes() {
    if !needs::are_met(&[Need::Postgres]) {
        return;
    }
    let Some(system) = System::new() else { return };
    let mut postgres = postgres::Server::builder();
    for (name, value) in system.environment() {
        postgres = postgres.env(name, value);
    }
    let postgres = postgres.start();
    let now = || postgres.psql("postgres", "SELECT floor(extract(epoch FROM clock_timestamp()))");
    let now = || now().parse::<i64>().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(chatd(folder.path()).args(["--database", &postgres.url("postgres")]));
    let jump = |seconds| {
        let before = now();
        system.set("clock", seconds);
        assert!((now() - before).abs() > HOUR * 9 / 10, "the clock did jump");
    };
    the_clock_jumps(&server, jump, 0).await;
}

/// Checks that a server works as ever while a clock jumps. The times of messages jump by `expected`
/// seconds at least.
async fn the_clock_jumps(server: &Running, jump_to: impl Fn(i64), expected: i64) {
    let address = server.address;
    let mut classic = Client::enter(address, "r", "cleo").await;
    let (mut ana, _) = Session::enter(address, "r", "ana").await;
    let mut before = sent_at(&ana.ask(say(1)).await);
    for (n, jump) in [(2, HOUR), (3, -HOUR), (4, 0)] {
        jump_to(jump);
        let ack = ana.ask(say(n)).await;
        // after all earlier messages, including those of the classic client
        assert_eq!((&ack["type"], &ack["seq"]), (&json!("ack"), &json!(2 * n - 2)), "{ack}");
        let now = sent_at(&ack);
        assert!((now - before).abs() >= expected * 900, "the clock did jump: from {before} to {now}");
        before = now;
        // the deadlines of a connection are checked when a frame arrives
        assert_eq!(ana.ask(json!({"type": "ping"})).await["type"], "pong");
        classic.send_message(&format!("{n}, too")).await;
        let mut bob = Client::enter(address, "r", &format!("bob{n}")).await;
        assert_eq!(bob.brief().await, format!("+bob{n}"));
        bob.close(None).await;
        let ready = http::request(address, "GET", "/readyz", &[]).await;
        assert_eq!(ready.status, 200);
    }
    assert_eq!(classic.messages(7).await, ["1", "2", "2, too", "3", "3, too", "4", "4, too"]);
    let (_, joined) = Session::enter(address, "r", "dee").await;
    let members: Vec<_> =
        joined["members"].as_array().unwrap().iter().map(|m| m["username"].clone()).collect();
    assert_eq!(members, ["ana", "cleo", "dee"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_sync_delays_acks_and_nothing_else() {
    let Some(system) = System::new() else { return };
    let mut server = system.start(&[]);
    let address = server.address;
    let mut classic = Client::enter(address, "other", "cleo").await;
    assert_eq!(classic.brief().await, "+cleo");
    let (mut ana, _) = Session::enter(address, "r", "ana").await;
    system.set("sync", 1_000);

    let began = Instant::now();
    for n in 1..=20 {
        ana.send(&say(n)).await;
    }
    ana.send(&json!({"type": "ping", "ref": "p"})).await;
    let pong = ana.next("pong").await;
    assert_eq!(pong["ref"], "p");
    let answered = began.elapsed();
    let mut first = None;
    for n in 1..=20 {
        let ack = ana.next("ack").await;
        assert_eq!((&ack["seq"], &ack["stored"]), (&json!(n), &Value::Null), "the message is stored: {ack}");
        first.get_or_insert_with(|| began.elapsed());
    }
    let (first, all) = (first.unwrap(), began.elapsed());
    assert!(answered < first, "a pong does not wait for the disk: {answered:?}, {first:?}");
    assert!(first >= Duration::from_secs(1), "no ack before the sync: {first:?}");
    assert!(all < Duration::from_secs(10), "messages share syncs: {all:?}");

    classic.send_message("slowly").await;
    assert_eq!(classic.brief().await, "cleo: slowly");
    let ready = http::request(address, "GET", "/readyz", &[]).await;
    assert!([200, 503].contains(&ready.status));
    let _bob = Client::enter(address, "r", "bob").await;

    system.set("sync", 0);
    until("it is ready", async || http::request(address, "GET", "/readyz", &[]).await.status == 200).await;
    let ack = ana.ask(say(21)).await;
    assert_eq!(ack["seq"], 21, "{ack}");
    server.signal(Signal::TERM);
    assert!(server.end_within(Duration::from_secs(10)).await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn while_syncs_fail_nothing_is_acked_and_then_the_server_recovers() {
    const EIO: i64 = 5;
    let Some(system) = System::new() else { return };
    let mut server = system.start(&[]);
    let address = server.address;
    let is_ready = async || http::request(address, "GET", "/readyz", &[]).await.status == 200;
    let mut classic = Client::enter(address, "r", "cleo").await;
    let (mut ana, _) = Session::enter(address, "r", "ana").await;
    assert_eq!(ana.ask(say(1)).await["type"], "ack");

    system.set("sync-error", EIO);
    for _ in 0..3 {
        let answer = ana.ask(say(2)).await;
        assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("store_unavailable")));
    }
    until("it is not ready", async || !is_ready().await).await;
    assert_eq!(http::request(address, "GET", "/livez", &[]).await.status, 200);

    system.set("sync-error", 0);
    until("it is ready again", is_ready).await;
    // the message may be in the file already; it is stored once
    let ack = ana.ask(say(2)).await;
    assert_eq!((&ack["type"], &ack["seq"]), (&json!("ack"), &json!(2)), "{ack}");
    assert_eq!(ana.ask(say(3)).await["seq"], 3);
    assert_eq!(classic.messages(3).await, ["1", "2", "3"], "the client is still connected");

    server.signal(Signal::KILL);
    server.end_within(Duration::from_secs(10)).await;
    let again = Running::start(&mut chatd(system.folder.path()));
    let mut bob = Session::hello(again.address, "bob").await;
    let joined = bob.ask(json!({"type": "join", "room": "r", "history": 50})).await;
    let bodies: Vec<_> =
        joined["messages"].as_array().unwrap().iter().map(|message| message["body"].clone()).collect();
    assert_eq!(bodies, ["1", "2", "3"]);
}
