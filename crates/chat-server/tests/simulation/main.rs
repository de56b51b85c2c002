//! The whole server on real sockets, in a world whose clock stands still until there is nothing to do, whose network loses, delays and cuts,
//! and in which the server is killed and started again. What happens, and when, comes from a seed: `just simulate`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod client;
mod disk;
mod faults;
mod life;
mod line;
mod log;
mod promises;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use world::World;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// The world of a seed, from its beginning to the moment in which everybody has everything. Gives a digest of all that was seen.
fn live_through(seed: u64) -> u64 {
    catch_unwind(AssertUnwindSafe(|| World::new(seed).run())).unwrap_or_else(|panic| {
        println!("to run this world again: just simulate 1 {seed}");
        resume_unwind(panic)
    })
}

/// `SEEDS` worlds, the first of which has the seed `SEED`.
#[test]
fn what_is_promised_holds_whatever_breaks() {
    let (first, count) = (number("SEED").unwrap_or(1), number("SEEDS").unwrap_or(300));
    for seed in first..first + count {
        live_through(seed);
    }
}

/// Or a seed that was printed would be worth nothing.
#[test]
fn a_seed_is_the_same_world_again() {
    for seed in 1..=5 {
        assert_eq!(live_through(seed), live_through(seed), "seed {seed}");
    }
}
