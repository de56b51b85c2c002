//! `chat-lab`: the measurements of chatd. `chat-lab --help` describes them.

mod affinity;
mod bench;
mod cli;
mod floor;
mod server;
mod soak;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;

use cli::{Command, Options};

fn main() -> ExitCode {
    // each connection needs a file descriptor, and the soft limit is often 1,024
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let outcome = match &Options::parse().command {
        Command::Floor { listen } => floor::serve(listen).map(|()| true).map_err(Into::into),
        Command::Bench(options) => bench::run(options),
        Command::Soak(options) => soak::run(&options.plan(), options.chatd.as_deref(), options.json),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(2),
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the error of a command")]
            {
                eprintln!("chat-lab: {}", with_causes(&*error));
            }
            ExitCode::FAILURE
        }
    }
}

/// The text of an error, followed by those of its causes.
fn with_causes(error: &dyn Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
