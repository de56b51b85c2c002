//! Log lines that clients can cause, rate limited by kind and address.

use std::net::IpAddr;

use chat_access::Network;
use chat_log::{Passed, PerKey};

/// Kind of such a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogKind {
    /// A page of an origin that is not allowed.
    Origin,
    /// Too many connections from one address.
    Connections,
    /// Handshakes that come too fast.
    Handshakes,
    /// A trusted proxy that sends no header.
    ProxyHeader,
    /// A failed TLS handshake.
    Tls,
    /// A join that failed because of a store.
    Join,
    /// History that cannot be read.
    History,
    /// A look-up that cannot be answered.
    LookUp,
    /// Connections that cannot be accepted.
    Accept,
    /// Accounts that cannot be read or changed.
    Accounts,
    /// Messages that cannot be searched.
    Search,
    /// What a moderator does, and cannot be stored.
    Acts,
}

impl LogKind {
    const ALL: [Self; 12] = [
        Self::Origin,
        Self::Connections,
        Self::Handshakes,
        Self::ProxyHeader,
        Self::Tls,
        Self::Join,
        Self::History,
        Self::LookUp,
        Self::Accept,
        Self::Accounts,
        Self::Search,
        Self::Acts,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Origin => "origin not allowed",
            Self::Connections => "too many connections from one address",
            Self::Handshakes => "handshakes too fast",
            Self::ProxyHeader => "no PROXY protocol header",
            Self::Tls => "TLS handshake failed",
            Self::Join => "join failed",
            Self::History => "history not readable",
            Self::LookUp => "look-up failed",
            Self::Accept => "connections not accepted",
            Self::Accounts => "accounts not readable",
            Self::Search => "messages can't be searched",
            Self::Acts => "acts of moderators not stored",
        }
    }
}

/// Rate limits for all kinds of lines. Each is written at most once a minute per address;
/// suppressed lines are counted.
#[derive(Debug, Default)]
pub(crate) struct ClientLog {
    kinds: [PerKey<Option<Network>>; LogKind::ALL.len()],
}

impl ClientLog {
    /// Whether a line about this address may be written now.
    pub(crate) fn pass_for(&self, kind: LogKind, address: IpAddr) -> Option<Passed> {
        self.kinds[kind as usize].pass(Some(Network::from(address)))
    }

    /// Whether a line that no address causes, such as one about a store, may be written now.
    pub(crate) fn pass(&self, kind: LogKind) -> Option<Passed> {
        self.kinds[kind as usize].pass(None)
    }

    /// Logs how many lines were suppressed since the last report.
    pub(crate) fn report(&self) {
        for kind in LogKind::ALL {
            if let Some(suppressed) = self.kinds[kind as usize].take_suppressed() {
                tracing::info!(kind = kind.name(), suppressed, "similar log lines were suppressed");
            }
        }
    }

    /// [Reports](Self::report) once a minute, until dropped.
    pub(crate) async fn keep_reporting(&self) {
        loop {
            tokio::time::sleep(chat_log::INTERVAL).await;
            self.report();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_and_address_is_limited_separately() {
        let log = ClientLog::default();
        let (ana, bob) = ("2001:db8::1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        for kind in LogKind::ALL {
            assert!(log.pass_for(kind, ana).is_some(), "{kind:?}");
            assert!(log.pass_for(kind, bob).is_some(), "{kind:?}");
            assert!(log.pass(kind).is_some(), "{kind:?}");
            // the same network
            assert!(log.pass_for(kind, "2001:db8::ffff:2".parse().unwrap()).is_none(), "{kind:?}");
            assert!(log.pass(kind).is_none(), "{kind:?}");
            assert_eq!(log.kinds[kind as usize].take_suppressed(), Some(2), "{kind:?}");
        }
    }
}
