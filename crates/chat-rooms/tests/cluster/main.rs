//! Several engines, with one history store and a backplane that loses, delays, repeats and reorders
//! what they publish: every client ends with the same room, whatever happens.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod client;
mod guarantees;
mod net;
mod nodes;
mod presence;
mod store;
mod world;

use crate::world::World;

/// How many worlds are simulated. `SEEDS` sets another number.
const SEEDS: u64 = 150;

fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// `SEED` sets the first world.
#[test]
fn the_guarantees_hold_on_three_nodes() {
    let first = variable("SEED", 1);
    for seed in first..first + variable("SEEDS", SEEDS) {
        println!("SEED={seed}");
        World::run(seed);
    }
}
