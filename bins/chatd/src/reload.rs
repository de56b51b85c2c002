//! What a running server takes over on SIGHUP.

/// The options that take effect without a restart, by their ids.
const AT_ONCE: [&str; 16] = [
    "allowed_origins",
    "backlog_bytes",
    "backlog_frames",
    "connections_per_address",
    "history_max_age",
    "history_max_count",
    "join_burst",
    "join_rate",
    "log",
    "members_per_room",
    "message_burst",
    "message_bytes",
    "message_rate",
    "proxy_header",
    "rooms_per_session",
    "trusted_proxies",
];

/// Whether an option takes effect without a restart. The certificate's files are read anew in any case.
pub(crate) fn takes_effect_at_once(id: &str) -> bool {
    AT_ONCE.contains(&id)
}
