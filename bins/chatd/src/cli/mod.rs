//! What the program is asked to do.

pub(crate) mod log_filter;
pub(crate) mod options;
pub(crate) mod secret;
pub(crate) mod text;
mod values;

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;

use crate::cli::options::Options;
use crate::commands::admin::Admin;
use crate::commands::backup::{Backup, Restore};
use crate::commands::config::ConfigCommand;
use crate::commands::doctor::Doctor;
use crate::commands::serve;
use crate::config::layers::{Layers, innermost};
use crate::config::{ConfigError, Configuration};

/// A self-hosted real-time chat server.
///
/// Options can be set, in order of precedence, by flag, environment variable, .env file in the current folder, or configuration file.
#[derive(Debug, Parser)]
#[command(
    name = "chatd",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "These are the options that are set most often. --help lists all options, with their environment variables.",
    after_long_help = "chatd config defaults prints all options as a configuration file."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server (the same as chatd without a command)
    Serve(Box<Options>),
    /// Administer a running server: list rooms and sessions, kick users, send notices
    Admin(Admin),
    /// Back up the database while the server runs, and check the backup
    Backup(Backup),
    /// Check a backup and replace the database with it, while the server is stopped
    Restore(Restore),
    /// Check whether this machine is ready to run the server, and say what to change
    Doctor(Box<Doctor>),
    /// Check or show the configuration
    #[command(subcommand)]
    Config(Box<ConfigCommand>),
    /// Print completions for a shell
    Completions {
        /// Name of the shell
        shell: Shell,
    },
    /// Print the manual page (read it with: chatd man | man -l -)
    Man,
}

impl Cli {
    /// What the server is to be like, where it is to be run.
    pub(crate) fn options(&self) -> &Options {
        match &self.command {
            Some(Command::Serve(options)) => options,
            _ => &self.options,
        }
    }

    pub(crate) fn run(self, configuration: &Configuration) -> Result<(), Box<dyn Error>> {
        match self.command {
            None => serve::serve(&self.options, configuration)?,
            Some(Command::Serve(options)) => serve::serve(&options, configuration)?,
            Some(Command::Admin(admin)) => admin.run(print)?,
            Some(Command::Backup(backup)) => print(&backup.run()?)?,
            Some(Command::Restore(restore)) => print(&restore.run()?)?,
            Some(Command::Doctor(doctor)) => doctor.run(print)?,
            Some(Command::Config(command)) => print(&command.run(configuration)?)?,
            Some(Command::Completions { shell }) => print(&completions(shell))?,
            Some(Command::Man) => print(&manual()?)?,
        }
        Ok(())
    }
}

/// A command line that was read, with everything below it.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) cli: Cli,
    pub(crate) configuration: Configuration,
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

fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "chatd", &mut script);
    String::from_utf8_lossy(&script).trim_end().to_owned()
}

fn manual() -> io::Result<String> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).trim_end().to_owned())
}

/// What was asked for. A reader that has seen enough is no error.
fn print(text: &str) -> io::Result<()> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
