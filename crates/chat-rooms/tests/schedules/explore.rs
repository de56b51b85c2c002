//! Which schedules are explored, and how many.

use std::str::FromStr;
use std::sync::Arc;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, MaxSteps, Runner};

/// Runs a test under `SCHEDULES` schedules. In one half, a random runnable task takes each step. In
/// the other half (PCT), tasks have priorities that change a few times, which finds faults that
/// need a long delay at one point. `SCHEDULES_FROM` is the random seed.
pub(crate) fn explore(test: impl Fn() + Send + Sync + 'static) {
    let (count, seed) = (number("SCHEDULES").unwrap_or(1_000), number("SCHEDULES_FROM").unwrap_or(1));
    let mut config = Config::new();
    config.stack_size = 256 << 10;
    // a task that spins forever waits for something that never happens
    config.max_steps = MaxSteps::FailAfter(100_000);
    config.silence_warnings = true;
    let test = Arc::new(test);
    let test_for_pct = Arc::clone(&test);
    Runner::new(RandomScheduler::new_from_seed(seed, count / 2), config.clone()).run(move || test());
    Runner::new(PctScheduler::new_from_seed(seed, 4, count / 2), config).run(move || test_for_pct());
}

fn number<T: FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok()?.parse().ok()
}
