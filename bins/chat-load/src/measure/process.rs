//! The CPU time and memory of a process, from Linux's `/proc`.

use std::time::Duration;

/// What a process has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// The CPU time, user and system.
    pub cpu_time: Duration,
    /// The resident memory.
    pub resident_bytes: u64,
}

/// The usage of another process. `None` if it does not exist, or the system has no `/proc`.
pub fn usage(pid: u32) -> Option<Usage> {
    read_usage(&pid.to_string())
}

/// The usage of this process.
pub(crate) fn own_usage() -> Option<Usage> {
    read_usage("self")
}

fn read_usage(pid: &str) -> Option<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // the name, in parentheses, may contain anything; field 3 of proc_pid_stat(5) follows it
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let ticks = field(14)? + field(15)?;
    let resident_pages = field(24)?;
    Some(Usage {
        cpu_time: Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64),
        resident_bytes: resident_pages * rustix::param::page_size() as u64,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_usage_of_this_process_grows_with_its_memory() {
        let before = own_usage().unwrap();
        assert!(before.resident_bytes > 100 << 10);
        let ballast = vec![1_u8; 64 << 20];
        let after = usage(std::process::id()).unwrap();
        assert!(after.resident_bytes >= before.resident_bytes + (ballast.len() as u64) / 2);
        assert!(after.cpu_time >= before.cpu_time);
        assert_eq!(usage(u32::MAX), None);
    }
}
