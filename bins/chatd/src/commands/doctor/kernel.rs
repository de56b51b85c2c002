//! Settings of the Linux kernel that a server of so many connections meets.

use std::path::{Path, PathBuf};

use chat_server::Config;

use super::finding::Finding;
use crate::runtime::{descriptors, listen};

const WHAT: &str = "kernel";

/// The kernel's memory for the socket of an idle connection, and for its buffers when something is on its way.
const SOCKET_BYTES: u64 = 8 << 10;

/// Where settings are read.
struct Settings {
    root: PathBuf,
}

/// What has to be there at least.
struct Least {
    name: &'static str,
    least: u64,
    why: &'static str,
}

pub(super) fn look(config: &Config) -> Vec<Finding> {
    Settings { root: "/proc/sys".into() }.look(config)
}

impl Settings {
    fn look(&self, config: &Config) -> Vec<Finding> {
        let connections = config.max_connections as u64;
        let descriptors = descriptors::wanted(config) as u64;
        // with cookies the kernel takes any number of them (tcp(7))
        let has_cookies = self.numbers("net.ipv4.tcp_syncookies").is_some_and(|numbers| numbers != [0]);
        let mut findings: Vec<_> = [
            Least {
                name: "net.core.somaxconn",
                least: listen::BACKLOG.into(),
                why: "the queue of connections to accept; too short when all clients reconnect at once",
            },
            Least {
                name: "net.ipv4.tcp_max_syn_backlog",
                least: if has_cookies { 0 } else { listen::BACKLOG.into() },
                why: "the queue of half-open connections; too short when all clients reconnect at once",
            },
            Least { name: "fs.nr_open", least: descriptors, why: "no limit of open files can be higher" },
            Least {
                name: "fs.file-max",
                least: descriptors.saturating_mul(2),
                why: "the maximum of open files of all processes together",
            },
            Least {
                name: "net.netfilter.nf_conntrack_max",
                least: connections.saturating_mul(2),
                why: "the firewall tracks no more connections than this and drops the rest",
            },
        ]
        .iter()
        .filter_map(|least| self.hold_against(least))
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

    /// What is wrong. Nothing where it is good, or where this kernel has no such setting.
    fn hold_against(&self, Least { name, least, why }: &Least) -> Option<Finding> {
        let is = *self.numbers(name)?.first()?;
        (is < *least).then(|| {
            Finding::warning(WHAT, format!("{name} is {is}: {why}"), format!("sysctl -w {name}={least}"))
        })
    }

    /// Above the second number of pages the kernel takes memory away from sockets (tcp(7)).
    fn socket_memory(&self, connections: u64) -> Option<Finding> {
        let name = "net.ipv4.tcp_mem";
        let numbers = self.numbers(name)?;
        let &[low, pressure, high] = numbers.as_slice() else { return None };
        let wanted = connections.saturating_mul(SOCKET_BYTES) / rustix::param::page_size() as u64;
        (pressure < wanted).then(|| {
            let found =
                format!("{name} is {low} {pressure} {high} pages, but {connections} sockets need {wanted}");
            Finding::warning(WHAT, found, format!("sysctl -w {name}=\"{wanted} {wanted} {}\"", wanted * 2))
        })
    }

    /// A proxy on this machine has a port for each of its connections to one address.
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

    /// What is found where the settings are these.
    fn found(settings: &[(&str, &str)], config: &Config) -> Vec<Finding> {
        let folder = tempfile::tempdir().unwrap();
        for (name, value) in settings {
            let path = folder.path().join(name.replace('.', "/"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, format!("{value}\n")).unwrap();
        }
        Settings { root: folder.path().to_owned() }.look(config)
    }

    #[test]
    fn a_setting_that_is_too_low_is_told_with_what_it_should_be() {
        let config = Config { max_connections: 100_000, ..Config::default() };
        let high = [
            ("net.core.somaxconn", "4096"),
            ("net.ipv4.tcp_max_syn_backlog", "4096"),
            ("fs.nr_open", "1048576"),
            ("fs.file-max", "9223372036854775807"),
            ("net.ipv4.tcp_mem", "190000\t300000\t600000"),
            ("net.ipv4.ip_local_port_range", "32768\t60999"),
        ];
        assert!(matches!(found(&high, &config).as_slice(), [one] if one.is_good()));
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
            let findings = found(&settings, &config);
            assert_eq!(findings.len(), 1, "{low}");
            assert!(super::super::finding::text(&findings).ends_with(advice), "{findings:?}");
        }
    }

    #[test]
    fn with_cookies_no_backlog_of_halves_is_too_short() {
        let config = Config::default();
        let short = [("net.ipv4.tcp_max_syn_backlog", "128"), ("net.ipv4.tcp_syncookies", "1")];
        assert!(found(&short, &config).iter().all(Finding::is_good));
        assert!(!found(&short[..1], &config).iter().all(Finding::is_good));
    }

    #[test]
    fn a_proxy_on_the_same_machine_needs_ports() {
        let ports = [("net.ipv4.ip_local_port_range", "32768\t60999")];
        let mut config = Config { max_connections: 28_232, ..Config::default() };
        config.proxies.trusted = "127.0.0.1".parse().unwrap();
        assert!(found(&ports, &config).iter().all(Finding::is_good));
        config.max_connections += 1;
        assert!(!found(&ports, &config).iter().all(Finding::is_good));
    }
}
