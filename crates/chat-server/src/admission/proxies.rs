//! Trusted proxies, and the client addresses they report.

use std::net::IpAddr;
use std::str::FromStr;

use http::HeaderMap;
use http::header::HeaderName;
use ipnet::IpNet;

/// Header field in which a proxy reports the client's address. A de facto standard: each proxy
/// appends the address it sees.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Which peers are trusted proxies, and how they report the client's address. By default there are
/// none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proxies {
    /// Peers that are trusted.
    pub trusted: TrustedProxies,
    /// How they report the client's address.
    pub header: ProxyHeader,
}

/// How a proxy reports the client's address. It is configured and never guessed, so that data from
/// a client cannot be mistaken for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProxyHeader {
    /// In the handshake's `X-Forwarded-For`: the last address in it that is not a trusted proxy's.
    #[default]
    ForwardedFor,
    /// With the PROXY protocol, version 1 or 2, at the start of the connection (HAProxy's
    /// `proxy-protocol.txt`). A trusted proxy that sends no such header is not served.
    ProxyProtocol,
}

/// Addresses and networks of the trusted proxies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustedProxies(Vec<IpNet>);

/// Not a valid list of addresses and networks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a valid address or network; write it like 10.0.0.1 or 10.0.0.0/8")]
pub struct TrustedProxiesError(String);

impl TrustedProxies {
    /// Whether no proxy is trusted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a proxy at this address is trusted.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromStr for TrustedProxies {
    type Err = TrustedProxiesError;

    /// Parses `none`, or a comma-separated list of addresses and networks.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim() == "none" {
            return Ok(Self::default());
        }
        let network = |text: &str| {
            let text = text.trim();
            let alone = || text.parse::<IpAddr>().map(IpNet::from);
            text.parse().or_else(|_| alone()).map_err(|_| TrustedProxiesError(text.to_owned()))
        };
        text.split(',').map(network).collect::<Result<_, _>>().map(Self)
    }
}

impl Proxies {
    /// Whether the peer is a trusted proxy.
    pub(crate) fn is_trusted(&self, peer: IpAddr) -> bool {
        self.trusted.contains(peer.to_canonical())
    }

    /// The client's address for a request that came through a trusted proxy: the last address in
    /// `X-Forwarded-For` that is not a trusted proxy's. Entries before it can be forged by the
    /// client.
    ///
    /// Entries are read from the end, up to the first that is not an address. If all of them are
    /// trusted proxies, the result is the last one read, or `proxy` if there was none. It is
    /// `proxy` for any [`ProxyHeader`] but `ForwardedFor`.
    pub(crate) fn client(&self, headers: &HeaderMap, proxy: IpAddr) -> IpAddr {
        let mut client = proxy;
        if self.header != ProxyHeader::ForwardedFor {
            return client;
        }
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        for entry in lines.flat_map(|line| line.to_str().unwrap_or("?").rsplit(',')) {
            let Some(address) = address(entry.trim()) else { break };
            client = address;
            if !self.is_trusted(client) {
                break;
            }
        }
        client
    }
}

/// Parses an address with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse().map(|address: std::net::SocketAddr| address.ip());
    bare.parse().or_else(|_| with_port()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(list: &str) -> Proxies {
        Proxies { trusted: list.parse().unwrap(), header: ProxyHeader::ForwardedFor }
    }

    fn client(proxies: &Proxies, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        proxies.client(&headers, [10, 0, 0, 1].into()).to_string()
    }

    #[test]
    fn a_list_contains_addresses_and_networks() {
        let proxies = proxies("10.0.0.0/8, 192.0.2.7 ,2001:db8::/32");
        for (peer, trusted) in [
            ("10.200.0.1", true),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("::ffff:10.1.1.1", true),
            ("2001:db8::9", true),
            ("::1", false),
        ] {
            assert_eq!(proxies.is_trusted(peer.parse().unwrap()), trusted, "{peer}");
        }
        assert!("none".parse::<TrustedProxies>().unwrap().is_empty());
        for wrong in ["", "10.0.0.0/33", "proxy.example", "10.0.0.1,"] {
            assert!(wrong.parse::<TrustedProxies>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_client_is_the_last_address_that_is_not_a_proxy() {
        let proxies = proxies("10.0.0.0/8");
        assert_eq!(client(&proxies, &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(client(&proxies, &["198.51.100.1, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(client(&proxies, &["203.0.113.9, 10.0.0.2", "10.0.0.3"]), "203.0.113.9");
        assert_eq!(client(&proxies, &["203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(client(&proxies, &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(client(&proxies, &["[2001:db8::1]"]), "2001:db8::1");
    }

    #[test]
    fn without_a_valid_entry_the_client_is_the_proxy() {
        let proxies = proxies("10.0.0.0/8");
        assert_eq!(client(&proxies, &[]), "10.0.0.1");
        assert_eq!(client(&proxies, &["unknown"]), "10.0.0.1");
        // written by the client, before an entry that the proxy could not determine
        assert_eq!(client(&proxies, &["198.51.100.1, unknown, 10.0.0.2"]), "10.0.0.2");
        let proxy_protocol = Proxies { header: ProxyHeader::ProxyProtocol, ..proxies };
        assert_eq!(client(&proxy_protocol, &["203.0.113.9"]), "10.0.0.1");
    }
}
