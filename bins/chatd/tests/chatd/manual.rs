//! `docs/operations.md`, word for word: every command of it is run, in order, on a machine with systemd, nginx and Prometheus; and those
//! of `docs/monitoring`.
//!
//! Two programs are not what they are elsewhere: `apt-get` has nothing to do, since what it would install is there, and `cargo` gives the
//! program under test in place of building it. An id that only a running server knows is put in. And the unit may see /tmp and homes:
//! unlike one that is released, a program that is built for tests reads the page's files where the workspace is.
#![cfg(target_os = "linux")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chat_testkit::{Client, http, until, v2};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::machine::Machine;

/// A part of the page.
struct Part {
    heading: String,
    /// What stands in it for a shell, block by block.
    commands: Vec<String>,
}

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// What stands in a text for a shell, block by block.
fn commands(text: &str) -> Vec<String> {
    let blocks = text.split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

fn parts() -> Vec<Part> {
    let page = std::fs::read_to_string(top().join("docs/operations.md")).unwrap();
    let part = |section: &str| {
        let heading = section.lines().next().unwrap_or_default().to_owned();
        Part { heading, commands: commands(section) }
    };
    page.split("\n## ").skip(1).map(part).collect()
}

/// What a checkout has that the page uses, and the two programs.
fn checkout() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let copy = |what: &str| {
        let status =
            std::process::Command::new("cp").arg("-r").arg(top().join(what)).arg(folder.path()).status();
        assert!(status.unwrap().success());
    };
    copy("packaging");
    copy("docs");
    std::fs::copy(env!("CARGO_BIN_EXE_chatd"), folder.path().join("chatd-under-test")).unwrap();
    folder
}

const PROGRAMS: &str = "
printf '#!/bin/sh\n' > /usr/local/bin/apt-get
printf '#!/bin/sh\nset -e\nmkdir -p target/release\ncp chatd-under-test target/release/chatd\n' > /usr/local/bin/cargo
chmod 755 /usr/local/bin/apt-get /usr/local/bin/cargo
mkdir /etc/systemd/system/chatd.service.d
printf '[Service]\nProtectHome=no\n%s\n' \"$bind\" > /etc/systemd/system/chatd.service.d/workspace.conf
";

const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8000);

struct Reader {
    machine: Machine,
    parts: std::vec::IntoIter<Part>,
    /// What is exported stays so in a shell.
    exported: String,
}

impl Reader {
    /// Does what the next part says, which has this heading.
    fn follow(&mut self, heading: &str) -> String {
        self.follow_with(heading, str::to_owned)
    }

    fn follow_with(&mut self, heading: &str, put_in: impl Fn(&str) -> String) -> String {
        let part = self.parts.next().unwrap();
        assert_eq!(part.heading, heading);
        let mut said = String::new();
        for commands in part.commands {
            said += &self.machine.must(&format!("{}\n{}", self.exported, put_in(&commands)));
            let exports = commands.lines().filter(|line| line.starts_with("export "));
            self.exported.extend(exports.map(|line| format!("{line}\n")));
        }
        said
    }
}

