//! A machine of its own with systemd, in namespaces of this one: `machine.sh`.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chat_testkit::until;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tempfile::TempDir;

use crate::needs::{self, Need};

/// In seconds: Prometheus looks every 15, and machines are busy.
const PATIENCE: u32 = 60;

/// What every test in such a machine needs.
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

/// How often it is looked for what is awaited.
const LOOKS_A_SECOND: u32 = 5;

pub(crate) struct Machine {
    /// Ended with the test, and everything in the machine with it.
    unshare: Child,
    /// systemd's, as this machine sees it.
    pid: u32,
    _mount: TempDir,
}

impl Machine {
    /// Boots one, with this folder as its `/srv/chatd`, for a test that needs all of this in it. `None` if that can't be done: the
    /// test is skipped.
    pub(crate) async fn boot(srv: &Path, needs: &[Need]) -> Option<Self> {
        if !needs::are_met(&[&NEEDS, needs].concat()) {
            return None;
        }
        let mount = tempfile::tempdir().unwrap();
        let tried = unshare(&mount, srv, &["--try"]).output().unwrap();
        if !tried.status.success() {
            let said = String::from_utf8_lossy(&tried.stderr).into_owned();
            needs::skip(&format!("namespaces with file systems of their own ({})", said.trim()));
            return None;
        }
        let unshare = unshare(&mount, srv, &[]).spawn().unwrap();
        let children = format!("/proc/{0}/task/{0}/children", unshare.id());
        let pid = || -> Option<u32> { std::fs::read_to_string(&children).ok()?.trim().parse().ok() };
        until("it is there", async || pid().is_some()).await;
        let machine = Self { unshare, pid: pid().unwrap(), _mount: mount };
        let asks = "systemctl is-system-running || true";
        let Err(said) = machine.says(asks, &["running\n", "degraded\n"]).await else { return Some(machine) };
        needs::skip(&format!("a systemd that runs in namespaces ({})", said.trim()));
        None
    }

    /// Whether this machine's own services start in there, as they are configured here. If not, the test is skipped.
    pub(crate) fn starts(&self, services: &[&str]) -> bool {
        let is_bad = |service: &&&str| !self.run(&format!("systemctl restart {service}")).0;
        let bad = services.iter().find(is_bad);
        if let Some(service) = bad {
            needs::skip(&format!("a service \"{service}\" that starts as it is configured here"));
        }
        bad.is_none()
    }

    /// Runs lines of a shell in there, as root in `/srv/chatd`: whether all were content, and what they said.
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

    /// The same for what has to go well.
    pub(crate) fn must(&self, lines: &str) -> String {
        let (is_content, said) = self.run(lines);
        assert!(is_content, "{lines}\n--- said:\n{said}\n--- and the log:\n{}", self.log());
        said
    }

    /// Runs them again and again until they say one of these. Each time is a few processes, so it looks a few times a second.
    pub(crate) async fn until(&self, lines: &str, awaited: &[&str]) {
        if let Err(said) = self.says(lines, awaited).await {
            let log = self.log();
            panic!(
                "{lines} says {said:?} after {PATIENCE} s, and none of {awaited:?}\n--- and the log:\n{log}"
            );
        }
    }

    /// The same. `Err`: what they say at the end, which is none of these.
    async fn says(&self, lines: &str, awaited: &[&str]) -> Result<(), String> {
        let mut said = String::new();
        for _ in 0..PATIENCE * LOOKS_A_SECOND {
            said = self.run(lines).1;
            if awaited.iter().any(|awaited| said.contains(awaited)) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_secs(1) / LOOKS_A_SECOND).await;
        }
        Err(said)
    }

    fn log(&self) -> String {
        self.run("journalctl --no-pager --lines 40").1
    }

    /// From here on what this thread connects to is in there.
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
        // so systemd knows that it is not alone
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
