//! Closes all connections at shutdown, in waves: otherwise the clients of a large server would all
//! reconnect at the same moment, to a server that is just starting.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Number of waves.
const WAVES: usize = 16;

/// A server with fewer connections closes them all at once: their reconnects are too few to matter.
const SPREAD_FROM: usize = 100;

/// Rate at which clients are asked to reconnect.
const RECONNECTS_PER_SECOND: u64 = 2_000;

/// Maximum time over which reconnects are spread.
const MAX_DELAY: Duration = Duration::from_secs(30);

/// When each connection is closed, and when its client is asked to reconnect.
#[derive(Debug)]
pub(crate) struct Drain {
    waves: Vec<CancellationToken>,
    /// The wave of the next connection.
    next: AtomicUsize,
    /// Milliseconds over which reconnects are spread; 0 means at once.
    spread_ms: AtomicU64,
    /// Milliseconds until the last wave, added because there is no server to reconnect to before
    /// that.
    remaining_ms: AtomicU64,
}

impl Drain {
    pub(crate) fn new() -> Self {
        Self {
            waves: std::iter::repeat_with(CancellationToken::new).take(WAVES).collect(),
            next: AtomicUsize::new(0),
            spread_ms: AtomicU64::new(0),
            remaining_ms: AtomicU64::new(0),
        }
    }

    /// The token that tells a new connection to close.
    pub(crate) fn wave(&self) -> CancellationToken {
        self.waves[self.next.fetch_add(1, Ordering::Relaxed) % WAVES].clone()
    }

    /// Closes all `connections` within this time.
    pub(crate) async fn run(&self, connections: usize, within: Duration) {
        if connections < SPREAD_FROM {
            self.waves.iter().for_each(CancellationToken::cancel);
            return;
        }
        let delay = Duration::from_millis(connections as u64 * 1_000 / RECONNECTS_PER_SECOND).min(MAX_DELAY);
        self.spread_ms.store(milliseconds(delay), Ordering::Relaxed);
        let pause = within / (WAVES as u32 - 1);
        for (number, wave) in self.waves.iter().enumerate() {
            if number > 0 {
                tokio::time::sleep(pause).await;
            }
            self.remaining_ms.store(milliseconds(pause * (WAVES - 1 - number) as u32), Ordering::Relaxed);
            wave.cancel();
        }
    }

    /// How many milliseconds a client that is closed now is asked to wait before it reconnects.
    pub(crate) fn reconnect_delay(&self) -> Option<u64> {
        let spread = self.spread_ms.load(Ordering::Relaxed);
        (spread > 0).then(|| self.remaining_ms.load(Ordering::Relaxed) + rand::random_range(0..=spread))
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    const WITHIN: Duration = Duration::from_secs(3);

    #[tokio::test(start_paused = true)]
    async fn few_connections_close_at_once_without_a_reconnect_delay() {
        let (drain, started) = (Drain::new(), Instant::now());
        let waves: Vec<_> = (0..40).map(|_| drain.wave()).collect();
        drain.run(SPREAD_FROM - 1, WITHIN).await;
        assert!(waves.iter().all(CancellationToken::is_cancelled));
        assert_eq!((started.elapsed(), drain.reconnect_delay()), (Duration::ZERO, None));
    }

    #[tokio::test(start_paused = true)]
    async fn many_connections_close_in_waves_and_reconnect_after_the_last_one() {
        let (drain, started) = (Drain::new(), Instant::now());
        let waves: Vec<_> = (0..WAVES * 10).map(|_| drain.wave()).collect();
        let ends = waves.iter().map(async |wave| {
            wave.cancelled().await;
            (started.elapsed(), drain.reconnect_delay().unwrap())
        });
        let (ends, ()) = tokio::join!(futures::future::join_all(ends), drain.run(10_000, WITHIN));
        for wave in 0..WAVES as u32 {
            let at = ends.iter().filter(|(at, _)| *at == WITHIN / (WAVES as u32 - 1) * wave).count();
            assert_eq!(at, 10, "wave {wave}");
        }
        let reconnects = ends.iter().map(|(at, delay)| *at + Duration::from_millis(*delay));
        let (last, slack) = (WITHIN + Duration::from_secs(5), Duration::from_millis(20));
        assert!(reconnects.clone().all(|at| at + slack >= WITHIN && at <= last + slack), "{ends:?}");
        assert!(reconnects.max() > Some(WITHIN + Duration::from_secs(3)), "reconnects are spread");
    }
}