#[tokio::test]
async fn the_manual_is_followed_word_for_word() {
    let checkout = checkout();
    let Some(machine) = Machine::boot(checkout.path()).await else { return };
    // its own /tmp is what a unit with a user of its own can't do without
    let beneath_tmp = top()
        .strip_prefix("/tmp")
        .ok()
        .and_then(|path| path.iter().next().map(Path::new).map(Path::to_owned));
    let bind =
        beneath_tmp.map(|first| format!("BindReadOnlyPaths=/tmp/{}", first.display())).unwrap_or_default();
    machine.must(&format!("bind='{bind}'\n{PROGRAMS}"));
    machine.move_into_its_network();
    let mut reader = Reader { machine, parts: parts().into_iter(), exported: String::new() };

    assert!(reader.follow("Install").ends_with("ready\n"));
    let owner = reader.machine.must("stat -c %U:%a /var/lib/private/chatd; ps -o user= -C chatd");
    assert_eq!(owner, "chatd:700\nchatd\n", "a user of its own");

    reader.follow("Serve");
    assert!(reader.machine.must("cat page.html").contains("<title>"));

    let found = reader.follow("Is the machine fit for it?");
    assert!(found.contains("all of it read"), "{found}");

    reader.follow("Up to 100,000 connections");
    assert_eq!(reader.machine.must("sysctl -n net.ipv4.ip_local_port_range"), "1024\t65535\n");

    let mut mia = Client::enter(SERVER, "lobby", "mia").await;
    let (mut eve, _) = v2::Session::enter(SERVER, "lobby", "eve").await;
    eve.say("lobby", "hello").await;
    let (bob, _) = v2::Session::enter(SERVER, "tea", "bob").await;
    let sessions = reader.machine.must("chatd admin --token-file /etc/chatd/admin-token sessions --json");
    let sessions: Value = serde_json::from_str(&sessions).unwrap();
    let id = sessions["sessions"].as_array().unwrap().iter().find(|one| one["username"] == "bob").unwrap();
    let id = id["session"].as_str().unwrap();
    let told = reader.follow_with("The operator's hand", |commands| {
        assert!(commands.contains("s0123456789abcdef") || commands.contains("curl"));
        commands.replace("s0123456789abcdef", id)
    });
    assert!(told.contains("eve is out of the room lobby") && told.contains("1 messages erased"), "{told}");
    assert!(reader.machine.must("cat eve.jsonl").contains("\"body\":\"hello\""));
    assert_eq!(mia.closed().await, Some(4403), "its room was closed");
    drop((eve, bob));

    reader.follow("Watch");
    let monitoring = std::fs::read_to_string(top().join("docs/monitoring/README.md")).unwrap();
    let shown: String = commands(&monitoring).iter().map(|commands| reader.machine.must(commands)).collect();
    assert!(shown.contains("chatd_ready 1"), "{shown}");
    let sees = "curl -sS 'http://127.0.0.1:9090/api/v1/query?query=chatd_ready' || true";
    reader.machine.until(sees, &[r#""chatd_ready""#]).await;
    let rules = reader.machine.must("curl -sSf http://127.0.0.1:9090/api/v1/rules");
    assert!(rules.contains("chatd_ready"), "{rules}");

    assert!(reader.follow("Change the configuration").contains("max-connections"));
    reader.machine.until("journalctl -u chatd --no-pager", &["SIGHUP: the configuration"]).await;

    let (mut ana, _) = v2::Session::enter(SERVER, "lobby", "ana").await;
    ana.say("lobby", "before the restart").await;
    let knocking = Arc::new(AtomicBool::new(true));
    let knocks = tokio::spawn(knock(Arc::clone(&knocking)));
    assert!(reader.follow("Restart and stop").contains("alive"));
    assert_eq!(ana.closed().await.1, Some(1001));
    knocking.store(false, Ordering::Relaxed);
    assert!(knocks.await.unwrap() > 0, "nobody was refused, and some were answered");

    reader.follow("Back up and restore");
    let kept = reader.machine.must("ls /var/backups/chatd | wc -l; ls /var/lib/chatd/*replaced* | wc -l");
    assert_eq!(kept.split_whitespace().next(), Some("2"), "{kept}");
    let mut ana = v2::Session::hello(SERVER, "ana").await;
    let joined = ana.ask(serde_json::json!({ "type": "join", "room": "lobby", "history": 50 })).await;
    assert_eq!(joined["messages"].as_array().unwrap().last().unwrap()["body"], "before the restart");

    reader.follow("Upgrade and downgrade");
    until("it serves again", async || http::request(SERVER, "GET", "/readyz", &[]).await.status == 200).await;
    reader.follow("When something is wrong");
    assert!(reader.parts.next().is_none());
}

/// Connects again and again, and is never refused. Gives how often it was answered: a server that has just ended answers no more.
async fn knock(go_on: Arc<AtomicBool>) -> usize {
    let mut answered = 0;
    while go_on.load(Ordering::Relaxed) {
        let mut stream = TcpStream::connect(SERVER).await.expect("the socket is there");
        let mut answer = [0; 12];
        let asked = async {
            stream.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
            stream.read_exact(&mut answer).await
        };
        answered += usize::from(asked.await.is_ok() && &answer == b"HTTP/1.1 200");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    answered
}
