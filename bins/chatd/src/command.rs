//! What the program is asked to do.

use std::error::Error;

use clap::{Parser, Subcommand};

use crate::options::Options;
use crate::serve;

/// A self-hosted real-time chat server.
///
/// Every option can also be set in the environment, or in a file .env in the current folder. A flag goes before the
/// environment, the environment before .env.
#[derive(Debug, Parser)]
#[command(name = "chatd", version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server, as chatd does by itself
    Serve(Box<Options>),
}

impl Cli {
    pub(crate) fn run(self) -> Result<(), Box<dyn Error>> {
        match self.command {
            None => serve::serve(&self.options)?,
            Some(Command::Serve(options)) => serve::serve(&options)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
