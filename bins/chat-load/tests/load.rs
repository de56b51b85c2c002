//! The built program against a real server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use std::net::ToSocketAddrs;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use chat_history::MemoryHistory;
use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::Limits;
use chat_server::{Config, Server, Tls};
use chat_testkit::tls::Identity;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

fn chat_load() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-load"));
    command.stdin(Stdio::null());
    command
}

/// A server without a rate limit: it reads as fast as the load writes.
fn without_rate_limit() -> Config {
    Config { limits: Limits { message_rate: 0, ..Limits::default() }, ..Config::default() }
}

/// Runs the load against a server in this process.
async fn run(arguments: &'static [&'static str]) -> Output {
    run_against(without_rate_limit(), arguments.iter().map(|&argument| argument.to_owned()).collect()).await
}

async fn run_against(config: Config, arguments: Vec<String>) -> Output {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    // a certificate is for a name
    let host = if config.tls.is_some() { "localhost" } else { "127.0.0.1" };
    let address = format!("{host}:{}", listener.local_addr().unwrap().port());
    let presence = MemoryPresence::new(NodeId::new("here"));
    let server = Server::new(listener, presence, MemoryHistory::new(), config).await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.run(async { drop(stopped.await) }));
    let always = ["--warm-up", "200ms", "--duration", "1s", "--json", "--pid"];
    let own = std::process::id().to_string();
    let load =
        move || chat_load().args(["run", &address]).args(always).arg(own).args(arguments).output().unwrap();
    let output = tokio::task::spawn_blocking(load).await.unwrap();
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    output
}

/// The report of a run without faults.
fn report(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}{}", String::from_utf8_lossy(&output.stdout));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for fault in ["lost", "duplicated", "out_of_order"] {
        assert_eq!(report["faults"][fault], 0, "{report}");
    }
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn encrypted_connections_carry_the_load() {
    if ("localhost", 0).to_socket_addrs().is_err() {
        return eprintln!("skipped: the name localhost does not resolve on this machine");
    }
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = Identity::generate().write(folder.path());
    let tls = Some(Arc::new(Tls::open(&certificate, key).unwrap()));
    // more in flight than a socket accepts at once
    let arguments = ["--members", "20", "--in-flight", "8", "--size", "5000", "--tls"].map(str::to_owned);
    let arguments = arguments.into_iter().chain([certificate.display().to_string()]).collect();
    let report = report(&run_against(Config { tls, ..without_rate_limit() }, arguments).await);
    assert!(report["deliveries"].as_u64().unwrap() > 1_000, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn compression_reduces_the_bytes_of_a_message() {
    const PLAIN: &[&str] = &["--members", "20", "--rate", "50", "--size", "2000"];
    let compressed = || {
        let arguments = PLAIN.iter().chain(&["--compression"]).map(|&argument| argument.to_owned());
        run_against(Config { deflate: true, ..without_rate_limit() }, arguments.collect())
    };
    let (plain, compressed) = (report(&run(PLAIN).await), report(&compressed().await));
    let bytes = |report: &Value| {
        report["bytes_per_second"].as_f64().unwrap() / report["deliveries_per_second"].as_f64().unwrap()
    };
    assert!(bytes(&compressed) < 0.7 * bytes(&plain), "{plain} {compressed}");
    // a server that does not compress is an error: the figures would be for something else
    let output = run(&["--members", "2", "--compression"]).await;
    assert!(!output.status.success());
    let text = [output.stdout, output.stderr].concat();
    assert!(String::from_utf8_lossy(&text).contains("the server does not compress messages"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_loop_delivers_at_its_rate_in_both_dialects() {
    for arguments in [
        &["--rooms", "2", "--members", "10", "--rate", "100", "--dialect", "v2"][..],
        &["--rooms", "2", "--members", "10", "--rate", "100", "--dialect", "classic", "--threads", "2"],
    ] {
        let report = report(&run(arguments).await);
        let deliveries = report["deliveries"].as_u64().unwrap();
        assert!((500..=1_500).contains(&deliveries), "{report}");
        assert_eq!(report["ended"], serde_json::json!({}), "{report}");
        assert!(report["latency"]["p50"].as_f64().unwrap() > 0.0, "{report}");
        assert!(report["bytes_per_second"].as_f64().unwrap() > deliveries as f64 * 128.0);
        assert!(report["join"]["p50"].as_f64().unwrap() > 0.0, "{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_loop_sends_when_messages_arrive_back() {
    let folder = tempfile::tempdir().unwrap();
    let svg = folder.path().join("latency.svg").to_str().unwrap().to_owned();
    let arguments = [
        "--members",
        "20",
        "--publishers",
        "2",
        "--in-flight",
        "4",
        "--sample",
        "5",
        "--churn",
        "20",
        "--svg",
    ];
    let arguments: Vec<&'static str> = arguments.into_iter().chain([&*svg.leak()]).collect();
    let arguments = arguments.leak();
    let report = report(&run(arguments).await);
    assert!(report["echoed_per_second"].as_f64().unwrap() > 100.0, "{report}");
    assert!(report["churn"]["joins"].as_u64().unwrap() > 5, "{report}");
    assert_eq!(report["churn"]["failed"], 0, "{report}");
    assert!(report["server"]["us_per_delivery"].as_f64().unwrap() > 0.0, "{report}");
    let picture = std::fs::read_to_string(folder.path().join("latency.svg")).unwrap();
    assert!(picture.starts_with("<svg") && picture.contains("p99"));
    assert!(picture.contains("chat.v2, 1 room, 20 members and 2 senders per room"), "{picture}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stalled_readers_are_not_counted_as_faults() {
    let report = report(&run(&["--members", "20", "--stalled-readers", "25", "--rate", "100"]).await);
    assert_eq!(report["stalled_readers"], 5);
    // five of twenty receive nothing
    assert!((800..=1_900).contains(&report["deliveries"].as_u64().unwrap()), "{report}");
}

#[test]
fn an_unreachable_server_is_an_error() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let output = chat_load().args(["run", &unused]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    let expected = format!("chat-load: Cannot connect to {unused}: connection refused");
    assert!(text.starts_with(&expected), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_are_rate_limited_and_reported() {
    for what in ["messages", "joins", "typing"] {
        let arguments = ["--rooms", "2", "--members", "3", "--flood", what, "--flood-clients", "2"];
        let limits = Limits { message_rate: 100, message_burst: 200, ..Limits::default() };
        let config = Config { limits, ..Config::default() };
        let output = run_against(config, arguments.map(str::to_owned).to_vec()).await;
        let flood = &report(&output)["flood"];
        assert_eq!(
            (&flood["kind"], &flood["clients"], &flood["failed"]),
            (&what.into(), &2.into(), &0.into())
        );
        assert!(flood["frames"].as_u64().unwrap() >= 200, "{flood}");
    }
}

#[test]
fn help_is_grouped() {
    let output = chat_load().args(["run", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for heading in ["Connection:", "Load:", "Measurement:", "Disturbance:", "Output:"] {
        assert!(help.contains(&format!("\n{heading}\n")), "no {heading} in {help}");
    }
}
