//! Checks of the Linux kernel settings that limit the number of connections.

use std::path::{Path, PathBuf};

use chat_server::Config;

use super::finding::Finding;
use crate::runtime::{descriptors, listen};

const WHAT: &str = "kernel";

/// The kernel's memory for a socket with its buffers.
const SOCKET_BYTES: u64 = 8 << 10;

/// The settings, as files below `root`.
struct Settings {
    root: PathBuf,
}

/// The minimum value of a setting.
struct Minimum {
    name: &'static str,
    min: u64,
    reason: &'static str,
}

pub(super) fn check(config: &Config) -> Vec<Finding> {
    Settings { root: "/proc/sys".into() }.check(config)
}

impl Settings {
    fn check(&self, config: &Config) -> Vec<Finding> {
        let connections = config.max_connections as u64;
        let descriptors = descriptors::required(config) as u64;
        // with SYN cookies the kernel accepts any number of half-open connections (tcp(7))
        let has_cookies = self.numbers("net.ipv4.tcp_syncookies").is_some_and(|numbers| numbers != [0]);
        let mut findings: Vec<_> = [
            Minimum {
                name: "net.core.somaxconn",
                min: listen::BACKLOG.into(),
                reason: "the queue of connections to accept; too short when all clients reconnect at once",
            },
            Minimum {
                name: "net.ipv4.tcp_max_syn_backlog",
                min: if has_cookies { 0 } else { listen::BACKLOG.into() },
                reason: "the queue of half-open connections; too short when all clients reconnect at once",
            },
            Minimum { name: "fs.nr_open", min: descriptors, reason: "no limit of open files can be higher" },
            Minimum {
                name: "fs.file-max",
                min: descriptors.saturating_mul(2),
                reason: "the maximum of open files of all processes together",
            },
            Minimum {
                name: "net.netfilter.nf_conntrack_max",
                min: connections.saturating_mul(2),
                reason: "the firewall tracks no more connections than this and drops the rest",
            },
        ]
        .iter()
        .filter_map(|minimum| self.check_minimum(minimum))
        .collect();
        findings.extend(self.socket_memory(connections));
        findings.extend(self.proxy_ports(config));
        if findings.is_empty() {
            findings.push(match self.root.is_dir() {
                true => Finding::good(WHAT, format!("the kernel's settings allow {connections} connections")),
                false => Finding::unknown(WHAT, "can't read the kernel's settings"),
            });
        }
        findings
    }

    /// A warning if the setting is too low. `None` if it is high enough, or if this kernel does not
    /// have it.
    fn check_minimum(&self, Minimum { name, min, reason }: &Minimum) -> Option<Finding> {
        let value = *self.numbers(name)?.first()?;
        (value < *min).then(|| {
            Finding::warning(WHAT, format!("{name} is {value}: {reason}"), format!("sysctl -w {name}={min}"))
        })
    }

    /// A warning if the sockets need more pages than the second number of `tcp_mem`: above it the
    /// kernel reduces the memory of sockets (tcp(7)).
    fn socket_memory(&self, connections: u64) -> Option<Finding> {
        let name = "net.ipv4.tcp_mem";
        let numbers = self.numbers(name)?;
        let &[low, pressure, high] = numbers.as_slice() else { return None };
        let required = connections.saturating_mul(SOCKET_BYTES) / rustix::param::page_size() as u64;
        (pressure < required).then(|| {
            let found =
                format!("{name} is {low} {pressure} {high} pages, but {connections} sockets need {required}");
            Finding::warning(
                WHAT,
                found,
                format!("sysctl -w {name}=\"{required} {required} {}\"", required * 2),
            )
        })
    }

