//! Ends sessions whose token has expired.

use std::time::Duration;

use chat_protocol::Timestamp;

use crate::accounts::Accounts;
use crate::context::sessions::Sessions;

/// How often the tokens of open sessions are checked. A session ends at most this long after its
/// token has expired.
const INTERVAL: Duration = Duration::from_secs(15);

/// Checks the tokens of open sessions forever. The token of a device is extended, because it is in
/// use.
pub(crate) async fn watch(accounts: &Accounts, sessions: &Sessions) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let now = Timestamp::now();
        sessions.end_expired(now);
        for token in sessions.expiring(now.saturating_add(INTERVAL)) {
            match accounts.renew(&token).await {
                Ok(Some(renewed)) => sessions.set_expiry(&token, renewed.expires_at, now),
                Ok(None) => sessions.set_expiry(&token, Some(now), now),
                // while the store does not answer, nobody is signed out
                Err(error) => tracing::warn!(%error, "a token could not be renewed; it will be retried"),
            }
        }
    }
}
