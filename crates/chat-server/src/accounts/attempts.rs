//! Limits for attempts to sign in and to register.
//!
//! Wrong passwords are counted for each account and address together, and for each address. Nothing
//! is counted for an account alone: then a third party could lock its owner out.

use std::collections::HashMap;
use std::time::Duration;

use chat_protocol::Username;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::admission::rate_limit::{RateLimiter, Spacing};
use chat_access::Network;

/// Attempts to sign in to one account from one address: ten, then one every half minute.
const PER_ACCOUNT: Spacing = Spacing::new(Duration::from_secs(30), 10);

/// Failed attempts from one address: a hundred, then one every five seconds.
const FAILED: Spacing = Spacing::new(Duration::from_secs(5), 100);

/// Registrations from one address: twenty, then one a minute.
const REGISTERED: Spacing = Spacing::new(Duration::from_secs(60), 20);

/// The minimum number of entries before those that limit nothing are removed. Each entry costs its
/// client a password hash or a registration, which bounds how many there are.
const MIN_SWEEP: usize = 1_024;

/// There were too many attempts. The next one is worthwhile after this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManyAttempts(pub(crate) Duration);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Account(Network, Username),
    Failed(Network),
    Registered(Network),
}

/// What was counted lately.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    limiters: HashMap<Key, RateLimiter>,
    /// The number of entries at which those that limit nothing are removed.
    sweep_at: usize,
}

impl Attempts {
    /// Counts an attempt to sign in. `from` is `None` if the address is not limited.
    pub(super) fn begin(
        &self,
        from: Option<Network>,
        username: Option<&Username>,
        now: Instant,
    ) -> Result<(), TooManyAttempts> {
        let Some(network) = from else { return Ok(()) };
        let mut table = self.table.lock();
        table.check(&Key::Failed(network), now, FAILED)?;
        if let Some(username) = username {
            let key = Key::Account(network, username.clone());
            table.check(&key, now, PER_ACCOUNT)?;
            table.limiter(key, now).record(1, now, PER_ACCOUNT);
        }
        Ok(())
    }

    /// The attempt had the right password: it does not count.
    pub(super) fn succeeded(&self, from: Option<Network>, username: &Username) {
        if let Some(network) = from {
            self.table.lock().limiters.remove(&Key::Account(network, username.clone()));
        }
    }

    /// The attempt had a wrong name or password.
    pub(super) fn failed(&self, from: Option<Network>, now: Instant) {
        if let Some(network) = from {
            self.table.lock().limiter(Key::Failed(network), now).record(1, now, FAILED);
        }
    }

    /// Counts a registration.
    pub(super) fn register(&self, from: Option<Network>, now: Instant) -> Result<(), TooManyAttempts> {
        let Some(network) = from else { return Ok(()) };
        let mut table = self.table.lock();
        table.check(&Key::Registered(network), now, REGISTERED)?;
        table.limiter(Key::Registered(network), now).record(1, now, REGISTERED);
        Ok(())
    }
}

impl Table {
    fn check(&self, key: &Key, now: Instant, spacing: Spacing) -> Result<(), TooManyAttempts> {
        let limiter = self.limiters.get(key);
        let next = limiter.and_then(|limiter| limiter.limited_until(now, spacing));
        next.map_or(Ok(()), |next| Err(TooManyAttempts(next - now)))
    }

    fn limiter(&mut self, key: Key, now: Instant) -> &mut RateLimiter {
        if self.limiters.len() >= self.sweep_at.max(MIN_SWEEP) {
            self.limiters.retain(|_, limiter| !limiter.is_idle(now));
            self.sweep_at = self.limiters.len() * 2;
        }
        self.limiters.entry(key).or_insert_with(|| RateLimiter::new(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(last: u8) -> Option<Network> {
        Some(Network::from(std::net::IpAddr::from([192, 0, 2, last])))
    }

    fn user(name: &str) -> Username {
        name.parse().unwrap()
    }

    #[test]
    fn one_account_has_few_attempts_from_one_address() {
        let (attempts, start) = (Attempts::default(), Instant::now());
        let ana = user("ana");
        let try_all = |from, now| (0..50).filter(|_| attempts.begin(from, Some(&ana), now).is_ok()).count();
        assert_eq!(try_all(network(1), start), 10);
        assert_eq!(
            attempts.begin(network(1), Some(&ana), start),
            Err(TooManyAttempts(Duration::from_secs(30)))
        );
        assert_eq!(try_all(network(2), start), 10, "another address is not locked out");
        assert!(attempts.begin(network(1), Some(&user("bob")), start).is_ok());
        assert_eq!(try_all(network(1), start + Duration::from_secs(61)), 2);
        attempts.succeeded(network(1), &ana);
        assert_eq!(try_all(network(1), start + Duration::from_secs(61)), 10, "it was the owner");
        assert_eq!(try_all(None, start), 50, "an address that is not limited");
    }

    #[test]
    fn one_address_has_few_failures_over_all_accounts() {
        let (attempts, start) = (Attempts::default(), Instant::now());
        let mut tried = 0;
        for number in 0..200 {
            if attempts.begin(network(1), Some(&user(&format!("user-{number}"))), start).is_ok() {
                attempts.failed(network(1), start);
                tried += 1;
            }
        }
        assert_eq!(tried, 100);
        assert!(attempts.begin(network(1), None, start).is_err());
        assert!(attempts.begin(network(2), None, start).is_ok());
        assert!(attempts.begin(network(1), None, start + Duration::from_secs(5)).is_ok());
    }

    #[test]
    fn registrations_are_limited_and_old_entries_are_removed() {
        let (attempts, start) = (Attempts::default(), Instant::now());
        assert_eq!((0..50).filter(|_| attempts.register(network(1), start).is_ok()).count(), 20);
        assert!(attempts.register(network(2), start).is_ok());
        for number in 0..10 * MIN_SWEEP as u64 {
            let now = start + Duration::from_secs(number * 60);
            let from = Some(Network::from(std::net::IpAddr::from((u128::from(number) << 64).to_be_bytes())));
            attempts.begin(from, Some(&user("ana")), now).unwrap();
            assert!(attempts.table.lock().limiters.len() <= MIN_SWEEP);
        }
    }
}
