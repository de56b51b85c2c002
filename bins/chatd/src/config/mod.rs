//! The configuration, from wherever it comes.

mod dotenv;
mod file;
mod help;
pub(crate) mod layers;

use clap::{ArgMatches, Command};

pub(crate) use layers::{ConfigError, USUAL_FILE};

use layers::{Layers, Origin};

/// The values of the server's options, and where they come from.
#[derive(Debug)]
pub(crate) struct Configuration {
    pub(crate) layers: Layers,
    /// Of the command line, where the options stand.
    pub(crate) matches: ArgMatches,
    pub(crate) command: Command,
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
pub(crate) const NO_SECRET: &str = "off";

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
    pub(crate) fn place(&self, name: &str) -> String {
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
pub(crate) fn is_secret(arg: &clap::Arg) -> bool {
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
