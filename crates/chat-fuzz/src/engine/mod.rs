//! Any commands to the engine, held against a simple model of it: of each room what was said, in which order, and who is in.

mod asking;
mod coming;
mod command;
mod house;
mod reader;
mod stay;
mod store;
mod watch;

use command::Commands;
use house::House;

/// The most commands of one run: more would find nothing that fewer do not.
const MAX_COMMANDS: usize = 1_000;

pub(crate) fn run(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let mut house = House::open().await;
        for command in Commands::new(bytes).take(MAX_COMMANDS) {
            house.obey(command).await;
        }
        house.end().await;
    });
}
