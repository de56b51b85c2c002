//! `chatd`: a self-hosted real-time chat server. `chatd --help` lists the options.

mod cli;
mod commands;
mod config;
mod runtime;

use std::process::ExitCode;

use cli::Loaded;
use commands::refusal;
use config::ConfigError;

/// Chosen by measurement: `docs/benchmarks.md`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let outcome = match Loaded::read(&arguments) {
        Ok(Loaded { cli, configuration }) => cli.run(&configuration),
        // help and the version are among them
        Err(ConfigError::Clap(error)) => error.exit(),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            refusal::print(&format!("chatd: {error}\n"));
            ExitCode::FAILURE
        }
    }
}
