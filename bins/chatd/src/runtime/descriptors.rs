//! The limit of open files, and the number of connections that it allows.

use chat_server::Config;

/// Descriptors for everything but connections: database, runtime, log.
const RESERVED: usize = 76;

/// Below this limit even a small server runs out of descriptors.
const LOW_LIMIT: usize = 1_000;

/// The number of descriptors that a configuration needs.
pub(crate) fn required(config: &Config) -> usize {
    config.max_connections.saturating_add(config.other_connections).saturating_add(RESERVED)
}

/// The result of [`raise_limit`]. It is logged after the server has printed where it listens.
#[derive(Debug)]
pub(crate) enum DescriptorLimit {
    /// The limit is as high as the configuration needs.
    Enough,
    /// The limit is lower, so the maximum number of connections was lowered, too.
    Fewer { limit: usize, required: usize, connections: usize },
    /// The system does not say.
    Unknown(std::io::Error),
}

/// Raises the soft limit of open files to what the configuration needs: the usual limit of 1,024 is
/// not meant for servers. If the system does not allow it, lowers the maximum number of
/// connections. A connection above the maximum needs a descriptor, too, because it is answered
/// before it is closed.
pub(crate) fn raise_limit(config: &mut Config) -> DescriptorLimit {
    let required = required(config);
    let limit = match rlimit::increase_nofile_limit(required as u64) {
        Ok(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
        Err(error) => return DescriptorLimit::Unknown(error),
    };
    if limit >= required {
        return DescriptorLimit::Enough;
    }
    (config.max_connections, config.other_connections) = split(limit, config.other_connections);
    DescriptorLimit::Fewer { limit, required, connections: config.max_connections }
}

impl DescriptorLimit {
    pub(crate) fn log(&self) {
        match self {
            Self::Enough => {}
            Self::Unknown(error) => tracing::warn!(%error, "the limit of open files can't be raised"),
            Self::Fewer { limit, required, connections } if *limit < LOW_LIMIT => tracing::warn!(
                limit,
                required,
                connections,
                "the limit of open files is low: raise it (ulimit -n, or LimitNOFILE= in the unit), or lower --max-connections"
            ),
            Self::Fewer { limit, required, connections } => tracing::info!(
                limit,
                required,
                connections,
                "the limit of open files allows fewer connections than --max-connections"
            ),
        }
    }
}

/// The number of chat connections and of other connections under a limit. Other connections get at
/// most `max_others`, and at most a quarter.
fn split(limit: usize, max_others: usize) -> (usize, usize) {
    let connections = limit.saturating_sub(RESERVED).max(2);
    let others = max_others.clamp(1, (connections / 4).max(1));
    (connections - others, others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chat_gets_most_descriptors_and_other_connections_get_some() {
        assert_eq!(split(10_000, 1_024), (8_900, 1_024));
        assert_eq!(split(1_024, 1_024), (711, 237));
        assert_eq!(split(0, 1_024), (1, 1));
        assert_eq!(split(10_000, 0), (9_923, 1));
    }
}
