//! Where a value comes from: a flag, else the environment, else `.env`, else the configuration file, else the default.
//!
//! Clap knows flags, the environment and defaults. What the two files set is given to it as other defaults, so that one parser reads
//! a value wherever it comes from. A variable that is empty counts as one that is not set.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::error::{ContextKind, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use super::dotenv::{self, Dotenv};
use super::file::File;
use super::{help, is_secret, without_password};

/// The name of the option that names the configuration file.
const CONFIG: &str = "config";

/// The configuration file that is read where none is named, if there is one.
pub(crate) const USUAL_FILE: &str = "./chatd.toml";

/// The configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// All that is wrong, each with its place.
    #[error("{}", .0.join("\n"))]
    Mistakes(Vec<String>),
    /// Of the command line; its text is for a terminal.
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
    dotenv: Dotenv,
    file: Option<File>,
    /// The keys that a file may have.
    known: BTreeSet<String>,
}

impl Layers {
    /// Reads the files that the arguments, the environment and `.env` name, and looks at everything that the command uses of them.
    pub(crate) fn read(command: &Command, arguments: &[OsString]) -> Result<Self, ConfigError> {
        let known = options_of(command).iter().filter_map(Arg::get_long).map(str::to_owned).collect();
        let mut layers = Self { dotenv: Dotenv::read(), file: None, known };
        let matches = match without_environment(command.clone()).try_get_matches_from(arguments) {
            Ok(matches) => matches,
            Err(error) if error.kind() == ErrorKind::DisplayHelp => {
                // with the values that hold
                let command = help::shown(layers.under(command.clone()), arguments);
                return Err(command.try_get_matches_from(arguments).err().unwrap_or(error).into());
            }
            Err(error) => return Err(error.into()),
        };
        let used = used(command, &matches);
        let config = used.iter().find(|arg| arg.get_id() == CONFIG);
        let mut mistakes = std::mem::take(&mut layers.dotenv.mistakes);
        if let Some(config) = config {
            let (named, is_named) = layers.file_named(config, innermost(&matches));
            if is_named || named.exists() {
                let mut file = File::read(&named);
                mistakes.append(&mut file.mistakes);
                layers.file = Some(file);
            }
        }
        mistakes.extend(layers.mistakes(&used, innermost(&matches)));
        if mistakes.is_empty() {
            return Ok(layers);
        }
        mistakes.extend(layers.unknown(command));
        Err(ConfigError::Mistakes(mistakes))
    }

    /// The configuration file, and whether somebody has named it.
    fn file_named(&self, config: &Arg, flags: &ArgMatches) -> (PathBuf, bool) {
        if flags.value_source(CONFIG) == Some(ValueSource::CommandLine)
            && let Some(path) = flags.get_one::<PathBuf>(CONFIG)
        {
            return (path.clone(), true);
        }
        let variable = variable_of(config).unwrap_or_default();
        let named = in_environment(config).map(PathBuf::from);
        let named = named.or_else(|| self.dotenv.value(&variable).map(PathBuf::from));
        named.map_or_else(|| (Path::new(USUAL_FILE).to_owned(), false), |path| (path, true))
    }

    /// What is wrong with the values in the environment and the files, as far as the command uses them.
    fn mistakes(&self, used: &[Arg], flags: &ArgMatches) -> Vec<String> {
        let mut mistakes = Vec::new();
        for arg in used {
            let (Some(variable), Some(name)) = (variable_of(arg), arg.get_long()) else { continue };
            let is_flag = matches!(flags.try_contains_id(arg.get_id().as_str()), Ok(true))
                && flags.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
            if let Some(value) = in_environment(arg).filter(|_| !is_flag)
                && let Some(why) = refusal(arg, &value)
            {
                mistakes.push(format!("environment: {variable}: {why}"));
            }
            if let Some(value) = self.dotenv.value(&variable)
                && let Some(why) = refusal(arg, value.as_ref())
            {
                mistakes.push(format!("{}: {variable}: {why}", self.dotenv.place(&variable)));
            }
            let Some((file, key)) = self.file.as_ref().zip(self.key_of(&variable)) else { continue };
            let Some(value) = file.value(&key) else { continue };
            if name == CONFIG {
                mistakes.push(format!(
                    "{}: {key}: a configuration file can't name another one",
                    file.place(&key)
                ));
            } else if let Some(why) = refusal(arg, value.as_ref()) {
                mistakes.push(format!("{}: {key}: {why}", file.place(&key)));
            }
        }
        mistakes
    }

    /// The command with these layers as its defaults.
    pub(crate) fn under(&self, command: Command) -> Command {
        each_arg(command, &|arg| {
            let arg = match self.value_of(&arg) {
                Some(value) => arg.default_value(value.to_owned()),
                None => arg,
            };
            let is_empty = variable_of(&arg).is_some() && in_environment(&arg).is_none();
            // where it is not set at all, help should name it
            if is_empty && variable_of(&arg).is_some_and(|name| std::env::var_os(name).is_some()) {
                arg.env(Resettable::Reset)
            } else {
                arg
            }
        })
    }

    fn value_of(&self, arg: &Arg) -> Option<&str> {
        let variable = variable_of(arg)?;
        let in_file = || self.file.as_ref()?.value(&self.key_of(&variable)?);
        self.dotenv.value(&variable).or_else(in_file)
    }

    /// The key of a configuration file that sets what a variable sets. Commands may have other flags for it.
    fn key_of(&self, variable: &str) -> Option<String> {
        let key = variable.strip_prefix(dotenv::PREFIX)?.to_lowercase().replace('_', "-");
        self.known.contains(&key).then_some(key)
    }

