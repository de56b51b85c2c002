//! A faulty system: the wall clock jumps, a sync of the disk takes a second or fails. A preloaded
//! library simulates it; the test compiles it from `shim.c`.
#![cfg(target_os = "linux")]

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use chat_testkit::v2::Session;
use chat_testkit::{Client, http, until};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Running, chatd};
use chat_testkit::needs::{self, Need};

/// A server on a system whose faults can be set.
struct System {
    folder: TempDir,
    server: Running,
}

impl System {
    /// `None` if the machine has no C compiler.
    fn start() -> Option<Self> {
        if !needs::are_met(&[Need::Program("cc")]) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let shim = folder.path().join("shim.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chatd/shim.c");
        let compiled =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).arg(source).status();
        assert!(compiled.unwrap().success());
        let mut command = chatd(folder.path());
        command
            .env("LD_PRELOAD", &shim)
            .env("SHIM_CLOCK_SECONDS", folder.path().join("clock"))
            .env("SHIM_SYNC_MILLISECONDS", folder.path().join("sync"))
            .env("SHIM_SYNC_ERROR", folder.path().join("sync-error"));
        let server = Running::start(&mut command);
        Some(Self { folder, server })
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

#[tokio::test(flavor = "multi_thread")]
async fn when_the_clock_jumps_clients_stay_connected_and_the_order_is_kept() {
    const HOUR: i64 = 3_600;
    let Some(system) = System::start() else { return };
    let address = system.server.address;
    let mut classic = Client::enter(address, "r", "cleo").await;
    let (mut ana, _) = Session::enter(address, "r", "ana").await;
    let mut before = sent_at(&ana.ask(say(1)).await);
    for (n, jump) in [(2, HOUR), (3, -HOUR), (4, 0)] {
        system.set("clock", jump);
        let ack = ana.ask(say(n)).await;
        // after all earlier messages, including those of the classic client
        assert_eq!((&ack["type"], &ack["seq"]), (&json!("ack"), &json!(2 * n - 2)), "{ack}");
        let now = sent_at(&ack);
        assert!((now - before).abs() > HOUR * 900, "the clock did jump: from {before} to {now}");
        before = now;
        // the deadlines of a connection are checked when a frame arrives
        assert_eq!(ana.ask(json!({"type": "ping"})).await["type"], "pong");
        classic.send_message(&format!("{n}, too")).await;
        let mut bob = Client::enter(address, "r", &format!("bob{n}")).await;
        assert_eq!(bob.brief().await, format!("+bob{n}"));
        bob.close(None).await;
    }
    assert_eq!(classic.messages(7).await, ["1", "2", "2, too", "3", "3, too", "4", "4, too"]);
    let (_, joined) = Session::enter(address, "r", "dee").await;
    let members: Vec<_> =
        joined["members"].as_array().unwrap().iter().map(|m| m["username"].clone()).collect();
    assert_eq!(members, ["ana", "cleo", "dee"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_sync_delays_acks_and_nothing_else() {
    let Some(mut system) = System::start() else { return };
    let address = system.server.address;
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
    system.server.signal(Signal::TERM);
    assert!(system.server.end_within(Duration::from_secs(10)).await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn while_syncs_fail_nothing_is_acked_and_then_the_server_recovers() {
    const EIO: i64 = 5;
    let Some(mut system) = System::start() else { return };
    let address = system.server.address;
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

    system.server.signal(Signal::KILL);
    system.server.end_within(Duration::from_secs(10)).await;
    let again = Running::start(&mut chatd(system.folder.path()));
    let mut bob = Session::hello(again.address, "bob").await;
    let joined = bob.ask(json!({"type": "join", "room": "r", "history": 50})).await;
    let bodies: Vec<_> =
        joined["messages"].as_array().unwrap().iter().map(|message| message["body"].clone()).collect();
    assert_eq!(bodies, ["1", "2", "3"]);
}
