//! The options that a build of chatd knows. An old build gets none that it would refuse.

use std::collections::HashSet;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::server::StartError;

/// An option of chatd, with its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flag {
    /// The names of the option, newest first: an option may have been renamed between two builds.
    pub(super) names: &'static [&'static str],
    pub(super) value: &'static str,
}

/// The options that a program lists in its help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KnownFlags(HashSet<String>);

impl KnownFlags {
    /// Runs `PROGRAM --help`, and reads the options from it.
    pub(super) fn of(program: &Path) -> Result<Self, StartError> {
        let not_started = |why: String| StartError::NotStarted(program.to_owned(), why);
        let output = Command::new(program).arg("--help").stdin(Stdio::null()).output();
        let output = output.map_err(|error| not_started(error.to_string()))?;
        if !output.status.success() {
            return Err(not_started(format!("its --help ended with {}", output.status)));
        }
        let known = Self::parse(&String::from_utf8_lossy(&output.stdout));
        if known.0.is_empty() {
            return Err(not_started("its --help lists no options".to_owned()));
        }
        Ok(known)
    }

    /// The options of a help text: names that begin with two hyphens, on lines that begin with an
    /// option.
    fn parse(help: &str) -> Self {
        let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
        let words = lines.flat_map(|line| line.split([' ', ',', '=', '[', ']', '<']));
        Self(words.filter(|word| word.len() > 2 && word.starts_with("--")).map(str::to_owned).collect())
    }

    /// The arguments for these options, each under the first name that the program knows. An
    /// option that the program does not know is left out.
    pub(super) fn arguments(&self, flags: &[Flag]) -> Vec<&'static str> {
        let known = |flag: &Flag| {
            let name = flag.names.iter().find(|name| self.0.contains(**name))?;
            Some([*name, flag.value])
        };
        flags.iter().filter_map(known).flatten().collect()
    }

    /// The options that are left out.
    pub(super) fn unknown(&self, flags: &[Flag]) -> Vec<&'static str> {
        let is_unknown = |flag: &&Flag| !flag.names.iter().any(|name| self.0.contains(*name));
        flags.iter().filter(is_unknown).filter_map(|flag| flag.names.first().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELP: &str = "\
A chat server. See --manual for more.

Usage: chatd [OPTIONS]

Options:
  -l, --listen <HOST:PORT>
          Address to listen on; like --admin-listen
      --rate=<N>
          Rate limit
  -h, --help
          Print help
";

    #[test]
    fn options_are_read_from_the_help() {
        let expected = ["--listen", "--rate", "--help"].map(str::to_owned);
        assert_eq!(KnownFlags::parse(HELP), KnownFlags(expected.into()));
    }

    #[test]
    fn an_option_is_passed_under_a_name_that_the_program_knows() {
        let known = KnownFlags::parse(HELP);
        let flags = [
            Flag { names: &["--listen"], value: "127.0.0.1:0" },
            Flag { names: &["--message-rate", "--rate"], value: "0" },
            Flag { names: &["--history"], value: "off" },
        ];
        assert_eq!(known.arguments(&flags), ["--listen", "127.0.0.1:0", "--rate", "0"]);
        assert_eq!(known.unknown(&flags), ["--history"]);
    }

    #[test]
    fn a_program_without_options_cannot_be_compared() {
        let error = KnownFlags::of(Path::new("/bin/false")).unwrap_err().to_string();
        assert!(error.contains("--help"), "{error}");
    }
}
