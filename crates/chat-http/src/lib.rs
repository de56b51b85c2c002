#![doc = include_str!("../README.md")]

use std::net::IpAddr;
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls_native_certs::CertificateResult;
use ureq::config::ConfigBuilder;
use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::typestate::AgentScope;
use ureq::{Agent, Proxy};

/// The certificates that the system trusts can't be read, or there are none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the certificates that this system trusts can't be read: {0}")]
pub struct CertificatesError(String);

/// The settings for requests to the server of this URL. Set a timeout, and build an agent.
///
/// The certificates are read each time, so that a new one is trusted without a restart.
///
/// # Errors
/// The server is reached by https, or through a proxy, and the certificates that the system trusts
/// can't be read.
pub fn settings(url: &Uri) -> Result<ConfigBuilder<AgentScope>, CertificatesError> {
    let proxy = url.host().filter(|host| !is_loopback(host)).and_then(|_| Proxy::try_from_env());
    // a proxy may be reached by https, too
    let needs_certificates = url.scheme_str() == Some("https") || proxy.is_some();
    let certificates = if needs_certificates { trusted_certificates()? } else { Vec::new() };
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(certificates)))
        .unversioned_rustls_crypto_provider(Arc::new(default_provider()))
        .build();
    Ok(Agent::config_builder()
        .tls_config(tls)
        .proxy(proxy)
        .http_status_as_error(false)
        // a redirect could name any host
        .max_redirects(0)
        .user_agent(concat!("chatd/", env!("CARGO_PKG_VERSION"))))
}

/// Whether a host is this machine. The environment's proxy would be asked to connect to itself.
fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The certificates that the system trusts, or those in the file that `SSL_CERT_FILE` names.
fn trusted_certificates() -> Result<Vec<Certificate<'static>>, CertificatesError> {
    let CertificateResult { certs, errors, .. } = rustls_native_certs::load_native_certs();
    if certs.is_empty() {
        let reason = errors.first().map_or("there are none".to_owned(), ToString::to_string);
        return Err(CertificatesError(reason));
    }
    Ok(certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_not_used_for_this_machine() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.9.10", "[::1]", "::1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["chat.example", "10.0.0.1", "[2001:db8::1]", "localhost.example"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
