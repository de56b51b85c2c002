//! Reloading of the configuration on SIGHUP.

use std::path::Path;

use chat_testkit::Client;
use chat_testkit::http::request;
use chat_testkit::v2::Session;
use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;

use crate::process::{Running, chatd};

fn write(folder: &Path, text: &str) {
    std::fs::write(folder.join("chatd.toml"), text).unwrap();
}

/// Sends SIGHUP and reads the log up to a line that contains `until`.
fn reload(server: &mut Running, until: &str) -> String {
    server.signal(Signal::HUP);
    server.log_up_to(until)
}

fn start(configuration: &str) -> (TempDir, Running) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), configuration);
    let server = Running::start(&mut chatd(folder.path()));
    (folder, server)
}

/// Whether a page of this origin may read look-ups.
async fn may_read(server: &Running, origin: &str) -> bool {
    let origin_line = format!("Origin: {origin}");
    let answer = request(server.address, "GET", "/chat/get_signed_user/r/ana", &[&origin_line]).await;
    answer.header("access-control-allow-origin") == Some(origin)
}

#[tokio::test(flavor = "multi_thread")]
async fn reloadable_options_change_at_once_and_clients_stay_connected() {
    let (folder, mut server) = start("message_bytes = 1000\nallowed_origins = ['https://a.example']\n");
    let mut ana = Client::enter(server.address, "r", "ana").await;
    assert_eq!(ana.brief().await, "+ana");
    assert!(may_read(&server, "https://a.example").await);

    write(
        folder.path(),
        "message_bytes = 5000\nallowed_origins = ['https://b.example']\nmembers_per_room = 2\nhistory = false\n",
    );
    let log = reload(&mut server, "option=\"message-bytes\"");
    assert!(log.contains("this option needs a restart to change option=\"history\""), "{log}");
    assert!(log.contains("option changed option=\"allowed-origins\" value=\"https://b.example\""), "{log}");
    assert!(!may_read(&server, "https://a.example").await);
    assert!(may_read(&server, "https://b.example").await);

    let mut bob = Client::enter(server.address, "r", "bob").await;
    assert_eq!(
        Client::try_enter(server.address, "r", "cid").await.unwrap_err().status,
        503,
        "the room is full"
    );
    let long = "x".repeat(4_000);
    bob.send_message(&long).await;
    assert_eq!(ana.brief().await, "+bob");
    assert_eq!(ana.brief().await, format!("bob: {long}"));

    let log = reload(&mut server, "needs a restart");
    assert!(log.contains("option=\"history\""), "the warning is repeated: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_file_changes_nothing_and_is_reported() {
    let (folder, mut server) = start("allowed_origins = ['https://a.example']\n");
    for (bad, why) in [
        (
            "allowed_origins = ['https://b.example']\njoin_rate = 'fast'",
            "chatd.toml, line 2: join-rate: expected a whole number, or off for no limit; found \"fast\"",
        ),
        (
            "allowed_origins = ['https://b.example']\nlog = 'chat=loudly'",
            "line 2: log: \"loudly\" is not a log level",
        ),
        ("allowed_origins = [", "not valid TOML"),
        (
            "allowed_origins = ['https://b.example']\nhistory_max_count = 0",
            "at least 1; off keeps everything",
        ),
        (
            "allowed_origins = ['https://b.example']\nhistory_max_age = '0s'",
            "at least 1s; off keeps everything",
        ),
    ] {
        write(folder.path(), bad);
        let log = reload(&mut server, why);
        assert!(log.contains("the old one stays in effect"), "{log}");
        assert!(may_read(&server, "https://a.example").await, "{bad}");
    }
    write(folder.path(), "allowed_origins = ['https://b.example']");
    reload(&mut server, "option changed");
    assert!(may_read(&server, "https://b.example").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_filter_changes() {
    let (folder, mut server) = start("");
    write(folder.path(), "log = 'debug'");
    reload(&mut server, "option=\"log\"");
    let _ana = Client::enter(server.address, "r", "ana").await;
    server.log_up_to("username=ana");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_site_changes_without_a_restart() {
    let (folder, mut server) = start("site_name = 'The tea house'\n");
    let site = async |server: &Running| request(server.address, "GET", "/api/v1/site", &[]).await.json();
    let before = site(&server).await;
    assert_eq!(
        before,
        json!({"name": "The tea house", "default_room": "lobby", "guests": true, "accounts": true, "registration": "open"})
    );
    let images = async |server: &Running| {
        let page = request(server.address, "GET", "/", &[]).await;
        let policy = page.header("content-security-policy").unwrap().to_owned();
        policy.split(';').find(|part| part.starts_with(" img-src")).unwrap().to_owned()
    };
    assert_eq!(images(&server).await, " img-src 'self' data:");
    write(
        folder.path(),
        "site_name = 'Tea'\nsite_logo = 'https://cdn.example.org/tea.svg?v=1'\nsite_welcome = \"\"\"\nBe **kind**.\n\n<script>\"\"\"\ndefault_room = 'tea'\n",
    );
    reload(&mut server, "option=\"site-welcome\"");
    let after = site(&server).await;
    assert_eq!(after["name"], "Tea");
    assert_eq!(after["logo"], "https://cdn.example.org/tea.svg?v=1");
    assert_eq!(after["default_room"], "tea");
    assert_eq!(after["welcome"]["body"], "Be **kind**.\n\n<script>");
    let html = after["welcome"]["html"].as_str().unwrap();
    assert!(html.contains("<strong>kind</strong>") && html.contains("&lt;script&gt;"), "{html}");
    assert_eq!(images(&server).await, " img-src 'self' data: https://cdn.example.org/tea.svg");
    write(folder.path(), "");
    reload(&mut server, "option=\"site-welcome\"");
    assert_eq!(images(&server).await, " img-src 'self' data:");
    assert_eq!(site(&server).await["name"], "chatd");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_filter_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("filter");
    std::fs::write(&file, "deny word tea\n").unwrap();
    write(folder.path(), &format!("filter = '{}'\n", file.display()));
    let mut server = Running::start(&mut chatd(folder.path()));
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    let mut send = async |body: &str| {
        let answer = ana.ask(json!({"type": "send", "room": "r", "body": body})).await;
        answer["code"].as_str().map(str::to_owned)
    };
    assert_eq!((send("tea").await.as_deref(), send("cake").await), (Some("filtered"), None));
    std::fs::write(&file, "deny word tea\ndeny cake\n").unwrap();
    let log = reload(&mut server, "the filter can't be used");
    assert!(log.contains("line 2"), "{log}");
    assert_eq!((send("tea").await.as_deref(), send("cake").await), (Some("filtered"), None));
    std::fs::write(&file, "deny word cake\n").unwrap();
    reload(&mut server, "the configuration has not changed");
    assert_eq!((send("tea").await, send("cake").await.as_deref()), (None, Some("filtered")));
}

#[test]
fn a_filter_with_a_mistake_prevents_the_start() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("filter"), "deny tea\n").unwrap();
    for (file, why) in [("filter", "line 1"), ("absent", "No such file")] {
        let file = folder.path().join(file);
        let output = chatd(folder.path()).args(["--filter", file.to_str().unwrap()]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(why), "{text}");
    }
}
