//! The configuration, from wherever it comes.

mod docs;
mod dotenv;
mod file;
mod layers;
mod show;

use std::ffi::OsString;

use clap::{ArgMatches, Args, Command, CommandFactory, FromArgMatches, Subcommand};

use crate::command::Cli;
use crate::options::Options;
use layers::innermost;

pub(crate) use layers::{ConfigError, USUAL_FILE};

use layers::{Layers, Origin};

/// A command line that was read, with everything below it.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) cli: Cli,
    pub(crate) configuration: Configuration,
}

/// The values of the server's options, and where they come from.
#[derive(Debug)]
pub(crate) struct Configuration {
    layers: Layers,
    /// Of the command line, where the options stand.
    matches: ArgMatches,
    command: Command,
}

/// One option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) name: String,
    /// As a flag would have it; none: it is a secret.
    pub(crate) value: Option<String>,
    pub(crate) origin: Origin,
}

impl Loaded {
    /// Reads the command line and all that is below it.
    pub(crate) fn read(arguments: &[OsString]) -> Result<Self, ConfigError> {
        let command = Cli::command();
        let layers = Layers::read(&command, arguments)?;
        let matches = layers.under(command.clone()).try_get_matches_from(arguments)?;
        let cli = Cli::from_arg_matches(&matches)?;
        let matches = innermost(&matches).clone();
        Ok(Self { cli, configuration: Configuration { layers, matches, command } })
    }
}

impl Configuration {
    pub(crate) fn settings(&self) -> Vec<Setting> {
        let setting = |arg: clap::Arg| {
            let (id, name) = (arg.get_id().as_str(), arg.get_long()?.to_owned());
            let mut values = self.matches.get_raw(id)?;
            let value = values.next().map(|value| value.to_string_lossy().into_owned());
            let origin = self.layers.origin(&self.matches, id, Some(&arg));
            Some(Setting { name, value: value.filter(|_| !is_secret(&arg)), origin })
        };
        layers::options_of(&self.command).into_iter().filter_map(setting).collect()
    }

    /// What the configuration file sets and nobody knows.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.layers.unknown(&self.command)
    }
}

/// Secrets are those whose values clap is told not to show either.
fn is_secret(arg: &clap::Arg) -> bool {
    arg.is_hide_env_values_set()
}

/// What can be asked about the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Read it as the server would, and say what is wrong with it
    Check(Given),
    /// Show each value, and where it comes from
    Show {
        #[command(flatten)]
        given: Given,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Print a configuration file that sets nothing: every option with its default, to be changed
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
    /// What is wrong with the values, beyond what was wrong with each alone.
    pub(crate) fn run(&self, configuration: &Configuration) -> Result<String, Box<dyn std::error::Error>> {
        Ok(match self {
            Self::Check(given) => {
                crate::certificate::open(&given.options)?;
                show::checked(configuration)
            }
            Self::Show { json: true, .. } => show::json(configuration)?,
            Self::Show { json: false, .. } => show::table(configuration),
            Self::Defaults => docs::toml(&Cli::command()),
            Self::Docs => docs::markdown(&Cli::command()),
        })
    }
}
