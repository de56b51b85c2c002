//! An hour of community life: ten people, two moderators and three hostile users at full speed,
//! over real sockets, with the real database. Afterwards the final state, what every session has
//! received, and the audit log are compared with a model. `SEED` determines what everyone decides,
//! and `ROUNDS` how much everyone does; the order in which the server gets it is not determined.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod actors;
mod checks;
mod link;
mod log;
mod model;
mod server;
mod view;
mod world;

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use futures::future::try_join_all;

use world::World;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_of_community_life_agrees_with_the_model() {
    let (seed, rounds) = (number("SEED").unwrap_or(1), number("ROUNDS").unwrap_or(120));
    let run = AssertUnwindSafe(live(seed, rounds)).catch_unwind().await;
    if let Err(panic) = run {
        println!("to repeat it: SEED={seed} ROUNDS={rounds} cargo test -p chat-server --test community");
        std::panic::resume_unwind(panic);
    }
}

async fn live(seed: u64, rounds: u64) {
    let server = server::Running::start().await;
    let (world, links) = World::new(&server).await;
    let lives = actors::all(&world, links, seed, rounds);
    // the first one that fails ends the test
    let lives = try_join_all(lives.into_iter().map(tokio::spawn)).await;
    let links = lives.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    let links = links.into_iter().flatten().collect();
    checks::all(server, &world, links).await;
}
