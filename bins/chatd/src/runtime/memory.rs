//! How near the process is to the memory that it may have. Near to it nobody new is let in: whoever is in has what it needs, and
//! the system has no reason to kill the process.

use std::path::Path;
use std::time::Duration;

use chat_server::Control;

use crate::cli::options::MemoryLimit;

/// How often the process looks at itself.
const EVERY: Duration = Duration::from_millis(250);

/// Over this part of the limit nobody is let in, and under that one somebody is again.
const NEAR: f64 = 0.90;
const FAR: f64 = 0.85;

/// Follows the memory that the process takes, for ever; not where there is no limit, or nothing to see.
pub(crate) async fn follow(control: Control, limit: MemoryLimit) {
    let Some(limit) = bytes(limit) else { return };
    let mut is_near = false;
    loop {
        let Some(resident) = resident() else { return };
        let part = resident as f64 / limit as f64;
        if !is_near && part > NEAR {
            tracing::warn!(resident, limit, "memory is almost used up: new connections are refused");
        } else if is_near && part < FAR {
            tracing::info!(resident, limit, "there is enough memory again: new connections are accepted");
        }
        is_near = part > if is_near { FAR } else { NEAR };
        control.short_of_memory(is_near);
        tokio::time::sleep(EVERY).await;
    }
}

/// What a limit comes to here.
pub(crate) fn bytes(limit: MemoryLimit) -> Option<u64> {
    match limit {
        MemoryLimit::Auto => cgroup_limit(),
        MemoryLimit::Off => None,
        MemoryLimit::Bytes(bytes) => Some(bytes),
    }
}

/// All that the machine has (proc_meminfo(5)).
pub(crate) fn of_the_machine() -> Option<u64> {
    let known = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = known.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

/// The bytes that this process has in memory (proc_pid_statm(5)).
fn resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// The limit of the control group, version 2, that a container or a service is in (cgroups(7)).
fn cgroup_limit() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let limit = std::fs::read_to_string(Path::new("/sys/fs/cgroup").join(group).join("memory.max")).ok()?;
    // "max" where there is none
    limit.trim().parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn it_sees_itself() {
        let before = resident().unwrap();
        let ballast = vec![1_u8; 64 << 20];
        assert!(resident().unwrap() >= before + (ballast.len() as u64) / 2);
    }
}
