//! The layers of a configuration: flags, the environment, `.env`, a configuration file, defaults.
//!
//! This folder works on any [`clap::Command`]. It knows neither the options of chatd nor its
//! commands; [`Sources`] names what depends on the program.

mod dotenv;
mod file;
mod help;
mod layers;

use std::ffi::OsString;
use std::path::Path;

use clap::{Arg, ArgMatches, Command, CommandFactory, FromArgMatches};

use layers::{Layers, Origin, innermost};

pub(crate) use layers::options_of;

/// Where options are set, besides flags.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sources {
    /// The prefix of the environment variables.
    pub(crate) variable_prefix: &'static str,
    /// The name of the option that names the configuration file.
    pub(crate) file_option: &'static str,
    /// The configuration file that is read if no other file is named and it exists.
    pub(crate) default_file: &'static str,
}

/// The configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// All mistakes, each with its location.
    #[error("{}", .0.join("\n"))]
    Mistakes(Vec<String>),
    /// A mistake in the command line, or a request for help. Its text is for a terminal.
    #[error(transparent)]
    Clap(#[from] clap::Error),
}

/// The values of the program's options, and where each is set.
#[derive(Debug)]
pub(crate) struct Configuration {
    layers: Layers,
    /// The matches of the innermost subcommand, which has the options.
    matches: ArgMatches,
    command: Command,
}

/// One option with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) name: String,
    /// The value, written as a flag takes it. `None` if it is a secret that is set.
    pub(crate) value: Option<String>,
    pub(crate) is_secret: bool,
    pub(crate) origin: Origin,
}

/// The value of a secret that is not set.
pub(crate) const UNSET_SECRET: &str = "off";

impl Configuration {
    /// Parses the arguments of a program, together with all layers below them.
    ///
    /// # Errors
    /// Every mistake of every layer, as far as the named command uses the option.
    pub(crate) fn read<P: CommandFactory + FromArgMatches>(
        sources: Sources,
        arguments: &[OsString],
    ) -> Result<(P, Self), ConfigError> {
        let command = P::command();
        let layers = Layers::read(sources, &command, arguments)?;
        let matches = layers.under(command.clone()).try_get_matches_from(arguments)?;
        let program = P::from_arg_matches(&matches)?;
        let matches = innermost(&matches).clone();
        Ok((program, Self { layers, matches, command }))
    }

    /// All options of the program, with their values.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        let setting = |arg: Arg| {
            let (id, name) = (arg.get_id().as_str(), arg.get_long()?.to_owned());
            let mut values = self.matches.get_raw(id)?;
            let value = values.next().map(|value| without_password(&value.to_string_lossy()));
            let is_secret = is_secret(&arg);
            let value = value.filter(|value| !is_secret || value == UNSET_SECRET);
            Some(Setting { name, value, is_secret, origin: self.layers.origin(&self.matches, &arg) })
        };
        options_of(&self.command).into_iter().filter_map(setting).collect()
    }

    /// Whether no flag, variable or file sets an option.
    pub(crate) fn is_default(&self, name: &str) -> bool {
        self.option(name).is_some_and(|arg| self.layers.origin(&self.matches, &arg) == Origin::Default)
    }

    /// The location that sets an option, for a message about a mistake in its value.
    pub(crate) fn location(&self, name: &str) -> String {
        self.option(name).map_or_else(|| format!("--{name}"), |arg| self.layers.location(&self.matches, &arg))
    }

    /// The configuration file, if one was read.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.layers.file()
    }

    /// Settings in the files that are not options.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.layers.unknown(&self.command)
    }

    fn option(&self, name: &str) -> Option<Arg> {
        options_of(&self.command).into_iter().find(|arg| arg.get_long() == Some(name))
    }
}

/// Whether an option is a secret: clap does not show its value from the environment either.
pub(crate) fn is_secret(arg: &Arg) -> bool {
    arg.is_hide_env_values_set()
}

/// A URL with its password replaced by `***`. Any other text is returned unchanged.
fn without_password(text: &str) -> String {
    let hidden = text.split_once("://").and_then(|(scheme, rest)| {
        // the address of a database may have a password with any characters, by mistake
        let authority = match scheme {
            "postgres" | "postgresql" => rest.rfind('@').and_then(|at| rest.get(..=at))?,
            _ => rest.split(['/', '?', '#']).next()?,
        };
        let (_, host) = authority.rsplit_once('@')?;
        Some(format!("{scheme}://***@{host}{}", rest.get(authority.len()..)?))
    });
    hidden.unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_are_hidden() {
        assert_eq!(without_password("http://ana:secret@host:80/x?a@b"), "http://***@host:80/x?a@b");
        assert_eq!(without_password("postgres://ana:a/b@c?d@host/x"), "postgres://***@host/x");
        for other in ["http://host/x@y", "0.0.0.0:80", "a@b", "https://a.example,https://b.example"] {
            assert_eq!(without_password(other), other);
        }
    }
}
