//! The precedence of the layers: a flag, else the environment, else `.env`, else the configuration
//! file, else the default.
//!
//! Clap knows flags, the environment and defaults. The values of the two files are passed to it as
//! replaced defaults, so that one parser reads a value from any layer. An empty variable counts as
//! not set.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::error::{ContextKind, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use super::dotenv::Dotenv;
use super::file::File;
use super::{ConfigError, Sources, help, is_secret, without_password};

/// The layer that sets a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag,
    /// The environment, with the name of the variable.
    Environment(String),
    /// The file `.env`, with the name of the variable.
    Dotenv(String),
    /// The configuration file, with its path.
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
#[derive(Debug)]
pub(super) struct Layers {
    sources: Sources,
    dotenv: Dotenv,
    file: Option<File>,
    /// The keys that a configuration file may have.
    known_keys: BTreeSet<String>,
}

impl Layers {
    /// Reads `.env` and the configuration file that the arguments, the environment or `.env` name,
    /// and checks every value that the named command uses.
    pub(super) fn read(
        sources: Sources,
        command: &Command,
        arguments: &[OsString],
    ) -> Result<Self, ConfigError> {
        let known_keys = options_of(command).iter().filter_map(Arg::get_long).map(str::to_owned).collect();
        let dotenv = Dotenv::read(sources.variable_prefix);
        let mut layers = Self { sources, dotenv, file: None, known_keys };
        let matches = match without_environment(command.clone()).try_get_matches_from(arguments) {
            Ok(matches) => matches,
            Err(error) if error.kind() == ErrorKind::DisplayHelp => {
                // help shows the current values in place of the defaults
                let command = help::with_layout(layers.under(command.clone()), arguments);
                return Err(command.try_get_matches_from(arguments).err().unwrap_or(error).into());
            }
            Err(error) => return Err(error.into()),
        };
        let used = used(command, &matches);
        let config = used.iter().find(|arg| arg.get_id() == sources.file_option);
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

    /// The path of the configuration file, and whether it was named or is the default.
    fn file_named(&self, config: &Arg, flags: &ArgMatches) -> (PathBuf, bool) {
        let Sources { file_option, default_file, .. } = self.sources;
        if flags.value_source(file_option) == Some(ValueSource::CommandLine)
            && let Some(path) = flags.get_one::<PathBuf>(file_option)
        {
            return (path.clone(), true);
        }
        let variable = variable_of(config).unwrap_or_default();
        let named = in_environment(config).map(PathBuf::from);
        let named = named.or_else(|| self.dotenv.value(&variable).map(PathBuf::from));
        named.map_or_else(|| (Path::new(default_file).to_owned(), false), |path| (path, true))
    }

    /// The mistakes in the environment and the files, as far as the command uses the values.
    fn mistakes(&self, used: &[Arg], flags: &ArgMatches) -> Vec<String> {
        let mut mistakes = Vec::new();
        for arg in used {
            let (Some(variable), Some(name)) = (variable_of(arg), arg.get_long()) else { continue };
            let is_flag = matches!(flags.try_contains_id(arg.get_id().as_str()), Ok(true))
                && flags.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
            if let Some(value) = in_environment(arg).filter(|_| !is_flag)
                && let Some(reason) = rejection(arg, &value)
            {
                mistakes.push(format!("environment: {variable}: {reason}"));
            }
            if let Some(value) = self.dotenv.value(&variable)
                && let Some(reason) = rejection(arg, value.as_ref())
            {
                mistakes.push(format!("{}: {variable}: {reason}", self.dotenv.location(&variable)));
            }
            let Some((file, key)) = self.file.as_ref().zip(self.key_of(&variable)) else { continue };
            let Some(value) = file.value(&key) else { continue };
            if name == self.sources.file_option {
                mistakes.push(format!(
                    "{}: {key}: a configuration file can't name another one",
                    file.location(&key)
                ));
            } else if let Some(reason) = rejection(arg, value.as_ref()) {
                mistakes.push(format!("{}: {key}: {reason}", file.location(&key)));
            }
        }
        mistakes
    }

    /// The command with the values of these layers as its defaults.
    pub(super) fn under(&self, command: Command) -> Command {
        each_arg(command, &|arg| {
            let arg = match self.value_of(&arg) {
                Some(value) => arg.default_value(value.to_owned()),
                None => arg,
            };
            let is_empty = variable_of(&arg).is_some() && in_environment(&arg).is_none();
            // clap would take an empty value; a variable that is not set at all must stay in the
            // help
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

    /// The key of the configuration file that sets the same option as a variable. The flag may have
    /// another name in a subcommand.
    fn key_of(&self, variable: &str) -> Option<String> {
        let key = variable.strip_prefix(self.sources.variable_prefix)?.to_lowercase().replace('_', "-");
        self.known_keys.contains(&key).then_some(key)
    }

    /// The layer that sets an option.
    pub(super) fn origin(&self, matches: &ArgMatches, arg: &Arg) -> Origin {
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

    /// The location that sets an option, for a message about a mistake in its value.
    pub(super) fn location(&self, matches: &ArgMatches, arg: &Arg) -> String {
        let name = arg.get_long().unwrap_or_default();
        match (self.origin(matches, arg), &self.file) {
            (Origin::Environment(variable), _) => format!("environment: {variable}"),
            (Origin::Dotenv(variable), _) => format!("{}: {variable}", self.dotenv.location(&variable)),
            (Origin::File(_), Some(file)) => format!("{}: {name}", file.location(name)),
            _ => format!("--{name}"),
        }
    }

    /// A warning for each setting in the files that is not an option, with the most similar option,
    /// and one if `.env` can't be read.
    pub(super) fn unknown(&self, command: &Command) -> Vec<String> {
        let mut unknown: Vec<_> = self.dotenv.warning.clone().into_iter().collect();
        let mut variables = BTreeSet::new();
        each_arg_of(command, &mut |arg: &Arg| variables.extend(variable_of(arg)));
        let in_dotenv = self.dotenv.variables().filter(|name| !variables.contains(*name)).map(|name| {
            let nearest = nearest(name, variables.iter().map(String::as_str));
            format!("{}: there is no option {name:?}{nearest}", self.dotenv.location(name))
        });
        unknown.extend(in_dotenv);
        if let Some(file) = &self.file {
            let in_file = file.keys().filter(|key| !self.known_keys.contains(*key)).map(|key| {
                let nearest = nearest(key, self.known_keys.iter().map(String::as_str));
                format!("{}: there is no option {key:?}{nearest}", file.location(key))
            });
            unknown.extend(in_file);
        }
        unknown
    }

    /// The configuration file, if one was read.
    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_ref().map(|file| file.path.as_path())
    }
}

fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let similar = known.map(|name| (strsim::jaro_winkler(word, name), name));
    let nearest = similar.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(similarity, _)| *similarity > 0.7);
    nearest.map_or(String::new(), |(_, name)| format!("; did you mean {name}?"))
}

/// Why an option rejects a value; `None` if it accepts it. The value of a secret is not quoted.
fn rejection(arg: &Arg, value: &std::ffi::OsStr) -> Option<String> {
    let mut flag = OsString::from(format!("--{}=", arg.get_long()?));
    flag.push(value);
    let alone = Command::new("value").no_binary_name(true).arg(arg.clone().env(Resettable::Reset));
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

/// The options of a command: the arguments that have an environment variable.
pub(crate) fn options_of(command: &Command) -> Vec<Arg> {
    command.get_arguments().filter(|arg| variable_of(arg).is_some()).cloned().collect()
}

/// The options that the matched command uses: its own, and those of the subcommands it is in. The
/// options of the program itself are used only if there is no subcommand.
fn used(command: &Command, matches: &ArgMatches) -> Vec<Arg> {
    if matches.subcommand().is_none() {
        return options_of(command);
    }
    let mut used = Vec::new();
    let (mut command, mut matches) = (command, matches);
    while let Some((name, inner)) = matches.subcommand() {
        let Some(found) = command.find_subcommand(name) else { break };
        (command, matches) = (found, inner);
        used.extend(options_of(command));
    }
    used
}

/// The command without its environment variables.
fn without_environment(command: Command) -> Command {
    each_arg(command, &|arg| arg.env(Resettable::Reset))
}

/// Changes every argument of a command and of its subcommands.
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

/// The value of an option in the environment. An empty variable counts as not set.
fn in_environment(arg: &Arg) -> Option<OsString> {
    std::env::var_os(arg.get_env()?).filter(|value| !value.is_empty())
}

/// The matches of the innermost subcommand.
pub(super) fn innermost(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, inner)| innermost(inner))
}
