//! Proxies in front of the server, and whom they speak for.

use std::net::IpAddr;
use std::str::FromStr;

use http::HeaderMap;
use http::header::HeaderName;
use ipnet::IpNet;

/// The header field in which a proxy says who asks. A de facto standard; what each proxy appends stands at the end.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Which peers are proxies, and how they say who it is that they speak for. By default nobody is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proxies {
    /// Who is believed.
    pub trusted: TrustedProxies,
    /// How they say it.
    pub header: ProxyHeader,
}

/// How a proxy says who it is that it speaks for. It is set, never guessed: what a client sends must not be taken for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProxyHeader {
    /// By `X-Forwarded-For` in the handshake: the last address in it that is no trusted proxy's.
    #[default]
    ForwardedFor,
    /// By the PROXY protocol, version 1 or 2, in front of everything else on the connection (HAProxy's `proxy-protocol.txt`). A
    /// trusted proxy that sends no such header is not served.
    ProxyProtocol,
}

/// Addresses and networks of the proxies that are believed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustedProxies(Vec<IpNet>);

/// What is no list of addresses and networks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a valid address or network; write it like 10.0.0.1 or 10.0.0.0/8")]
pub struct TrustedProxiesError(String);

impl TrustedProxies {
    /// Whether nobody is believed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether somebody at this address is believed.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromStr for TrustedProxies {
    type Err = TrustedProxiesError;

    /// `none`, or addresses and networks with commas between them.
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
    /// Whether a peer is a proxy that is believed.
    pub(crate) fn trust(&self, peer: IpAddr) -> bool {
        self.trusted.contains(peer.to_canonical())
    }

    /// Who asks, where the request comes over a proxy that is believed: the last in `X-Forwarded-For` that no such proxy is, since what
    /// stands before that is only what somebody says. The proxy itself where it does not say, or says what is no address.
    pub(crate) fn client(&self, headers: &HeaderMap, proxy: IpAddr) -> IpAddr {
        let mut client = proxy;
        if self.header != ProxyHeader::ForwardedFor {
            return client;
        }
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        for said in lines.flat_map(|line| line.to_str().unwrap_or("?").rsplit(',')) {
            let Some(address) = address(said.trim()) else { break };
            client = address;
            if !self.trust(client) {
                break;
            }
        }
        client
    }
}

/// An address, with or without a port.
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
    fn a_list_names_addresses_and_networks() {
        let proxies = proxies("10.0.0.0/8, 192.0.2.7 ,2001:db8::/32");
        for (peer, trusted) in [
            ("10.200.0.1", true),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("::ffff:10.1.1.1", true),
            ("2001:db8::9", true),
            ("::1", false),
        ] {
            assert_eq!(proxies.trust(peer.parse().unwrap()), trusted, "{peer}");
        }
        assert!("none".parse::<TrustedProxies>().unwrap().is_empty());
        for wrong in ["", "10.0.0.0/33", "proxy.example", "10.0.0.1,"] {
            assert!(wrong.parse::<TrustedProxies>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_last_that_no_proxy_is_asks() {
        let proxies = proxies("10.0.0.0/8");
        assert_eq!(client(&proxies, &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(client(&proxies, &["198.51.100.1, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(client(&proxies, &["203.0.113.9, 10.0.0.2", "10.0.0.3"]), "203.0.113.9");
        assert_eq!(client(&proxies, &["203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(client(&proxies, &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(client(&proxies, &["[2001:db8::1]"]), "2001:db8::1");
    }

    #[test]
    fn what_a_proxy_does_not_say_is_not_believed() {
        let proxies = proxies("10.0.0.0/8");
        assert_eq!(client(&proxies, &[]), "10.0.0.1");
        assert_eq!(client(&proxies, &["unknown"]), "10.0.0.1");
        // what the client itself wrote, before what the proxy could not read
        assert_eq!(client(&proxies, &["198.51.100.1, unknown, 10.0.0.2"]), "10.0.0.2");
        let told_apart = Proxies { header: ProxyHeader::ProxyProtocol, ..proxies };
        assert_eq!(client(&told_apart, &["203.0.113.9"]), "10.0.0.1");
    }
}
