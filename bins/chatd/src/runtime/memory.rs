//! The memory of the process, compared with its limit. Close to the limit, new connections are
//! refused: existing connections keep the memory they need, and the system does not kill the
//! process.

use std::path::Path;
use std::time::Duration;

use chat_server::Control;

use crate::cli::MemoryLimit;

/// How often the memory is measured.
const INTERVAL: Duration = Duration::from_millis(250);

/// Above this fraction of the limit new connections are refused.
const REFUSE_ABOVE: f64 = 0.90;

/// Below this fraction of the limit new connections are accepted again.
const ACCEPT_BELOW: f64 = 0.85;

/// Measures the memory of the process, forever. Returns if there is no limit, or if the memory
/// can't be measured.
pub(crate) async fn watch(control: Control, limit: MemoryLimit) {
    let Some(limit) = limit_in_bytes(limit) else { return };
    let mut is_short = false;
    loop {
        let Some(resident) = resident() else { return };
        let used = resident as f64 / limit as f64;
        if !is_short && used > REFUSE_ABOVE {
            tracing::warn!(resident, limit, "memory is almost used up: new connections are refused");
        } else if is_short && used < ACCEPT_BELOW {
            tracing::info!(resident, limit, "there is enough memory again: new connections are accepted");
        }
        is_short = used > if is_short { ACCEPT_BELOW } else { REFUSE_ABOVE };
        control.short_of_memory(is_short);
        tokio::time::sleep(INTERVAL).await;
    }
}

/// The limit in bytes. `None` if there is no limit.
pub(crate) fn limit_in_bytes(limit: MemoryLimit) -> Option<u64> {
    match limit {
        MemoryLimit::Auto => cgroup_limit(),
        MemoryLimit::Off => None,
        MemoryLimit::Bytes(bytes) => Some(bytes),
    }
}

/// The memory of the machine (proc_meminfo(5)).
pub(crate) fn of_machine() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

/// The resident memory of this process, in bytes (proc_pid_statm(5)).
fn resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// The limit of the control group (version 2) of a container or a service (cgroups(7)).
fn cgroup_limit() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let limit = std::fs::read_to_string(Path::new("/sys/fs/cgroup").join(group).join("memory.max")).ok()?;
    // "max" means no limit
    limit.trim().parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn allocated_memory_is_measured() {
        let before = resident().unwrap();
        let ballast = vec![1_u8; 64 << 20];
        assert!(resident().unwrap() >= before + (ballast.len() as u64) / 2);
    }
}
