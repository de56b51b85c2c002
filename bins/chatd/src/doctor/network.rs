//! Who can reach the server, and who can read what goes by.

use std::net::{SocketAddr, ToSocketAddrs};

use super::finding::Finding;
use crate::certificate;
use crate::options::{Bound, Options};

pub(super) fn look(options: &Options) -> Vec<Finding> {
    let mut findings = vec![chat(options)];
    if let Bound(Some(address)) = &options.admin_listen {
        findings.push(operator(address));
    }
    findings
}

fn chat(options: &Options) -> Finding {
    const WHAT: &str = "listen";
    let address = &options.listen;
    match (certificate::open(options), reach(address)) {
        (Err(error), _) => Finding::problem(WHAT, error.to_string(), "another --tls-cert and --tls-key"),
        (_, Err(error)) => Finding::problem(WHAT, format!("{address}: {error}"), "another --listen"),
        (Ok(Some(_)), Ok(_)) => Finding::good(WHAT, format!("{address}, encrypted")),
        (Ok(None), Ok(Reach::Machine)) => Finding::good(
            WHAT,
            format!("{address}, not encrypted, for this machine alone: a proxy has to stand before it"),
        ),
        (Ok(None), Ok(Reach::Network)) if !options.trusted_proxies.is_empty() => {
            Finding::good(WHAT, format!("{address}, not encrypted, behind trusted proxies"))
        }
        (Ok(None), Ok(Reach::Network)) => Finding::warning(
            WHAT,
            format!("{address} is not encrypted, and others can reach it"),
            "--tls-cert and --tls-key, or a proxy that encrypts, named by --trusted-proxies",
        ),
    }
}

fn operator(address: &str) -> Finding {
    const WHAT: &str = "admin-listen";
    match reach(address) {
        Err(error) => Finding::problem(WHAT, format!("{address}: {error}"), "another --admin-listen"),
        Ok(Reach::Machine) => Finding::good(WHAT, format!("{address}, for this machine alone")),
        Ok(Reach::Network) => Finding::warning(
            WHAT,
            format!("{address}: others can reach it, and the token goes there unencrypted"),
            "--admin-listen 127.0.0.1:9000, or a network of its own for it",
        ),
    }
}

enum Reach {
    Machine,
    Network,
}

fn reach(address: &str) -> std::io::Result<Reach> {
    let found: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
    Ok(if found.iter().all(|address| address.ip().is_loopback()) { Reach::Machine } else { Reach::Network })
}
