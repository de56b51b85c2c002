//! What the program is asked to do.

use std::error::Error;
use std::io::{self, Write};

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::admin::Admin;
use crate::backup::{Backup, Restore};
use crate::config::{ConfigCommand, Configuration};
use crate::doctor::Doctor;
use crate::options::Options;
use crate::serve;

/// A self-hosted real-time chat server.
///
/// Every option can also be set in the environment, in a file .env in the current folder, or in a configuration file. A flag goes before
/// the environment, the environment before .env, that before the configuration file.
#[derive(Debug, Parser)]
#[command(name = "chatd", version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server, as chatd does by itself
    Serve(Box<Options>),
    /// Ask a running server, and tell it what to do
    Admin(Admin),
    /// Copy the database while the server runs, and check the copy
    Backup(Backup),
    /// Check a backup and put it in the place of the database, while no server runs
    Restore(Restore),
    /// Look at the machine for a server that is configured so, and say what to change
    Doctor(Box<Doctor>),
    /// Look at the configuration
    #[command(subcommand)]
    Config(Box<ConfigCommand>),
    /// Print what makes a shell complete the words of this command
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print the manual page: chatd man | man -l -
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
