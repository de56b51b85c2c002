//! Runs every command of `docs/operations.md` and `docs/monitoring`, in order, on a machine with
//! systemd, nginx and Prometheus. Each way to install chatd has a machine of its own; the rest of
//! the page follows the Debian package.
//!
//! Three things differ from a real machine. `apt-get` only installs the package of chatd, because
//! the other packages are installed. `cargo` copies the program under test instead of building it.
//! The unit can read /tmp and home folders, because a program that is built for tests reads the
//! files of the web page from the workspace. The test fills in ids that only the running server
//! knows, and a file with the password where a user types it.
#![cfg(target_os = "linux")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chat_testkit::{Client, http, until, v2};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::download::{self, Download};
use crate::machine::Machine;
use chat_testkit::needs::Need;

/// A section of the page.
struct Section {
    heading: String,
    /// Its shell commands, one entry per block.
    commands: Vec<String>,
}

/// The shell commands of a text, one entry per block.
fn commands(text: &str) -> Vec<String> {
    let blocks = text.split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

/// The sections of the page that have commands. "Install" is split into its subsections.
fn sections() -> Vec<Section> {
    let page = std::fs::read_to_string(download::top().join("docs/operations.md")).unwrap();
    let (before, rest) = page.split_once("\n## Install\n").unwrap();
    assert!(commands(before).is_empty());
    let (install, rest) = rest.split_once("\n## ").unwrap();
    let install = format!("Install\n{install}");
    let all = install.split("\n### ").chain(rest.split("\n## "));
    let section = |text: &str| {
        let heading = text.lines().next().unwrap_or_default().to_owned();
        Section { heading, commands: commands(text) }
    };
    all.map(section).filter(|section| !section.commands.is_empty()).collect()
}

/// The requirements of the page, besides chatd.
const NEEDS: &[Need] = &[
    Need::Program("nginx"),
    Need::Path("/lib/systemd/system/nginx.service"),
    Need::Path("/etc/nginx/conf.d"),
    Need::Program("prometheus"),
    Need::Program("promtool"),
    Need::Path("/lib/systemd/system/prometheus.service"),
    Need::Path("/etc/prometheus"),
    Need::Path("/lib/systemd/systemd-sysctl"),
    Need::Program("curl"),
    Need::Program("openssl"),
    Need::Program("ps"),
    Need::Program("sysctl"),
];

/// The ways to install chatd, by their headings, in the order of the page.
const WAYS: [&str; 3] = ["From the Debian package", "From the archive", "From source"];

const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8000);

struct Reader {
    machine: Machine,
    download: Download,
    sections: std::vec::IntoIter<Section>,
    /// The exported variables and the current folder, which persist between blocks as in one shell.
    state: String,
}

impl Reader {
    /// A reader with a machine that meets the requirements. `None` if the test is skipped.
    async fn new(needs: &[Need]) -> Option<Self> {
        let needs = [NEEDS, needs].concat();
        let (machine, download) = download::machine(&needs).await?;
        if !machine.starts(&["nginx", "prometheus"]) {
            return None;
        }
        Some(Self { machine, download, sections: sections().into_iter(), state: String::new() })
    }

    /// Installs and configures chatd in one of the three ways.
    fn install(&mut self, way: &str) {
        assert!(WAYS.contains(&way));
        self.follow("apt-get install -y curl");
        for heading in WAYS {
            let section = self.sections.next().unwrap();
            assert_eq!(section.heading, heading);
            if heading == way {
                assert!(self.run(section, str::to_owned).ends_with("ready\n"));
            }
        }
        assert!(self.follow("max-connections = 10000").ends_with("ready\n"));
    }

    /// Runs the next section, which must contain this command.
    fn follow(&mut self, command: &str) -> String {
        self.follow_with(command, str::to_owned)
    }

    fn follow_with(&mut self, command: &str, fill_in: impl Fn(&str) -> String) -> String {
        let section = self.sections.next().unwrap();
        assert!(section.commands.concat().contains(command), "no {command:?} in \"{}\"", section.heading);
        self.run(section, fill_in)
    }

    /// Runs shell commands in the current state of the page.
    fn here(&self, lines: &str) -> String {
        self.machine.must(&format!("{}\n{lines}", self.state))
    }

    fn run(&mut self, section: Section, fill_in: impl Fn(&str) -> String) -> String {
        let mut output = String::new();
        for commands in section.commands {
            let commands = self.download.named_here(&fill_in(&commands));
            output += &self.here(&commands);
            let stays = |line: &&str| ["export ", "cd "].iter().any(|begin| line.starts_with(begin));
            self.state.extend(commands.lines().filter(stays).map(|line| format!("{line}\n")));
        }
        output
    }
}

#[tokio::test]
async fn chatd_is_installed_from_the_archive() {
    let Some(mut reader) = Reader::new(download::NEEDS).await else { return };
    reader.install("From the archive");
}

#[tokio::test]
async fn chatd_is_installed_from_source() {
    let Some(mut reader) = Reader::new(&[]).await else { return };
    reader.install("From source");
}

