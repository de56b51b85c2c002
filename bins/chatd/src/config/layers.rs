//! Where a value comes from: a flag, else the environment, else `.env`, else the configuration file, else the default.
//!
//! Clap knows flags, the environment and defaults. What the two files set is given to it as other defaults, so that one parser reads
//! a value wherever it comes from.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::error::ContextKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use super::dotenv::{self, DotenvError};
use super::file::{File, FileError};

/// The name of the option that names the configuration file.
const CONFIG: &str = "config";

/// The configuration file that is read where none is named, if there is one.
pub(crate) const USUAL_FILE: &str = "./chatd.toml";

/// The configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error(transparent)]
    Dotenv(#[from] DotenvError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{}", .0.join("\n"))]
    Values(Vec<String>),
    /// Of the command line or the environment; its text is for a terminal.
    #[error(transparent)]
    Clap(#[from] clap::Error),
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag,
    /// The variable.
    Environment(String),
    /// The variable.
    Dotenv(String),
    File(PathBuf),
    Default,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Environment(variable) => write!(f, "environment, {variable}"),
            Self::Dotenv(variable) => write!(f, ".env, {variable}"),
            Self::File(path) => path.display().fmt(f),
            Self::Default => f.write_str("default"),
        }
    }
}

/// The layers below the environment.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    dotenv: BTreeMap<String, String>,
    file: Option<File>,
}

impl Layers {
    /// Reads the files that the arguments, the environment and `.env` name.
    pub(crate) fn read(command: &Command, arguments: &[OsString]) -> Result<Self, ConfigError> {
        let mut layers = Self { dotenv: dotenv::read()?, file: None };
        let options = options_of(command);
        layers.check_dotenv(&options)?;
        let matches = layers.under(command.clone()).try_get_matches_from(arguments)?;
        let matches = innermost(&matches);
        if matches.try_contains_id(CONFIG).is_err() {
            // a command without the server's options
            return Ok(layers);
        }
        let named = matches.get_one::<PathBuf>(CONFIG).map_or(Path::new(USUAL_FILE), PathBuf::as_path);
        let is_named = layers.origin(matches, CONFIG, None) != Origin::Default;
        if is_named || named.exists() {
            let file = File::read(named)?;
            check_values(&options, &file)?;
            layers.file = Some(file);
        }
        Ok(layers)
    }

    /// The command with these layers as its defaults.
    pub(crate) fn under(&self, command: Command) -> Command {
        let names: Vec<_> = command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
        let command = names
            .into_iter()
            .fold(command, |command, name| command.mut_subcommand(name, |inner| self.under(inner)));
        command.mut_args(|arg| match self.value_of(&arg) {
            Some(value) => arg.default_value(value.to_owned()),
            None => arg,
        })
    }

    fn value_of(&self, arg: &Arg) -> Option<&str> {
        let variable = variable_of(arg)?;
        let in_file = || self.file.as_ref()?.values.get(arg.get_long()?);
        self.dotenv.get(&variable).or_else(in_file).map(String::as_str)
    }

    /// Where a value comes from.
    pub(crate) fn origin(&self, matches: &ArgMatches, id: &str, arg: Option<&Arg>) -> Origin {
        let variable = arg.and_then(variable_of).unwrap_or_else(|| format!("CHATD_{}", id.to_uppercase()));
        match matches.value_source(id) {
            Some(ValueSource::CommandLine) => Origin::Flag,
            Some(ValueSource::EnvVariable) => Origin::Environment(variable),
            _ if self.dotenv.contains_key(&variable) => Origin::Dotenv(variable),
            _ => match &self.file {
                Some(file) if file.values.contains_key(&id.replace('_', "-")) => {
                    Origin::File(file.path.clone())
                }
                _ => Origin::Default,
            },
        }
    }

    /// What the file sets that there is not, each with the option that is nearest to it.
    pub(crate) fn unknown(&self, command: &Command) -> Vec<String> {
        let Some(file) = &self.file else { return Vec::new() };
        let options = options_of(command);
        let is_unknown = |key: &&String| !options.iter().any(|arg| arg.get_long() == Some(key));
        let explain = |key: &String| {
            let similar = |arg: &Arg| {
                let name = arg.get_long()?.to_owned();
                Some((strsim::jaro_winkler(key, &name), name))
            };
            let nearest = options.iter().filter_map(similar).max_by(|a, b| a.0.total_cmp(&b.0));
            let hint = nearest
                .filter(|(similarity, _)| *similarity > 0.7)
                .map_or(String::new(), |(_, name)| format!("; {name} is near to it"));
            format!("{}: there is no option {key}{hint}", file.path.display())
        };
        file.values.keys().filter(is_unknown).map(explain).collect()
    }

    /// The configuration file, if one was read.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_ref().map(|file| file.path.as_path())
    }

    fn check_dotenv(&self, options: &[Arg]) -> Result<(), ConfigError> {
        let wrong = options.iter().filter_map(|arg| {
            let variable = variable_of(arg)?;
            let why = refusal(arg, self.dotenv.get(&variable)?)?;
            Some(format!(".env: {variable}: {why}"))
        });
        all(wrong)
    }
}

fn check_values(options: &[Arg], file: &File) -> Result<(), ConfigError> {
    let path = file.path.display();
    let wrong = options.iter().filter_map(|arg| {
        let key = arg.get_long()?;
        if key == CONFIG && file.values.contains_key(key) {
            return Some(format!("{path}: config: a configuration file can't name another one"));
        }
        let why = refusal(arg, file.values.get(key)?)?;
        Some(format!("{path}: {key}: {why}"))
    });
    all(wrong)
}

fn all(wrong: impl Iterator<Item = String>) -> Result<(), ConfigError> {
    let wrong: Vec<_> = wrong.collect();
    if wrong.is_empty() { Ok(()) } else { Err(ConfigError::Values(wrong)) }
}

/// Why an option does not take a value; none: it does.
fn refusal(arg: &Arg, value: &str) -> Option<String> {
    let flag = format!("--{}={value}", arg.get_long()?);
    let alone = Command::new("chatd").no_binary_name(true).arg(arg.clone().env(Resettable::Reset));
    let error = alone.try_get_matches_from([flag]).err()?;
    if let Some(inner) = std::error::Error::source(&error) {
        return Some(inner.to_string());
    }
    Some(match error.get(ContextKind::ValidValue) {
        Some(valid) => format!("one of {valid}"),
        None => error.kind().to_string(),
    })
}

/// The options of the server: those arguments that have a variable.
pub(crate) fn options_of(command: &Command) -> Vec<Arg> {
    command.get_arguments().filter(|arg| variable_of(arg).is_some()).cloned().collect()
}

fn variable_of(arg: &Arg) -> Option<String> {
    arg.get_env().and_then(|variable| variable.to_str()).map(str::to_owned)
}

/// What was matched where the options stand: in the subcommand of the subcommand, if there is one.
pub(crate) fn innermost(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, inner)| innermost(inner))
}
