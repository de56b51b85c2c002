//! `chatd`: a self-hosted real-time chat server. `chatd --help` says what can be set.

mod certificate;
mod descriptors;
mod options;
mod serve;

use std::process::ExitCode;

use clap::Parser;

use options::Options;

/// Chosen by measurement: `docs/benchmarks.md`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let outcome = options::load_dotenv().map_err(Into::into).and_then(|()| serve::serve(&Options::parse()));
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
