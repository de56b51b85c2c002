//! `chatd`: a self-hosted real-time chat server. `chatd --help` says what can be set.

mod options;
mod serve;

use std::process::ExitCode;

use clap::Parser;

use options::Options;

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
