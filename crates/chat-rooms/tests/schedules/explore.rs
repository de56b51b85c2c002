//! How many schedules are tried, and which.

use std::str::FromStr;
use std::sync::Arc;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, MaxSteps, Runner};

/// Runs a test under as many schedules as `SCHEDULES` says: in half of them any task that can takes the next step, in the other half
/// (PCT) tasks have priorities that change a few times, which finds what only a long delay in one place brings about.
/// `SCHEDULES_FROM` is where the random numbers begin.
pub(crate) fn explore(test: impl Fn() + Send + Sync + 'static) {
    let (count, seed) = (number("SCHEDULES").unwrap_or(1_000), number("SCHEDULES_FROM").unwrap_or(1));
    let mut config = Config::new();
    config.stack_size = 256 << 10;
    // a task that spins for ever waits for something that does not come
    config.max_steps = MaxSteps::FailAfter(100_000);
    config.silence_warnings = true;
    let test = Arc::new(test);
    let again = Arc::clone(&test);
    Runner::new(RandomScheduler::new_from_seed(seed, count / 2), config.clone()).run(move || test());
    Runner::new(PctScheduler::new_from_seed(seed, 4, count / 2), config).run(move || again());
}

fn number<T: FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok()?.parse().ok()
}