    /// A warning if a proxy on this machine has too few ports: it needs one for each of its
    /// connections to one address.
    fn proxy_ports(&self, config: &Config) -> Option<Finding> {
        let name = "net.ipv4.ip_local_port_range";
        let numbers = self.numbers(name)?;
        let &[first, last] = numbers.as_slice() else { return None };
        let ports = last.saturating_sub(first) + 1;
        let has_proxy = config.proxies.trusted.contains(std::net::Ipv4Addr::LOCALHOST.into());
        (has_proxy && ports < config.max_connections as u64).then(|| {
            let found =
                format!("{name} is {first} {last}: a proxy on this machine can open at most {ports} connections to one address");
            let advice = format!(
                "sysctl -w {name}=\"1024 65535\"; for more connections, set --listen 0.0.0.0:8000 behind a firewall and give the proxy \
                 several upstreams (127.0.0.1, 127.0.0.2 and so on)"
            );
            Finding::warning(WHAT, found, advice)
        })
    }

    fn numbers(&self, name: &str) -> Option<Vec<u64>> {
        let path = Path::new(&self.root).join(name.replace('.', "/"));
        let text = std::fs::read_to_string(path).ok()?;
        text.split_whitespace().map(|number| number.parse().ok()).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The findings for these settings.
    fn findings(settings: &[(&str, &str)], config: &Config) -> Vec<Finding> {
        let folder = tempfile::tempdir().unwrap();
        for (name, value) in settings {
            let path = folder.path().join(name.replace('.', "/"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, format!("{value}\n")).unwrap();
        }
        Settings { root: folder.path().to_owned() }.check(config)
    }

    #[test]
    fn a_setting_that_is_too_low_is_reported_with_its_minimum() {
        let config = Config { max_connections: 100_000, ..Config::default() };
        let high = [
            ("net.core.somaxconn", "4096"),
            ("net.ipv4.tcp_max_syn_backlog", "4096"),
            ("fs.nr_open", "1048576"),
            ("fs.file-max", "9223372036854775807"),
            ("net.ipv4.tcp_mem", "190000\t300000\t600000"),
            ("net.ipv4.ip_local_port_range", "32768\t60999"),
        ];
        assert!(matches!(findings(&high, &config).as_slice(), [one] if one.is_good()));
        for (low, value, advice) in [
            ("net.core.somaxconn", "128", "sysctl -w net.core.somaxconn=4096"),
            ("net.ipv4.tcp_max_syn_backlog", "512", "sysctl -w net.ipv4.tcp_max_syn_backlog=4096"),
            ("fs.nr_open", "65536", "sysctl -w fs.nr_open=101100"),
            ("fs.file-max", "100000", "sysctl -w fs.file-max=202200"),
            ("net.ipv4.tcp_mem", "1 2 3", "sysctl -w net.ipv4.tcp_mem=\"200000 200000 400000\""),
            ("net.netfilter.nf_conntrack_max", "65536", "sysctl -w net.netfilter.nf_conntrack_max=200000"),
        ] {
            let mut settings: Vec<_> = high.into_iter().filter(|(name, _)| *name != low).collect();
            settings.push((low, value));
            let findings = findings(&settings, &config);
            assert_eq!(findings.len(), 1, "{low}");
            assert!(super::super::finding::text(&findings).ends_with(advice), "{findings:?}");
        }
    }

    #[test]
    fn with_syn_cookies_any_backlog_of_half_open_connections_is_enough() {
        let config = Config::default();
        let short = [("net.ipv4.tcp_max_syn_backlog", "128"), ("net.ipv4.tcp_syncookies", "1")];
        assert!(findings(&short, &config).iter().all(Finding::is_good));
        assert!(!findings(&short[..1], &config).iter().all(Finding::is_good));
    }

    #[test]
    fn a_proxy_on_the_same_machine_needs_ports() {
        let ports = [("net.ipv4.ip_local_port_range", "32768\t60999")];
        let mut config = Config { max_connections: 28_232, ..Config::default() };
        config.proxies.trusted = "127.0.0.1".parse().unwrap();
        assert!(findings(&ports, &config).iter().all(Finding::is_good));
        config.max_connections += 1;
        assert!(!findings(&ports, &config).iter().all(Finding::is_good));
    }
}
