//! `chatd config`: checks, shows and documents the configuration.

mod check;
mod docs;
mod show;

use std::error::Error;

use clap::CommandFactory;

use crate::cli::{Cli, ConfigCommand};
use crate::config::Configuration;

/// Runs the command and returns what to print.
///
/// # Errors
/// What is wrong with the values, beyond the syntax of each.
pub(crate) fn run(command: &ConfigCommand, configuration: &Configuration) -> Result<String, Box<dyn Error>> {
    Ok(match command {
        ConfigCommand::Check(server) => {
            check::check(&server.options, configuration)?;
            show::checked(configuration)
        }
        ConfigCommand::Show { json: true, .. } => show::json(configuration)?,
        ConfigCommand::Show { json: false, .. } => show::table(configuration),
        ConfigCommand::Defaults => docs::toml(&Cli::command()),
        ConfigCommand::Docs => docs::markdown(&Cli::command()),
    })
}
