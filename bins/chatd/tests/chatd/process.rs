//! Starting `chatd` as a process.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

/// The program under test in this folder, without the variables of the environment that affect it.
pub(crate) fn chatd(folder: &Path) -> Command {
    chatd_at(Path::new(env!("CARGO_BIN_EXE_chatd")), folder)
}

/// Whether a variable affects the program: its own options, those of the library for traces,
/// proxies, trusted certificates, and the variables of a service manager.
fn affects_chatd(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let begins =
        ["CHATD_", "OTEL_", "LISTEN_", "WATCHDOG_", "SSL_CERT_"].iter().any(|begin| name.starts_with(begin));
    begins || name.ends_with("_PROXY") || name == "NOTIFY_SOCKET"
}

/// A program in this folder, without the variables of the environment that affect `chatd`.
pub(crate) fn chatd_at(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, _) in std::env::vars_os().filter(|(name, _)| affects_chatd(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    // tests run in parallel, so the admin listener is off unless a test sets its port; tests read
    // the log as text
    command.env("CHATD_ADMIN_LISTEN", "off").env("CHATD_LOG_FORMAT", "text");
    command
}

/// The program with a limit on the size of files, in blocks of 1,024 bytes, as on a full disk.
pub(crate) fn on_a_full_disk(folder: &Path, blocks: u32) -> Command {
    let mut command = limited(folder, &format!("-S -f {blocks}"));
    command.stderr(Stdio::null());
    command
}

/// The program with a limit on the number of descriptors.
pub(crate) fn with_descriptors(folder: &Path, count: u32) -> Command {
    limited(folder, &format!("-n {count}"))
}

/// The program under a limit, written as the `ulimit` of a shell takes it.
fn limited(folder: &Path, limit: &str) -> Command {
    let program = chatd(folder).get_program().to_owned();
    let mut shell = chatd_at(Path::new("bash"), folder);
    shell.args(["-c", &format!("ulimit {limit}; exec \"$0\" \"$@\"")]).arg(program);
    shell
}

/// Runs a server that fails to start, and returns its error.
pub(crate) fn refused(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(!status.success());
    assert_eq!(String::from_utf8_lossy(&stdout), "", "it does not print that it listens");
    String::from_utf8(stderr).unwrap()
}

/// Runs a command to its end: whether it succeeds, and its output or error.
pub(crate) async fn run(mut command: Command) -> (bool, String) {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = if output.status.success() { output.stdout } else { output.stderr };
    (output.status.success(), String::from_utf8(text).unwrap().trim_end().to_owned())
}

/// A server process. It is killed when it is dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    /// The address of the admin listener, if it is on.
    pub(crate) admin: Option<SocketAddr>,
    /// The line that it printed at the start.
    pub(crate) announced: String,
    child: Child,
}

impl Running {
    /// Starts a server on a free port and waits until it listens.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_at(command, "127.0.0.1:0")
    }

    /// Starts a server on this address and waits until it listens.
    pub(crate) fn start_at(command: &mut Command, address: &str) -> Self {
        let mut child = command.args(["--listen", address]).spawn().unwrap();
        let mut announced = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut announced).unwrap();
        if announced.is_empty() {
            let mut errors = String::new();
            child.stderr.as_mut().unwrap().read_to_string(&mut errors).unwrap();
            panic!("it did not start: {errors}");
        }
        let mut addresses = announced
            .split("://")
            .skip(1)
            .filter_map(|rest| rest.split([' ', ',', ')']).next()?.parse().ok());
        let address = addresses.next().expect("an address");
        let admin = addresses.next();
        Self { address, admin, announced, child }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Removes the limit on the size of files.
    pub(crate) fn lift_file_limit(&self) {
        let none = Rlimit { current: None, maximum: None };
        prlimit(Some(Pid::from_child(&self.child)), Resource::Fsize, none).unwrap();
    }

    /// Reads the log up to a line that contains `text`.
    pub(crate) fn log_up_to(&mut self, text: &str) -> String {
        let mut log = String::new();
        let mut lines = BufReader::new(self.child.stderr.as_mut().unwrap());
        while !log.contains(text) {
            assert!(lines.read_line(&mut log).unwrap() > 0, "no {text:?} in {log}");
        }
        log
    }

    /// Waits for the end of the process, for `timeout` at most.
    pub(crate) async fn end_within(&mut self, timeout: Duration) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < timeout, "still running after {timeout:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