#[tokio::test]
async fn every_command_of_the_manual_works() {
    let Some(mut reader) = Reader::new(download::NEEDS).await else { return };
    reader.machine.move_into_its_network();

    reader.install("From the Debian package");
    let owner = reader.machine.must("stat -c %U:%a /var/lib/private/chatd; ps -o user= -C chatd");
    assert_eq!(owner, "chatd:700\nchatd\n", "the service has its own user");

    reader.follow("nginx -t");
    assert!(reader.here("cat page.html").contains("<title>"));

    let found = reader.follow("chatd doctor");
    assert!(found.contains("no errors found in a complete check"), "{found}");

    reader.follow("systemd-sysctl");
    assert_eq!(reader.machine.must("sysctl -n net.ipv4.ip_local_port_range"), "1024\t65535\n");

    let mut mia = Client::enter(SERVER, "lobby", "mia").await;
    let (mut eve, _) = v2::Session::enter(SERVER, "lobby", "eve").await;
    eve.send_message("lobby", "hello").await;
    let (bob, _) = v2::Session::enter(SERVER, "tea", "bob").await;
    let sessions = reader.machine.must("chatd admin --token-file /etc/chatd/admin-token sessions --json");
    let sessions: Value = serde_json::from_str(&sessions).unwrap();
    let id = sessions["sessions"].as_array().unwrap().iter().find(|one| one["username"] == "bob").unwrap();
    let id = id["session"].as_str().unwrap();
    let output = reader.follow_with("chatd admin rooms", |commands| {
        assert!(commands.contains("s0123456789abcdef") || commands.contains("curl"));
        commands.replace("s0123456789abcdef", id).replace("g_5OthID-2se9c45nby1W8mg", eve.user())
    });
    assert!(output.contains("eve"), "{output}");
    assert_eq!(eve.next("left").await["room"], "lobby", "she was kicked");
    assert!(reader.here("cat eve.jsonl").contains("\"body\":\"hello\""));
    let export = format!("chatd admin export {}", eve.user());
    assert_eq!(reader.here(&export), "", "all messages were erased");
    assert_eq!(mia.closed().await, Some(4403), "its room was closed");
    drop((eve, bob));

    reader.machine.must("echo 'correct horse battery' > /root/password");
    let output = reader.follow_with("chatd account add", |commands| {
        let from_file = |commands: &str, command: &str| {
            commands.replace(command, &format!("{command} --password-file /root/password"))
        };
        from_file(&from_file(commands, "chatd account add"), "chatd account password")
    });
    assert!(output.contains("moderator"), "{output}");
    let list = reader.machine.must("chatd account --token-file /etc/chatd/admin-token list --json");
    let list: Value = serde_json::from_str(&list).unwrap();
    let names: Vec<&str> =
        list["accounts"].as_array().unwrap().iter().map(|one| one["username"].as_str().unwrap()).collect();
    assert_eq!(names, ["ana"], "bob's account was deleted");

    reader.follow("promtool check config");
    let monitoring = std::fs::read_to_string(download::top().join("docs/monitoring/README.md")).unwrap();
    let shown: String = commands(&monitoring).iter().map(|commands| reader.here(commands)).collect();
    assert!(shown.contains("chatd_ready 1"), "{shown}");
    let sees = "curl -sS 'http://127.0.0.1:9090/api/v1/query?query=chatd_ready' || true";
    reader.machine.until(sees, &[r#""chatd_ready""#]).await;
    let rules = reader.machine.must("curl -sSf http://127.0.0.1:9090/api/v1/rules");
    assert!(rules.contains("chatd_ready"), "{rules}");

    assert!(reader.follow("chatd config check").contains("max-connections"));
    reader.machine.until("journalctl -u chatd --no-pager", &["SIGHUP"]).await;

    let (mut kim, _) = v2::Session::enter(SERVER, "lobby", "kim").await;
    kim.send_message("lobby", "before the restart").await;
    let running_flag = Arc::new(AtomicBool::new(true));
    let connecting = tokio::spawn(connect_repeatedly(Arc::clone(&running_flag)));
    assert!(reader.follow("systemctl restart chatd").contains("alive"));
    assert_eq!(kim.closed().await.1, Some(1001));
    running_flag.store(false, Ordering::Relaxed);
    assert!(connecting.await.unwrap() > 0, "no connection was refused, and some were answered");

    reader.follow("chatd backup");
    let kept = reader.machine.must("ls /var/backups/chatd | wc -l; ls /var/lib/chatd/*replaced* | wc -l");
    assert_eq!(kept.split_whitespace().next(), Some("2"), "{kept}");
    let mut kim = v2::Session::hello(SERVER, "kim").await;
    let joined = kim.ask(serde_json::json!({ "type": "join", "room": "lobby", "history": 50 })).await;
    assert_eq!(joined["messages"].as_array().unwrap().last().unwrap()["body"], "before the restart");

    // the folder with the new files
    reader.state += "cd /srv/chatd\n";
    reader.follow("chatd-backup.service");
    until("it serves again", async || http::request(SERVER, "GET", "/readyz", &[]).await.status == 200).await;
    let left: Vec<_> = reader.sections.map(|section| section.heading).collect();
    assert!(left.is_empty(), "not followed: {left:?}");
}

/// Connects repeatedly; no connection may be refused. Returns the number of responses: a server
/// that is ending may not answer.
async fn connect_repeatedly(continues: Arc<AtomicBool>) -> usize {
    let mut answered = 0;
    while continues.load(Ordering::Relaxed) {
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
