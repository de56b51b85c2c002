//! Any commands to the engine, checked against a simple model: the events of each room in order,
//! the states of its messages, and its members.

mod checker;
mod command;
mod harness;
mod joining;
mod log;
mod participant;
mod reader;
mod requests;
mod store;
mod timeline;

use command::Commands;
use harness::Harness;

/// The maximum number of commands of one run. More would find nothing that fewer do not.
const MAX_COMMANDS: usize = 1_000;

pub(crate) fn run(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let mut harness = Harness::launch().await;
        for command in Commands::new(bytes).take(MAX_COMMANDS) {
            harness.execute(command).await;
        }
        harness.finish().await;
    });
}
