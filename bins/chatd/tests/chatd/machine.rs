//! A virtual machine with systemd, in namespaces of this machine: `machine.sh`.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chat_testkit::until;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tempfile::TempDir;

use chat_testkit::needs::{self, Need};

/// The maximum time of a wait, in seconds. Prometheus scrapes every 15 seconds, and machines are
/// busy.
const TIMEOUT: u32 = 60;

/// The requirements of every test with such a machine.
const NEEDS: [Need; 8] = [
    Need::Root,
    Need::Path("/lib/systemd/systemd"),
    Need::Program("systemctl"),
    Need::Program("journalctl"),
    Need::Program("bash"),
    Need::Program("unshare"),
    Need::Program("nsenter"),
    Need::Program("pivot_root"),
];

/// How often a wait polls.
const POLLS_PER_SECOND: u32 = 5;

pub(crate) struct Machine {
    /// The process that owns the machine. Killing it ends all processes in the machine.
    unshare: Child,
    /// The process id of its systemd on the host.
    pid: u32,
    _mount: TempDir,
}

impl Machine {
    /// Boots a machine with this folder as `/srv/chatd`. `None` if the host does not meet the
    /// requirements and the test is skipped.
    pub(crate) async fn boot(srv: &Path, needs: &[Need]) -> Option<Self> {
        if !needs::are_met(&[&NEEDS, needs].concat()) {
            return None;
        }
        let mount = tempfile::tempdir().unwrap();
        let trial = unshare(&mount, srv, &["--try"]).output().unwrap();
        if !trial.status.success() {
            let output = String::from_utf8_lossy(&trial.stderr).into_owned();
            needs::skip(&format!("namespaces with file systems of their own ({})", output.trim()));
            return None;
        }
        let unshare = unshare(&mount, srv, &[]).spawn().unwrap();
        let children = format!("/proc/{0}/task/{0}/children", unshare.id());
        let pid = || -> Option<u32> { std::fs::read_to_string(&children).ok()?.trim().parse().ok() };
        until("systemd runs", async || pid().is_some()).await;
        let machine = Self { unshare, pid: pid().unwrap(), _mount: mount };
        let asks = "systemctl is-system-running || true";
        let Err(output) = machine.poll(asks, &["running\n", "degraded\n"]).await else {
            return Some(machine);
        };
        needs::skip(&format!("a systemd that runs in namespaces ({})", output.trim()));
        None
    }

    /// Whether these services of the host start in the machine with the configuration of the host.
    /// If not, the test is skipped.
    pub(crate) fn starts(&self, services: &[&str]) -> bool {
        let fails = |service: &&&str| !self.run(&format!("systemctl restart {service}")).0;
        let failed = services.iter().find(fails);
        if let Some(service) = failed {
            needs::skip(&format!("a service \"{service}\" that starts as it is configured here"));
        }
        failed.is_none()
    }

    /// Runs shell commands in the machine, as root in `/srv/chatd`: whether all succeed, and their
    /// output.
    pub(crate) fn run(&self, lines: &str) -> (bool, String) {
        let output = Command::new("nsenter")
            .args(["--target", &self.pid.to_string(), "--all", "bash", "-euo", "pipefail", "-c"])
            .arg(format!("exec 2>&1\ncd /srv/chatd\n{lines}"))
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs shell commands that must succeed.
    pub(crate) fn must(&self, lines: &str) -> String {
        let (is_ok, output) = self.run(lines);
        assert!(is_ok, "{lines}\n--- output:\n{output}\n--- log:\n{}", self.log());
        output
    }

    /// Runs shell commands repeatedly until their output contains one of `expected`.
    pub(crate) async fn until(&self, lines: &str, expected: &[&str]) {
        if let Err(output) = self.poll(lines, expected).await {
            let log = self.log();
            panic!("{lines} prints {output:?} after {TIMEOUT} s, and none of {expected:?}\n--- log:\n{log}");
        }
    }

    /// Runs shell commands repeatedly until their output contains one of `expected`. `Err` is the
    /// last output after the time-out.
    async fn poll(&self, lines: &str, expected: &[&str]) -> Result<(), String> {
        let mut output = String::new();
        for _ in 0..TIMEOUT * POLLS_PER_SECOND {
            output = self.run(lines).1;
            if expected.iter().any(|expected| output.contains(expected)) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_secs(1) / POLLS_PER_SECOND).await;
        }
        Err(output)
    }

    fn log(&self) -> String {
        self.run("journalctl --no-pager --lines 40").1
    }

    /// Moves this thread into the network of the machine.
    pub(crate) fn move_into_its_network(&self) {
        let network = File::open(format!("/proc/{}/ns/net", self.pid)).unwrap();
        move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
    }
}

/// `machine.sh` in namespaces of its own.
fn unshare(mount: &TempDir, srv: &Path, arguments: &[&str]) -> Command {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chatd/machine.sh");
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--pid", "--ipc", "--uts", "--cgroup", "--net", "--fork", "--kill-child"])
        .args(["bash", script])
        .args([mount.path().as_os_str(), srv.as_os_str(), workspace.as_os_str()])
        .args(arguments.iter().map(OsStr::new))
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        // tells systemd that it runs in a container
        .env("container", "docker")
        .stdin(Stdio::null());
    command
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
    }
}
