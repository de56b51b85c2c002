//! What a process costs. From Linux's `/proc`; elsewhere there is nothing to see.

use std::time::Duration;

/// What a process has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    pub processor: Duration,
    pub resident_bytes: u64,
}

/// Of another process; none if it can't be seen.
pub fn usage(pid: u32) -> Option<Usage> {
    usage_of(&pid.to_string())
}

/// Of this one.
pub fn own_usage() -> Option<Usage> {
    usage_of("self")
}

fn usage_of(pid: &str) -> Option<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // the name, in parentheses, may hold anything; behind it stand fields 3 and on of proc_pid_stat(5)
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let ticks = field(14)? + field(15)?;
    let resident_pages = field(24)?;
    Some(Usage {
        processor: Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64),
        resident_bytes: resident_pages * rustix::param::page_size() as u64,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn it_sees_itself() {
        let before = own_usage().unwrap();
        assert!(before.resident_bytes > 100 << 10);
        let ballast = vec![1_u8; 64 << 20];
        let after = usage(std::process::id()).unwrap();
        assert!(after.resident_bytes >= before.resident_bytes + (ballast.len() as u64) / 2);
        assert!(after.processor >= before.processor);
        assert_eq!(usage(u32::MAX), None);
    }
}
