//! How many connections the limit of open files allows for.

use chat_server::Config;

/// Descriptors that are needed beside those of the connections: the database's, the runtime's, the log's.
const OWN: usize = 76;

/// How many descriptors the configuration needs.
pub(crate) fn wanted(config: &Config) -> usize {
    config.max_connections.saturating_add(config.other_connections).saturating_add(OWN)
}

/// Below this limit even a small server runs out of descriptors.
const FEW: usize = 1_000;

/// What came of asking for descriptors; to be logged once the server has said where it listens.
#[derive(Debug)]
pub(crate) enum Fit {
    /// There are as many as the configuration needs.
    Enough,
    /// There are fewer, and so there are fewer connections.
    Fewer { limit: usize, wanted: usize, connections: usize },
    /// The system does not say.
    Unknown(std::io::Error),
}

/// Asks for as many descriptors as the configuration needs: the usual soft limit of 1,024 is not meant for servers. Where the
/// system does not give them, there are fewer connections: who finds no place is told so, which takes a descriptor, too.
pub(crate) fn fit(config: &mut Config) -> Fit {
    let wanted = wanted(config);
    let limit = match rlimit::increase_nofile_limit(wanted as u64) {
        Ok(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
        Err(error) => return Fit::Unknown(error),
    };
    if limit >= wanted {
        return Fit::Enough;
    }
    (config.max_connections, config.other_connections) = shares(limit, config.other_connections);
    Fit::Fewer { limit, wanted, connections: config.max_connections }
}

impl Fit {
    pub(crate) fn log(&self) {
        match self {
            Self::Enough => {}
            Self::Unknown(error) => tracing::warn!(%error, "the limit of open files can't be raised"),
            Self::Fewer { limit, wanted, connections } if *limit < FEW => tracing::warn!(
                limit,
                wanted,
                connections,
                "the limit of open files is low: raise it (ulimit -n, or LimitNOFILE= in the unit), or lower --max-connections"
            ),
            Self::Fewer { limit, wanted, connections } => tracing::info!(
                limit,
                wanted,
                connections,
                "the limit of open files allows fewer connections than --max-connections"
            ),
        }
    }
}

/// How many chat connections and how many others a limit allows for. Of the others there are as many as there should be, but no more
/// than a quarter.
fn shares(limit: usize, most_others: usize) -> (usize, usize) {
    let connections = limit.saturating_sub(OWN).max(2);
    let others = most_others.clamp(1, (connections / 4).max(1));
    (connections - others, others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chat_comes_first_and_something_is_left_for_others() {
        assert_eq!(shares(10_000, 1_024), (8_900, 1_024));
        assert_eq!(shares(1_024, 1_024), (711, 237));
        assert_eq!(shares(0, 1_024), (1, 1));
        assert_eq!(shares(10_000, 0), (9_923, 1));
    }
}
