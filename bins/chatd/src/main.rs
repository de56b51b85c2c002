//! `chatd`: a self-hosted real-time chat server. `chatd --help` says what can be set.

mod certificate;
mod command;
mod descriptors;
mod listen;
mod options;
mod serve;
mod signals;

use std::process::ExitCode;

use clap::Parser;

use command::Cli;

/// Chosen by measurement: `docs/benchmarks.md`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let outcome = options::load_dotenv().map_err(Into::into).and_then(|()| Cli::parse().run());
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "for the person who started it")]
            {
                eprintln!("chatd: {error}");
            }
            ExitCode::FAILURE
        }
    }
}
