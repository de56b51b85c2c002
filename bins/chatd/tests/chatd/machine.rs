//! A machine of its own with systemd, in namespaces of this one: `machine.sh`.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chat_testkit::until;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// In seconds: Prometheus looks every 15, and machines are busy.
const PATIENCE: u32 = 60;

/// How often it is looked for what is awaited.
const LOOKS_A_SECOND: u32 = 5;

pub(crate) struct Machine {
    /// Ended with the test, and everything in the machine with it.
    unshare: Child,
    /// systemd's, as this machine sees it.
    pid: u32,
    _mount: tempfile::TempDir,
}

impl Machine {
    /// Boots one, with this folder as its `/srv/chatd`. None where that can't be done, which is a failure in CI.
    pub(crate) async fn boot(srv: &Path) -> Option<Self> {
        let is_root = rustix::process::geteuid().is_root();
        if !is_root || !Path::new("/lib/systemd/systemd").exists() {
            assert!(std::env::var_os("CI").is_none(), "it takes root, and systemd");
            println!("it takes root, and systemd: skipped");
            return None;
        }
        let mount = tempfile::tempdir().unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chatd/machine.sh");
        let unshare = Command::new("unshare")
            .args(["--mount", "--pid", "--ipc", "--uts", "--cgroup", "--net", "--fork", "--kill-child"])
            .args(["bash", script])
            .args([mount.path(), srv])
            .arg(std::fs::canonicalize(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).unwrap())
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            // so systemd knows that it is not alone
            .env("container", "docker")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let children = format!("/proc/{0}/task/{0}/children", unshare.id());
        let pid = || -> Option<u32> { std::fs::read_to_string(&children).ok()?.trim().parse().ok() };
        until("it is there", async || pid().is_some()).await;
        let machine = Self { unshare, pid: pid().unwrap(), _mount: mount };
        machine.until("systemctl is-system-running || true", &["running\n", "degraded\n"]).await;
        Some(machine)
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
        let mut said = String::new();
        for _ in 0..PATIENCE * LOOKS_A_SECOND {
            said = self.run(lines).1;
            if awaited.iter().any(|awaited| said.contains(awaited)) {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1) / LOOKS_A_SECOND).await;
        }
        panic!(
            "{lines} says {said:?} after {PATIENCE} s, and none of {awaited:?}\n--- and the log:\n{}",
            self.log()
        );
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

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
    }
}
