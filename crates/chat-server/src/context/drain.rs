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
const COME_BACK_A_SECOND: u64 = 2_000;

/// Maximum time over which reconnects are spread.
const LONGEST_AWAY: Duration = Duration::from_secs(30);

/// When each connection is closed, and when its client is asked to reconnect.
#[derive(Debug)]
pub(crate) struct Drain {
    waves: Vec<CancellationToken>,
    /// The wave of the next connection.
    next: AtomicUsize,
    /// Milliseconds over which reconnects are spread; 0 means at once.
    spread: AtomicU64,
    /// Milliseconds until the last wave, added because there is no server to reconnect to before
    /// that.
    remaining: AtomicU64,
}

impl Drain {
    pub(crate) fn new() -> Self {
        Self {
            waves: std::iter::repeat_with(CancellationToken::new).take(WAVES).collect(),
            next: AtomicUsize::new(0),
            spread: AtomicU64::new(0),
            remaining: AtomicU64::new(0),
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
        let away = Duration::from_millis(connections as u64 * 1_000 / COME_BACK_A_SECOND).min(LONGEST_AWAY);
        self.spread.store(milliseconds(away), Ordering::Relaxed);
        let pause = within / (WAVES as u32 - 1);
        for (number, wave) in self.waves.iter().enumerate() {
            if number > 0 {
                tokio::time::sleep(pause).await;
            }
            self.remaining.store(milliseconds(pause * (WAVES - 1 - number) as u32), Ordering::Relaxed);
            wave.cancel();
        }
    }

    /// How many milliseconds a client that is closed now is asked to wait before it reconnects.
    pub(crate) fn away_for(&self) -> Option<u64> {
        let spread = self.spread.load(Ordering::Relaxed);
        (spread > 0).then(|| self.remaining.load(Ordering::Relaxed) + rand::random_range(0..=spread))
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
    async fn few_end_at_once_and_may_come_back_at_once() {
        let (drain, began) = (Drain::new(), Instant::now());
        let waves: Vec<_> = (0..40).map(|_| drain.wave()).collect();
        drain.run(SPREAD_FROM - 1, WITHIN).await;
        assert!(waves.iter().all(CancellationToken::is_cancelled));
        assert_eq!((began.elapsed(), drain.away_for()), (Duration::ZERO, None));
    }

    #[tokio::test(start_paused = true)]
    async fn many_end_one_after_another_and_come_back_when_it_is_over() {
        let (drain, began) = (Drain::new(), Instant::now());
        let waves: Vec<_> = (0..WAVES * 10).map(|_| drain.wave()).collect();
        let ends = waves.iter().map(async |wave| {
            wave.cancelled().await;
            (began.elapsed(), drain.away_for().unwrap())
        });
        let (ends, ()) = tokio::join!(futures::future::join_all(ends), drain.run(10_000, WITHIN));
        for moment in 0..WAVES as u32 {
            let at = ends.iter().filter(|(at, _)| *at == WITHIN / (WAVES as u32 - 1) * moment).count();
            assert_eq!(at, 10, "wave {moment}");
        }
        let back = ends.iter().map(|(at, away)| *at + Duration::from_millis(*away));
        let (last, slack) = (WITHIN + Duration::from_secs(5), Duration::from_millis(20));
        assert!(back.clone().all(|back| back + slack >= WITHIN && back <= last + slack), "{ends:?}");
        assert!(back.max() > Some(WITHIN + Duration::from_secs(3)), "they are spread");
    }
}
