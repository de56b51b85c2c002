//! `chatd config ...`.

mod check;
mod docs;
mod show;

use clap::{Args, CommandFactory, Subcommand};

use crate::cli::Cli;
use crate::cli::options::Options;
use crate::config::Configuration;

/// What can be asked about the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check the configuration and list all mistakes
    Check(Given),
    /// Show the value of each option, and where it is set
    Show {
        #[command(flatten)]
        given: Given,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a configuration file with every option commented out and set to its default
    Defaults,
    /// Print docs/configuration.md
    #[command(hide = true)]
    Docs,
}

/// The options of the server, looked at and not used.
#[derive(Debug, Args)]
pub(crate) struct Given {
    #[command(flatten)]
    options: Options,
}

impl ConfigCommand {
    /// Does it, and gives what is to be printed.
    ///
    /// # Errors
    /// What is wrong with the values, beyond what was wrong with the text of each.
    pub(crate) fn run(&self, configuration: &Configuration) -> Result<String, Box<dyn std::error::Error>> {
        Ok(match self {
            Self::Check(given) => {
                check::check(&given.options, configuration)?;
                show::checked(configuration)
            }
            Self::Show { json: true, .. } => show::json(configuration)?,
            Self::Show { json: false, .. } => show::table(configuration),
            Self::Defaults => docs::toml(&Cli::command()),
            Self::Docs => docs::markdown(&Cli::command()),
        })
    }
}
