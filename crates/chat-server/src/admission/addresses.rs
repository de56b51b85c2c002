//! Limits per client address: number of connections and rate of handshakes.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use chat_access::Network;
use chat_log::Passed;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::admission::client_log::{ClientLog, LogKind};
use crate::admission::rate_limit::{Rate, RateLimiter};

/// How many connections over the limit are answered with a refusal at once. Beyond that,
/// connections are dropped without an answer.
const MAX_REFUSALS: usize = 16;

/// Minimum number of addresses before idle ones are swept.
const MIN_SWEEP: usize = 1_024;

/// Limits per address. An IPv6 /64 network counts as one address: a subscriber gets at least that
/// (RFC 6177).
#[derive(Debug, Clone, Copy)]
pub(crate) struct AddressLimits {
    /// Maximum number of connections; 0 means no limit.
    pub(crate) connections: usize,
    /// Maximum rate of handshakes.
    pub(crate) handshakes: Rate,
    /// Whether the limits apply to loopback addresses.
    pub(crate) loopback: Loopback,
}

/// Whether the limits apply to connections from the machine itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loopback {
    /// The limits apply.
    Limited,
    /// The limits do not apply: all users of a proxy on this machine that is not configured as
    /// trusted would share one address.
    Exempt,
}

/// Usage of every recently seen address. Clones share the same state.
#[derive(Debug, Clone)]
pub(crate) struct Addresses(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: ArcSwap<AddressLimits>,
    table: Mutex<UsageTable>,
    log: Arc<ClientLog>,
}

#[derive(Debug, Default)]
struct UsageTable {
    by_address: HashMap<Network, Usage>,
    /// Number of addresses at which idle ones are swept.
    sweep_at: usize,
}

#[derive(Debug)]
struct Usage {
    connections: usize,
    handshakes: RateLimiter,
}

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientAddress {
    address: IpAddr,
    is_limited: bool,
}

impl ClientAddress {
    /// What its attempts are counted for. `None` if the address is not limited.
    pub(crate) fn network(self) -> Option<Network> {
        self.is_limited.then(|| Network::from(self.address))
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// One connection counted for its address, until dropped.
#[derive(Debug)]
pub(crate) struct AddressPermit {
    /// `None` if the connection is not counted.
    counted: Option<(Addresses, Network)>,
}

/// Whether a connection from an address may be served.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// It may be served.
    Allowed(AddressPermit),
    /// The address is over its limit. The connection may be answered with a refusal.
    TooMany(AddressPermit),
    /// The address is far over its limit. The connection is dropped without an answer.
    FarTooMany,
}

impl Addresses {
    pub(crate) fn new(limits: AddressLimits, log: Arc<ClientLog>) -> Self {
        Self(Arc::new(Inner { limits: ArcSwap::from_pointee(limits), table: Mutex::default(), log }))
    }

    /// Sets new limits. Open connections are kept.
    pub(crate) fn set_limits(&self, limits: AddressLimits) {
        self.0.limits.store(Arc::new(limits));
    }

    /// Counts a connection.
    pub(crate) fn count_connection(&self, address: IpAddr) -> Arrival {
        let limit = self.0.limits.load().connections;
        let network = Network::from(address);
        if limit == 0 || self.is_exempt(address) {
            return Arrival::Allowed(AddressPermit { counted: None });
        }
        let mut table = self.0.table.lock();
        let usage = table.usage(network, Instant::now());
        if usage.connections >= limit.saturating_add(MAX_REFUSALS) {
            return Arrival::FarTooMany;
        }
        usage.connections += 1;
        let is_over = usage.connections > limit;
        drop(table);
        if is_over && let Some(Passed { suppressed }) = self.0.log.pass_for(LogKind::Connections, address) {
            tracing::warn!(
                %address,
                limit,
                suppressed,
                "too many connections from one address; if this is a proxy, add it to --trusted-proxies"
            );
        }
        let permit = AddressPermit { counted: Some((self.clone(), network)) };
        if is_over { Arrival::TooMany(permit) } else { Arrival::Allowed(permit) }
    }

    /// Counts a handshake. Returns `false` if handshakes come too fast; a refused one is not
    /// counted.
    pub(crate) fn allow_handshake(&self, address: IpAddr, now: Instant) -> bool {
        let rate = self.0.limits.load().handshakes;
        if rate.per_second == 0 || self.is_exempt(address) {
            return true;
        }
        let mut table = self.0.table.lock();
        let usage = table.usage(Network::from(address), now);
        if usage.handshakes.limited_until(now, rate).is_none() {
            usage.handshakes.record(1, now, rate);
            return true;
        }
        drop(table);
        if let Some(Passed { suppressed }) = self.0.log.pass_for(LogKind::Handshakes, address) {
            tracing::warn!(
                %address,
                suppressed,
                "too many handshakes a second from one address; if this is a proxy, add it to --trusted-proxies"
            );
        }
        false
    }

