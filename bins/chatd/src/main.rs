//! `chatd`: a self-hosted real-time chat server. `chatd --help` lists the options.
//!
//! Imports run in one direction: `commands` → `runtime` → `cli` → `config`.

mod cli;
mod commands;
mod config;
mod runtime;

use std::io::Write;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use cli::Cli;
use config::ConfigError;

/// Chosen by measurement: see `docs/benchmarks.md`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long printing the last error may take.
const PRINT_TIMEOUT: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let outcome = match Cli::load(&arguments) {
        Ok((cli, configuration)) => commands::run(cli, &configuration),
        // `--help` and `--version` end here, too
        Err(ConfigError::Clap(error)) => error.exit(),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&format!("chatd: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Prints an error to standard error. A standard error that blocks delays the end of the process by
/// [`PRINT_TIMEOUT`] at most.
fn print_error(text: &str) {
    let (done, ended) = mpsc::channel();
    let text = text.to_owned();
    let printing = std::thread::Builder::new().spawn(move || {
        let _ = std::io::stderr().write_all(text.as_bytes());
        let _ = done.send(());
    });
    if printing.is_ok() {
        let _ = ended.recv_timeout(PRINT_TIMEOUT);
    }
}
