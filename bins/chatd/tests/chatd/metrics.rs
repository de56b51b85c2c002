//! The metrics, and the dashboard, alerts and documentation that use them.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chat_testkit::Client;
use chat_testkit::http::request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::process::{Running, chatd};
use chat_testkit::needs::{self, Need};

/// The number of members that join the room.
const MEMBERS: usize = 3;

pub(crate) async fn scraped(admin: SocketAddr) -> String {
    let answer = request(admin, "GET", "/metrics", &[]).await;
    assert_eq!(answer.status, 200);
    String::from_utf8(answer.body.to_vec()).unwrap()
}

/// The value of a series, as text.
pub(crate) fn value<'a>(text: &'a str, series: &str) -> &'a str {
    let found = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {series} in {text}"))
}

/// Reads events up to one of this type.
async fn event(client: &mut Client, kind: &str) {
    while client.event().await["type"] != kind {}
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/monitoring")
}

/// The metrics that a text names, without the suffixes of the series of histograms.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let metrics = words.filter(|word| word.starts_with("chatd_") || word.starts_with("process_"));
    let whole = |name| {
        ["_bucket", "_sum", "_count"].iter().find_map(|end| str::strip_suffix(name, end)).unwrap_or(name)
    };
    metrics.map(whole).filter(|name| !name.ends_with('_')).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_counted_and_timed() {
    let folder = tempfile::tempdir().unwrap();
    let chatd = Running::start(chatd(folder.path()).args(["--admin-listen", "127.0.0.1:0"]));
    let admin = chatd.admin.unwrap();
    let before = scraped(admin).await;
    for series in
        ["chatd_slow_clients_total", "chatd_failed_commits_total", "chatd_errors_total{code=\"internal\"}"]
    {
        assert_eq!(value(&before, series), "0", "an alert may query it");
    }

    let mut members = Vec::new();
    for number in 0..MEMBERS {
        members.push(Client::enter(chatd.address, "some-room", &format!("member-{number}")).await);
    }
    members[0].send_message("Grüße").await;
    for member in &mut members {
        member.messages(1).await;
    }
    members[0].send("{\"type\": \"nonsense\"}").await;
    event(&mut members[0], "chat_error").await;
    assert_eq!(request(chatd.address, "GET", "/ws/chat/%20/ana", &[]).await.status, 404);
    let mut nonsense = TcpStream::connect(chatd.address).await.unwrap();
    nonsense.write_all(b"this is no HTTP\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    nonsense.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 400 "));
    let mut leaver = members.pop().unwrap();
    leaver.close(Some(1000)).await;
    assert_eq!(leaver.closed().await, Some(1000));
    event(&mut members[0], "chat_leave_room").await;

    let text = scraped(admin).await;
    for (series, expected) in [
        ("chatd_ready", "1"),
        ("chatd_rooms", "1"),
        ("chatd_sessions", "0"),
        ("chatd_members", "2"),
        ("chatd_joins_total", "3"),
        ("chatd_leaves_total", "1"),
        ("chatd_messages_total", "1"),
        ("chatd_message_bytes_total", "7"),
        ("chatd_deliveries_total", "3"),
        ("chatd_ack_seconds_count", "1"),
        ("chatd_handshake_seconds_count", "3"),
        ("chatd_closes_total{by=\"client\",code=\"1000\"}", "1"),
        ("chatd_errors_total{code=\"bad_json\"}", "1"),
        ("chatd_refused_handshakes_total{reason=\"not_found\"}", "1"),
        ("chatd_refused_handshakes_total{reason=\"malformed\"}", "1"),
    ] {
        assert_eq!(value(&text, series), expected, "{series}");
    }
    assert_ne!(value(&text, "chatd_commit_seconds_count"), "0");
    assert_ne!(value(&text, "chatd_fan_out_seconds_count"), "0");
    assert!(!text.contains("member-") && !text.contains("some-room") && !text.contains("Gr"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dashboard_alerts_and_docs_name_existing_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let chatd = Running::start(chatd(folder.path()).args(["--admin-listen", "127.0.0.1:0"]));
    let mut ana = Client::enter(chatd.address, "r", "ana").await;
    ana.close(None).await;
    ana.closed().await;
    let text = scraped(chatd.admin.unwrap()).await;
    let there: BTreeSet<_> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    for file in ["alerts.yml", "alerts.test.yml", "grafana.json", "README.md"] {
        let content = std::fs::read_to_string(docs().join(file)).unwrap();
        let unknown: Vec<_> = named(&content).into_iter().filter(|name| !there.contains(name)).collect();
        assert!(unknown.is_empty(), "{file} names {unknown:?}, which is not in {text}");
    }
    let explained = std::fs::read_to_string(docs().join("README.md")).unwrap();
    let explained = named(&explained);
    let silent: Vec<_> =
        there.iter().filter(|name| name.starts_with("chatd_") && !explained.contains(*name)).collect();
    assert!(silent.is_empty(), "docs/monitoring/README.md does not explain {silent:?}");
    let dashboard = std::fs::read_to_string(docs().join("grafana.json")).unwrap();
    serde_json::from_str::<serde_json::Value>(&dashboard).unwrap();
}

/// Runs promtool of Prometheus.
fn promtool(arguments: &[&str], input: &str) {
    let mut tool = Command::new(needs::located("promtool"))
        .args(arguments)
        .current_dir(docs())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    tool.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn promtool_accepts_metrics_and_rules() {
    if !needs::are_met(&[Need::Program("promtool")]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let chatd = Running::start(chatd(folder.path()).args(["--admin-listen", "127.0.0.1:0"]));
    let _ana = Client::enter(chatd.address, "r", "ana").await;
    promtool(&["check", "metrics"], &scraped(chatd.admin.unwrap()).await);
    promtool(&["check", "rules", "alerts.yml"], "");
    promtool(&["test", "rules", "alerts.test.yml"], "");
}