    /// This address, and whether limits apply to it.
    pub(crate) fn client(&self, address: IpAddr) -> ClientAddress {
        ClientAddress { address, is_limited: !self.is_exempt(address) }
    }

    fn is_exempt(&self, address: IpAddr) -> bool {
        self.0.limits.load().loopback == Loopback::Exempt && address.to_canonical().is_loopback()
    }

    fn release(&self, network: Network) {
        let mut table = self.0.table.lock();
        if let Some(usage) = table.by_address.get_mut(&network) {
            usage.connections -= 1;
            if usage.is_idle(Instant::now()) {
                table.by_address.remove(&network);
            }
        }
    }
}

impl UsageTable {
    /// The usage of an address. Sweeps idle addresses from time to time, so that the table does not
    /// grow with every address ever seen.
    fn usage(&mut self, network: Network, now: Instant) -> &mut Usage {
        if self.by_address.len() >= self.sweep_at.max(MIN_SWEEP) {
            self.by_address.retain(|_, usage| !usage.is_idle(now));
            self.sweep_at = self.by_address.len() * 2;
        }
        let new = || Usage { connections: 0, handshakes: RateLimiter::new(now) };
        self.by_address.entry(network).or_insert_with(new)
    }
}

impl Usage {
    fn is_idle(&self, now: Instant) -> bool {
        self.connections == 0 && self.handshakes.is_idle(now)
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        if let Some((addresses, network)) = self.counted.take() {
            addresses.release(network);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Duration;

    fn addresses(connections: usize, per_second: u32, burst: u32) -> Addresses {
        let handshakes = Rate { per_second, burst };
        Addresses::new(AddressLimits { connections, handshakes, loopback: Loopback::Exempt }, Arc::default())
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn connections_over_the_limit_are_refused_and_then_dropped() {
        let addresses = addresses(2, 0, 0);
        let connect = |from: &str| addresses.count_connection(ip(from));
        let held = [connect("192.0.2.1"), connect("::ffff:192.0.2.1")];
        assert!(held.iter().all(|arrival| matches!(arrival, Arrival::Allowed(_))));
        let refused: Vec<_> = (0..MAX_REFUSALS).map(|_| connect("192.0.2.1")).collect();
        assert!(refused.iter().all(|arrival| matches!(arrival, Arrival::TooMany(_))));
        assert!(matches!(connect("192.0.2.1"), Arrival::FarTooMany));
        assert!(matches!(connect("192.0.2.2"), Arrival::Allowed(_)), "other addresses are not limited");
        drop(refused);
        assert!(matches!(connect("192.0.2.1"), Arrival::TooMany(_)));
        drop(held);
        assert!(matches!(connect("192.0.2.1"), Arrival::Allowed(_)));
        assert!(addresses.0.table.lock().by_address.is_empty());
    }

    #[test]
    fn an_ipv6_network_is_one_address_and_loopback_is_exempt() {
        let addresses = addresses(1, 1, 1);
        let _held = addresses.count_connection(ip("2001:db8::1"));
        assert!(matches!(addresses.count_connection(ip("2001:db8::ffff:0:0:2")), Arrival::TooMany(_)));
        assert!(matches!(addresses.count_connection(ip("2001:db8:0:1::1")), Arrival::Allowed(_)));
        for loopback in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            let _held = addresses.count_connection(ip(loopback));
            assert!(matches!(addresses.count_connection(ip(loopback)), Arrival::Allowed(_)), "{loopback}");
            assert!((0..10).all(|_| addresses.allow_handshake(ip(loopback), Instant::now())), "{loopback}");
        }
    }

    #[test]
    fn handshakes_are_rate_limited_and_idle_addresses_are_swept() {
        let addresses = addresses(0, 2, 3);
        let start = Instant::now();
        let accepted = |after: u64| {
            let now = start + Duration::from_secs(after);
            (0..10).filter(|_| addresses.allow_handshake(ip("192.0.2.1"), now)).count()
        };
        assert_eq!(accepted(0), 3);
        assert_eq!(accepted(1), 2);
        // one handshake per address, one second apart
        for i in 0..u32::try_from(MIN_SWEEP * 10).unwrap() {
            let now = start + Duration::from_secs(i.into());
            assert!(addresses.allow_handshake(std::net::Ipv4Addr::from_bits(i).into(), now));
            assert!(addresses.0.table.lock().by_address.len() <= MIN_SWEEP);
        }
    }
}
