//! Simulates the whole server on real sockets with a paused clock, a network that stalls, delays
//! and cuts connections, and a server that is killed and restarted. A seed determines what happens,
//! and when: `just simulate`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod client;
mod disk;
mod faults;
mod guarantees;
mod link;
mod log;
mod run;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use world::World;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Runs the world of a seed until every client has received everything. Returns a digest of what
/// the clients received.
fn simulate(seed: u64) -> u64 {
    catch_unwind(AssertUnwindSafe(|| World::new(seed).run())).unwrap_or_else(|panic| {
        println!("to run this world again: just simulate 1 {seed}");
        resume_unwind(panic)
    })
}

/// Runs `SEEDS` worlds, beginning with the seed `SEED`.
#[test]
fn the_guarantees_hold_under_faults() {
    let (first, count) = (number("SEED").unwrap_or(1), number("SEEDS").unwrap_or(300));
    for seed in first..first + count {
        simulate(seed);
    }
}

/// A printed seed is useful only if it reproduces the run.
#[test]
fn a_seed_reproduces_the_same_run() {
    for seed in 1..=5 {
        assert_eq!(simulate(seed), simulate(seed), "seed {seed}");
    }
}
