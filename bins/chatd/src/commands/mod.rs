//! The commands. Each has a file or a folder of its own.

mod account;
mod admin;
mod backup;
mod config;
mod doctor;
mod migrate_database;
mod search;
mod serve;

use std::error::Error;
use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::{Cli, Command};
use crate::config::Configuration;

/// Runs the command that the command line names; without one, the server.
pub(crate) fn run(cli: Cli, configuration: &Configuration) -> Result<(), Box<dyn Error>> {
    match cli.command {
        None | Some(Command::Serve(_)) => serve::run(cli.options(), configuration)?,
        Some(Command::Account(arguments)) => account::run(arguments, print)?,
        Some(Command::Admin(admin)) => admin::run(admin, print)?,
        Some(Command::Backup(arguments)) => print(&backup::back_up(&arguments)?)?,
        Some(Command::Restore(arguments)) => print(&backup::restore(&arguments)?)?,
        Some(Command::MigrateDatabase(arguments)) => print(&migrate_database::run(&arguments)?)?,
        Some(Command::Search(command)) => print(&search::run(&command)?)?,
        Some(Command::Doctor(arguments)) => doctor::run(&arguments, print)?,
        Some(Command::Config(command)) => print(&config::run(&command, configuration)?)?,
        Some(Command::Completions { shell }) => print(&completions(shell))?,
        Some(Command::Man) => print(&manual_page()?)?,
    }
    Ok(())
}

fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "chatd", &mut script);
    String::from_utf8_lossy(&script).trim_end().to_owned()
}

fn manual_page() -> io::Result<String> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).trim_end().to_owned())
}

/// Prints the result of a command. A reader that has closed its end of the pipe, such as `head`, is
/// not an error.
fn print(text: &str) -> io::Result<()> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}
