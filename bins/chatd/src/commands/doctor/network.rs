//! Checks of the listeners: who can reach them, and whether connections are encrypted.

use std::net::{SocketAddr, ToSocketAddrs};

use super::finding::Finding;
use crate::cli::{Options, OrOff};
use crate::runtime::certificate;

pub(super) fn check(options: &Options) -> Vec<Finding> {
    let mut findings = vec![chat(options)];
    if let OrOff(Some(address)) = &options.admin_listen {
        findings.push(admin(address.as_str()));
    }
    findings
}

fn chat(options: &Options) -> Finding {
    const WHAT: &str = "listen";
    let address = options.listen.as_str();
    match (certificate::open(options), reach(address)) {
        (Err(error), _) => Finding::problem(WHAT, error.to_string(), "change --tls-cert and --tls-key"),
        (_, Err(error)) => Finding::problem(WHAT, format!("{address}: {error}"), "change --listen"),
        (Ok(Some(_)), Ok(_)) => Finding::good(WHAT, format!("{address}, encrypted (TLS)")),
        (Ok(None), Ok(Reach::Machine)) => Finding::good(
            WHAT,
            format!(
                "{address}, not encrypted, reachable from this machine only: use a reverse proxy for other machines"
            ),
        ),
        (Ok(None), Ok(Reach::Network)) if !options.trusted_proxies.is_empty() => {
            Finding::good(WHAT, format!("{address}, not encrypted, behind trusted proxies"))
        }
        (Ok(None), Ok(Reach::Network)) => Finding::warning(
            WHAT,
            format!("{address} is not encrypted, and other machines can reach it"),
            "set --tls-cert and --tls-key, or use a TLS proxy and name it in --trusted-proxies",
        ),
    }
}

fn admin(address: &str) -> Finding {
    const WHAT: &str = "admin-listen";
    match reach(address) {
        Err(error) => Finding::problem(WHAT, format!("{address}: {error}"), "change --admin-listen"),
        Ok(Reach::Machine) => Finding::good(WHAT, format!("{address}, reachable from this machine only")),
        Ok(Reach::Network) => Finding::warning(
            WHAT,
            format!("{address}: other machines can reach it, and the token is sent unencrypted"),
            "set --admin-listen 127.0.0.1:9000, or use a private network for it",
        ),
    }
}

/// Who can reach an address.
enum Reach {
    /// This machine only.
    Machine,
    /// Other machines, too.
    Network,
}

fn reach(address: &str) -> std::io::Result<Reach> {
    let addresses: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
    Ok(if addresses.iter().all(|address| address.ip().is_loopback()) {
        Reach::Machine
    } else {
        Reach::Network
    })
}
