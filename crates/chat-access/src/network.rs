//! Where a guest connects from.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// The network of a guest, which a ban or a mute concerns: an IPv4 address, or the first 64 bits of
/// an IPv6 address, which is what one connection to the internet usually has.
///
/// ```
/// use std::net::IpAddr;
///
/// use chat_access::Network;
///
/// let network = Network::from("2001:db8::7".parse::<IpAddr>()?);
/// assert_eq!(network, Network::from("2001:db8::8".parse::<IpAddr>()?));
/// assert_eq!(network.to_string(), "2001:db8::/64");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(IpAddr);

/// A text is not a [`Network`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be an IPv4 address, or an IPv6 network such as 2001:db8::/64")]
pub struct NetworkError;

impl Network {
    /// The network of a client that connects from this address; `None` for an address of this
    /// machine. There a proxy connects for everyone, and has not told for whom.
    pub fn of_client(address: IpAddr) -> Option<Self> {
        let address = address.to_canonical();
        (!address.is_loopback() && !address.is_unspecified()).then(|| address.into())
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
            }
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(f, "{address}"),
            IpAddr::V6(address) => write!(f, "{address}/64"),
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let network: Self =
            text.strip_suffix("/64").unwrap_or(text).parse::<IpAddr>().map_err(|_| NetworkError)?.into();
        if network.to_string() == text { Ok(network) } else { Err(NetworkError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_one_text() {
        for (address, text) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ] {
            let network = Network::from(address.parse::<IpAddr>().unwrap());
            assert_eq!(network.to_string(), text);
            assert_eq!(text.parse(), Ok(network));
        }
        for (address, is_known) in
            [("192.0.2.7", true), ("127.0.0.1", false), ("::1", false), ("::ffff:127.0.0.1", false)]
        {
            assert_eq!(Network::of_client(address.parse().unwrap()).is_some(), is_known, "{address}");
        }
        for wrong in ["", "192.0.2.7/64", "2001:db8::", "2001:db8::1/64", "here"] {
            assert_eq!(wrong.parse::<Network>(), Err(NetworkError), "{wrong}");
        }
    }
}
