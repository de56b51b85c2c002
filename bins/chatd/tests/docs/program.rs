//! The built program, and other programs that code blocks use.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

/// The maximum time of a wait. Nothing here takes this long, even on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The program under test, without the variables that set its options.
pub(crate) fn chatd() -> Command {
    without_settings(Command::new(env!("CARGO_BIN_EXE_chatd")))
}

pub(crate) fn without_settings(mut command: Command) -> Command {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CHATD_")) {
        command.env_remove(name);
    }
    command
}

/// The output of the program with these arguments.
pub(crate) fn printed(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = chatd().args(arguments).current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The `--help` of every command, with the name of the command.
pub(crate) fn all_help() -> Vec<(String, String)> {
    let (mut found, mut waiting) = (Vec::new(), vec![Vec::<String>::new()]);
    while let Some(command) = waiting.pop() {
        let mut arguments: Vec<_> = command.iter().map(String::as_str).collect();
        arguments.push("--help");
        let help = printed(&arguments);
        let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        for line in commands.take_while(|line| !line.is_empty()) {
            // a name is indented by two columns; further lines of its description are indented more
            let name = line.strip_prefix("  ").and_then(|line| line.split(' ').next());
            if let Some(name) = name.filter(|name| !name.is_empty() && *name != "help") {
                waiting.push(command.iter().cloned().chain([name.to_owned()]).collect());
            }
        }
        let name = command.iter().fold("chatd".to_owned(), |name, part| name + " " + part);
        found.push((format!("{name} --help"), help));
    }
    assert!(found.len() > 10, "{found:?}");
    found
}

/// A running program with its child processes. They are killed when it is dropped.
pub(crate) struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
    /// The lines that were read, for the message of a failure.
    log: Vec<String>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok());
        });
        Self { child, lines, log: Vec::new() }
    }

    /// The next line of its output.
    pub(crate) fn line(&mut self) -> String {
        match self.lines.recv_timeout(TIMEOUT) {
            Ok(line) => {
                self.log.push(line.clone());
                line
            }
            Err(error) => panic!("{error}, after {:#?}", self.log),
        }
    }

    /// The next line that contains `text`.
    pub(crate) fn line_with(&mut self, text: &str) -> String {
        loop {
            let line = self.line();
            if line.contains(text) {
                return line;
            }
        }
    }

    pub(crate) fn type_line(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // the program may have ended already
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// A server on a free port, in a temporary folder.
pub(crate) struct Server {
    _running: Running,
    folder: tempfile::TempDir,
    /// HOST:PORT
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = chatd();
        command.args(["--listen", "127.0.0.1:0"]).current_dir(folder.path());
        command.env("CHATD_ADMIN_LISTEN", "off").stderr(Stdio::null());
        let mut running = Running::start(&mut command);
        let line = running.line_with("http://");
        let (_, rest) = line.split_once("http://").unwrap();
        let address = rest.split([' ', ',']).next().unwrap().to_owned();
        Self { _running: running, folder, address }
    }

    /// A code block with the default address replaced by that of this server.
    pub(crate) fn with_address(&self, code: &str) -> String {
        assert!(code.contains("127.0.0.1:8000"), "{code}");
        code.replace("127.0.0.1:8000", &self.address)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}
