//! Checks of the limits of the process: descriptors and memory.

use chat_server::Config;

use super::finding::{Finding, size};
use crate::cli::MemoryLimit;
use crate::runtime::{descriptors, memory};

/// The memory of an idle connection in the server and in the kernel, with a reserve. The server was
/// measured to need 3.8 KiB (docs/benchmarks.md), and the kernel needs about as much.
const BYTES_PER_CONNECTION: u64 = 12 << 10;

/// The memory of a server without connections.
const BASE_BYTES: u64 = 64 << 20;

pub(super) fn descriptors(config: &Config, pid: Option<u32>) -> Finding {
    const WHAT: &str = "open files";
    let (hard, owner) = match pid {
        None => match rlimit::Resource::NOFILE.get() {
            Ok((_, hard)) => (hard, "this shell".to_owned()),
            Err(error) => return Finding::unknown(WHAT, error.to_string()),
        },
        Some(pid) => match hard_limit_of(pid) {
            Some(hard) => (hard, format!("process {pid}")),
            None => {
                return Finding::unknown(WHAT, format!("can't read the limits of process {pid}"));
            }
        },
    };
    let required = descriptors::required(config) as u64;
    let found = format!("the limit of {owner} is {hard}; --max-connections needs {required}");
    if hard >= required {
        Finding::good(WHAT, found)
    } else {
        let advice = format!(
            "set LimitNOFILE={required} in the unit, or run ulimit -Hn {required}; or lower --max-connections"
        );
        Finding::problem(WHAT, found, advice)
    }
}

/// The hard limit of a process, up to which the server raises its soft limit (proc_pid_limits(5)).
fn hard_limit_of(pid: u32) -> Option<u64> {
    hard_limit(&std::fs::read_to_string(format!("/proc/{pid}/limits")).ok()?)
}

fn hard_limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().nth(1)? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

pub(super) fn memory(config: &Config, limit: MemoryLimit) -> Finding {
    const WHAT: &str = "memory";
    let Some(available) = memory::limit_in_bytes(limit).into_iter().chain(memory::of_machine()).min() else {
        return Finding::unknown(WHAT, "can't find out how much memory there is");
    };
    let connections = config.max_connections as u64 * BYTES_PER_CONNECTION;
    let required = BASE_BYTES + connections + config.backlog_total_bytes as u64;
    let found = format!(
        "the server may use {}; {} connections with full queues need up to {}",
        size(available),
        config.max_connections,
        size(required)
    );
    if available < required {
        Finding::warning(WHAT, found, "add memory, or lower --max-connections or --backlog-total-bytes")
    } else {
        Finding::good(WHAT, found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hard_limit_is_the_second_number() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max processes             96321                96321                processes \n\
                      Max open files            1024                 1048576              files     \n";
        assert_eq!(hard_limit(limits), Some(1_048_576));
        assert_eq!(hard_limit("Max open files   unlimited unlimited files"), Some(u64::MAX));
        assert_eq!(hard_limit(""), None);
    }

    #[test]
    fn more_connections_than_any_limit_allows_are_a_problem() {
        let config = Config { max_connections: usize::MAX / (64 << 10), ..Config::default() };
        assert!(descriptors(&config, None).is_problem());
        assert!(!memory(&config, MemoryLimit::Bytes(1 << 30)).is_good());
    }
}
