//! Who may connect, from where, how often and how fast.

pub(crate) mod addresses;
pub(crate) mod client_log;
pub(crate) mod origins;
pub(crate) mod permit;
pub(crate) mod proxies;
pub(crate) mod rate_limit;
