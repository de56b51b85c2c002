//! Who may connect: origins, proxies, addresses and rates.

pub(crate) mod addresses;
pub(crate) mod client_log;
pub(crate) mod origins;
pub(crate) mod permit;
pub(crate) mod proxies;
pub(crate) mod rate_limit;