    /// Where a value comes from.
    pub(crate) fn origin(&self, matches: &ArgMatches, arg: &Arg) -> Origin {
        let variable = variable_of(arg).unwrap_or_default();
        match matches.value_source(arg.get_id().as_str()) {
            Some(ValueSource::CommandLine) => Origin::Flag,
            Some(ValueSource::EnvVariable) => Origin::Environment(variable),
            _ if self.dotenv.value(&variable).is_some() => Origin::Dotenv(variable),
            _ => match (&self.file, self.key_of(&variable)) {
                (Some(file), Some(key)) if file.value(&key).is_some() => Origin::File(file.path.clone()),
                _ => Origin::Default,
            },
        }
    }

    /// What a mistake in a value is called, with its place.
    pub(crate) fn place(&self, matches: &ArgMatches, arg: &Arg) -> String {
        let name = arg.get_long().unwrap_or_default();
        match (self.origin(matches, arg), &self.file) {
            (Origin::Environment(variable), _) => format!("environment: {variable}"),
            (Origin::Dotenv(variable), _) => format!("{}: {variable}", self.dotenv.place(&variable)),
            (Origin::File(_), Some(file)) => format!("{}: {name}", file.place(name)),
            _ => format!("--{name}"),
        }
    }

    /// What the files set that there is not, each with the option that is nearest to it; and why `.env` is not looked at.
    pub(crate) fn unknown(&self, command: &Command) -> Vec<String> {
        let mut unknown: Vec<_> = self.dotenv.warning.clone().into_iter().collect();
        let mut variables = BTreeSet::new();
        each_arg_of(command, &mut |arg: &Arg| variables.extend(variable_of(arg)));
        let in_dotenv = self.dotenv.variables().filter(|name| !variables.contains(*name)).map(|name| {
            let nearest = nearest(name, variables.iter().map(String::as_str));
            format!("{}: there is no option {name:?}{nearest}", self.dotenv.place(name))
        });
        unknown.extend(in_dotenv);
        if let Some(file) = &self.file {
            let in_file = file.keys().filter(|key| !self.known.contains(*key)).map(|key| {
                let nearest = nearest(key, self.known.iter().map(String::as_str));
                format!("{}: there is no option {key:?}{nearest}", file.place(key))
            });
            unknown.extend(in_file);
        }
        unknown
    }

    /// The configuration file, if one was read.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_ref().map(|file| file.path.as_path())
    }
}

fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let similar = known.map(|name| (strsim::jaro_winkler(word, name), name));
    let nearest = similar.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(similarity, _)| *similarity > 0.7);
    nearest.map_or(String::new(), |(_, name)| format!("; did you mean {name}?"))
}

/// Why an option does not take a value; none: it does. A secret is not quoted.
fn refusal(arg: &Arg, value: &std::ffi::OsStr) -> Option<String> {
    let mut flag = OsString::from(format!("--{}=", arg.get_long()?));
    flag.push(value);
    let alone = Command::new("chatd").no_binary_name(true).arg(arg.clone().env(Resettable::Reset));
    let error = alone.try_get_matches_from([flag]).err()?;
    let expected = match (std::error::Error::source(&error), error.get(ContextKind::ValidValue)) {
        (Some(inner), _) => inner.to_string(),
        (None, Some(valid)) => format!("expected one of {valid}"),
        (None, None) => error.kind().to_string(),
    };
    let found = without_password(&value.to_string_lossy());
    let is_quoted = is_secret(arg) || expected.contains(&format!("{found:?}"));
    Some(if is_quoted { expected } else { format!("{expected}; found {found:?}") })
}

/// The options of the server: those arguments that have a variable.
pub(crate) fn options_of(command: &Command) -> Vec<Arg> {
    command.get_arguments().filter(|arg| variable_of(arg).is_some()).cloned().collect()
}

/// The arguments with a variable that the matched command uses: its own, and those of the commands it is in. A server's options stand with the
/// program itself, but belong to it only where there is no other command.
fn used(command: &Command, matches: &ArgMatches) -> Vec<Arg> {
    let mut used = Vec::new();
    let (mut command, mut matches) = (command, matches);
    while let Some((name, inner)) = matches.subcommand() {
        let Some(found) = command.find_subcommand(name) else { break };
        (command, matches) = (found, inner);
        used.extend(options_of(command));
    }
    if used.is_empty() && command.get_name() == "chatd" {
        used = options_of(command);
    }
    used
}

/// The command without its variables.
fn without_environment(command: Command) -> Command {
    each_arg(command, &|arg| arg.env(Resettable::Reset))
}

/// Changes every argument of a command and of the commands in it.
fn each_arg(command: Command, change: &impl Fn(Arg) -> Arg) -> Command {
    let names: Vec<_> = command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
    let command = names
        .into_iter()
        .fold(command, |command, name| command.mut_subcommand(name, |inner| each_arg(inner, change)));
    command.mut_args(change)
}

fn each_arg_of(command: &Command, look: &mut impl FnMut(&Arg)) {
    command.get_arguments().for_each(&mut *look);
    command.get_subcommands().for_each(|inner| each_arg_of(inner, &mut *look));
}

fn variable_of(arg: &Arg) -> Option<String> {
    arg.get_env().and_then(|variable| variable.to_str()).map(str::to_owned)
}

/// What the environment sets an option to.
fn in_environment(arg: &Arg) -> Option<OsString> {
    std::env::var_os(arg.get_env()?).filter(|value| !value.is_empty())
}

/// What was matched where the options stand: in the subcommand of the subcommand, if there is one.
pub(crate) fn innermost(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, inner)| innermost(inner))
}
