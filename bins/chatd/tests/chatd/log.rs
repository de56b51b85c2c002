//! The log: its format, and what must not be in it.

use chat_testkit::{Client, v2};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::process::{Running, chatd};

/// A text that only the messages of these tests contain.
const CANARY: &str = "canary-7d1f";

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_lines_are_json_with_fields() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = chatd(folder.path());
    let mut chatd =
        Running::start(command.env_remove("CHATD_LOG_FORMAT").args(["--log", "chat_server=debug"]));
    let mut ana = Client::enter(chatd.address, "lobby", "ana").await;
    ana.close(Some(1000)).await;
    ana.closed().await;
    let (mut bob, _) = v2::Session::enter(chatd.address, "lobby", "bob").await;
    bob.send(&json!({ "type": "hello", "username": "bob" })).await;
    drop(bob);
    let log = chatd.log_up_to("1006");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let closed = |username: &str| {
        let is = |line: &&Value| line["username"] == username && line["message"] == "closed";
        lines.iter().find(is).unwrap_or_else(|| panic!("{username} has not closed in {log}")).clone()
    };
    let ana = closed("ana");
    assert_eq!((&ana["room"], &ana["code"], &ana["by"]), (&json!("lobby"), &json!(1000), &json!("client")));
    assert!(ana["connection"].as_str().is_some_and(|id| !id.is_empty()));
    assert_eq!((&ana["level"], &ana["target"]), (&json!("DEBUG"), &json!("chat_server::session::classic")));
    let bob = closed("bob");
    assert_eq!((&bob["rooms"], &bob["code"]), (&json!(1), &json!(1006)));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_line_contains_messages_or_secrets() {
    for format in ["text", "json"] {
        let folder = tempfile::tempdir().unwrap();
        let arguments = ["--log", "trace", "--log-format", format, "--admin-listen", "127.0.0.1:0"];
        let mut chatd = Running::start(chatd(folder.path()).args(arguments));
        let mut ana = Client::enter(chatd.address, "lobby", "ana").await;
        ana.send_message(CANARY).await;
        ana.messages(1).await;
        ana.send(&format!("{{\"type\": \"{CANARY}\", {CANARY}")).await;
        // this token is made by the server, and the other one by the client
        let hello = json!({ "username": "bob", "guest_token": null });
        let mut bob = v2::Session::hello_with(chatd.address, hello).await;
        bob.join("lobby").await;
        bob.send_message("lobby", CANARY).await;
        bob.send(&json!({ "type": CANARY })).await;
        bob.send(&json!({ "type": "send", "room": "lobby", "body": [CANARY] })).await;
        let mut again = v2::Session::hello_replacing(chatd.address, &bob).await;
        again.ask(json!({ "type": "history", "room": "lobby" })).await;
        let carol = v2::Session::hello(chatd.address, "carol").await;
        let secrets = [bob.guest_token().to_owned(), carol.guest_token().to_owned()];
        drop((ana, bob, again));
        chatd.signal(Signal::TERM);
        let log = chatd.log_up_to("stopped");
        assert!(log.contains("closed"), "{log}");
        for what in [CANARY, &secrets[0], &secrets[1]] {
            let line = log.lines().find(|line| line.contains(what));
            assert_eq!(line, None, "the log has {what}");
        }
    }
}

/// A server whose log goes to a full pipe that nobody reads.
struct Unread {
    server: Running,
    _reader: std::io::PipeReader,
    folder: tempfile::TempDir,
}

impl Unread {
    fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = chatd(folder.path());
        command.args(["--admin-listen", "127.0.0.1:0"]).args(arguments).stderr(writer);
        let server = Running::start(&mut command);
        // the command would keep the writing end of the pipe open
        drop(command);
        Self { server, _reader: reader, folder }
    }

    /// Fills the pipe and the queue of the log.
    async fn fill(&self) {
        let admin = self.server.admin.unwrap();
        let name = "x".repeat(40);
        chat_testkit::until("lines are dropped", async || {
            for number in 0..100 {
                let mut client = Client::enter(self.server.address, &name, &format!("{name}{number}")).await;
                client.close(Some(1000)).await;
            }
            let metrics = crate::metrics::scraped(admin).await;
            crate::metrics::value(&metrics, "chatd_log_dropped_lines_total") != "0"
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_does_not_block_the_server() {
    let mut unread = Unread::start(&["--log", "trace"]);
    unread.fill().await;
    let mut ana = Client::enter(unread.server.address, "r", "ana").await;
    ana.send_message("still here").await;
    assert_eq!(ana.messages(1).await, ["still here"]);
    let asked = chat_testkit::http::request(unread.server.address, "GET", "/livez", &[]).await;
    assert_eq!(asked.status, 200);
    unread.server.signal(Signal::HUP);
    unread.server.signal(Signal::TERM);
    drop(ana);
    assert!(unread.server.end_within(std::time::Duration::from_secs(10)).await.success());
    drop(unread.folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_lines_are_reported_when_the_log_is_read_again() {
    let Unread { mut server, _reader: mut reader, folder } = {
        let unread = Unread::start(&["--log", "trace"]);
        unread.fill().await;
        unread
    };
    let reading = tokio::task::spawn_blocking(move || {
        let mut log = String::new();
        std::io::Read::read_to_string(&mut reader, &mut log).unwrap();
        log
    });
    let mut ana = Client::enter(server.address, "r", "ana").await;
    ana.close(Some(1000)).await;
    server.signal(Signal::TERM);
    assert!(server.end_within(std::time::Duration::from_secs(10)).await.success());
    let log = reading.await.unwrap();
    let report = log.lines().find(|line| line.contains("log lines were dropped"));
    let report = report.unwrap_or_else(|| panic!("no report in {} lines", log.lines().count()));
    let lines: u64 =
        report.split("lines=").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
    assert!(report.contains("WARN") && lines > 0, "{report}");
    assert!(log.contains("stopped"), "the last lines are written");
    drop(folder);
}

/// The address on standard output, and the error of a failed start.
#[tokio::test(flavor = "multi_thread")]
async fn blocked_outputs_prevent_neither_serving_nor_ending() {
    let full = || {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut filler = writer.try_clone().unwrap();
        rustix::io::ioctl_fionbio(&filler, true).unwrap();
        while std::io::Write::write(&mut filler, &[b'x'; 4_096]).is_ok() {}
        while std::io::Write::write(&mut filler, b"x").is_ok() {}
        rustix::io::ioctl_fionbio(&filler, false).unwrap();
        (reader, writer)
    };
    let folder = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let ((_out_reader, out), (_reader, err)) = (full(), full());
    let mut command = chatd(folder.path());
    command.args(["--listen", &address.to_string()]).stdout(out).stderr(err);
    let mut child = command.spawn().unwrap();
    drop(command);
    let serves = async || tokio::net::TcpStream::connect(address).await.is_ok();
    chat_testkit::until("it serves", serves).await;
    let mut ana = Client::enter(address, "r", "ana").await;
    ana.send_message("hello").await;
    assert_eq!(ana.messages(1).await, ["hello"]);
    drop(ana);
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::TERM).unwrap();
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap());
    assert!(
        tokio::time::timeout(std::time::Duration::from_secs(15), ended).await.unwrap().unwrap().success()
    );

    let (_reader, err) = full();
    let mut command = chatd(folder.path());
    command.args(["--listen", "nowhere.invalid:1"]).stderr(err);
    let mut child = command.spawn().unwrap();
    drop(command);
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap());
    assert!(
        !tokio::time::timeout(std::time::Duration::from_secs(60), ended).await.unwrap().unwrap().success()
    );
}
