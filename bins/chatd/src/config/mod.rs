//! The configuration, from wherever it comes.

mod check;
mod docs;
mod dotenv;
mod file;
mod help;
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
    /// As a flag would have it; none: it is a secret that is set.
    pub(crate) value: Option<String>,
    pub(crate) is_secret: bool,
    pub(crate) origin: Origin,
}

/// What stands for a secret that is not set.
const NO_SECRET: &str = "off";

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
            let value = values.next().map(|value| without_password(&value.to_string_lossy()));
            let is_secret = is_secret(&arg);
            let value = value.filter(|value| !is_secret || value == NO_SECRET);
            Some(Setting { name, value, is_secret, origin: self.layers.origin(&self.matches, &arg) })
        };
        layers::options_of(&self.command).into_iter().filter_map(setting).collect()
    }

    /// Whether nothing sets an option: not a flag, not a variable, not a file.
    pub(crate) fn is_default(&self, name: &str) -> bool {
        self.option(name).is_some_and(|arg| self.layers.origin(&self.matches, &arg) == Origin::Default)
    }

    /// What a mistake in an option's value is called, with the place that sets it.
    fn place(&self, name: &str) -> String {
        self.option(name).map_or_else(|| format!("--{name}"), |arg| self.layers.place(&self.matches, &arg))
    }

    fn option(&self, name: &str) -> Option<clap::Arg> {
        layers::options_of(&self.command).into_iter().find(|arg| arg.get_long() == Some(name))
    }

    /// What the files set that there is not.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.layers.unknown(&self.command)
    }
}

/// Secrets are those whose values clap is told not to show either.
fn is_secret(arg: &clap::Arg) -> bool {
    arg.is_hide_env_values_set()
}

/// A URL without the password in it; any other text as it is.
fn without_password(text: &str) -> String {
    let hidden = text.split_once("://").and_then(|(scheme, rest)| {
        let authority = rest.split(['/', '?', '#']).next()?;
        let (_, host) = authority.rsplit_once('@')?;
        Some(format!("{scheme}://***@{host}{}", rest.get(authority.len()..)?))
    });
    hidden.unwrap_or_else(|| text.to_owned())
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_are_hidden() {
        assert_eq!(without_password("http://ana:secret@host:80/x?a@b"), "http://***@host:80/x?a@b");
        for other in ["http://host/x@y", "0.0.0.0:80", "a@b", "https://a.example,https://b.example"] {
            assert_eq!(without_password(other), other);
        }
    }
}
