//! `chat-lab`: what chatd is measured by. `chat-lab --help` says what it does.

mod affinity;
mod bench;
mod cli;
mod floor;
mod server;
mod soak;

use std::process::ExitCode;

use clap::Parser;

use cli::{Command, Options};

fn main() -> ExitCode {
    // connections are files, and there are often more than the soft limit of 1,024
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let outcome = match &Options::parse().command {
        Command::Floor { listen } => floor::serve(listen).map(|()| true).map_err(Into::into),
        Command::Bench(options) => bench::run(options),
        Command::Soak(options) => soak::run(options),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(2),
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "for the person who started it")]
            {
                eprintln!("chat-lab: {error}");
            }
            ExitCode::FAILURE
        }
    }
}
