//! The command line of chatd: its commands, its options and their values.
//!
//! This folder only describes and parses. What a command does is in `commands`.

mod account;
mod admin;
mod database;
mod log_filter;
mod migrate_database;
mod options;
mod secret;
mod text;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::config::{ConfigError, Configuration, Sources};

pub(crate) use account::{AccountArguments, AccountCommand, PasswordSource};
pub(crate) use admin::{
    Admin, AdminCommand, AnnouncementCommand, Author, Confirmation, ModerationArgs, Target,
};
pub(crate) use database::{Database, DatabaseUrlError, PostgresUrl};
pub(crate) use log_filter::LogFilter;
pub(crate) use migrate_database::MigrateDatabase;
pub(crate) use options::{DEFAULT_ADMIN_LISTEN, FilterFileError, JwtOptionsError, Options, reloadable};
pub(crate) use secret::{Secret, TokenError};
pub(crate) use text::plural;
pub(crate) use values::{Address, LogFormat, MemoryLimit, OrOff, Switch};

/// The configuration file that is read if no other file is named and it exists.
const DEFAULT_FILE: &str = "./chatd.toml";

/// Where chatd's options are set, besides its flags.
const SOURCES: Sources =
    Sources { variable_prefix: "CHATD_", file_option: "config", default_file: DEFAULT_FILE };

/// A self-hosted real-time chat server.
///
/// Options can be set, in order of precedence, by flag, environment variable, .env file in the
/// current folder, or configuration file.
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
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server (the same as chatd without a command)
    Serve(Box<Options>),
    /// Administer a running server: list rooms and sessions, kick users, send notices
    ///
    /// Commands that remove what no other command brings back, ban a user, or remove several users
    /// from a room ask before they do it. Without a terminal they need --yes; --dry-run prints what
    /// would be done.
    Admin(Admin),
    /// Manage the accounts of a running server: add, list, disable, invite
    ///
    /// Commands that remove what no other command brings back ask before they do it. Without a
    /// terminal they need --yes; --dry-run prints what would be done.
    Account(AccountArguments),
    /// Back up the database while the server runs, and check the backup
    Backup(Backup),
    /// Check a backup and replace the database with it, while the server is stopped
    Restore(Restore),
    /// Copy the database to PostgreSQL or back, while the server is stopped
    ///
    /// The new database has to be empty. The same command continues a copy that was interrupted. At
    /// the end all rows of both databases are compared.
    MigrateDatabase(MigrateDatabase),
    /// Manage the index for searches, while the server is stopped
    #[command(subcommand)]
    Search(SearchCommand),
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

/// The arguments of `chatd backup`.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    #[command(flatten)]
    pub(crate) location: DatabaseLocation,

    /// The new file
    pub(crate) to: PathBuf,
}

/// The arguments of `chatd restore`.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    pub(crate) location: DatabaseLocation,

    /// The backup
    pub(crate) from: PathBuf,
}

/// The commands of `chatd search`.
#[derive(Debug, Subcommand)]
pub(crate) enum SearchCommand {
    /// Build the index from the messages in the database
    Rebuild(DatabaseLocation),
}

/// Where the database is. The settings of the server apply to the commands, too.
#[derive(Debug, Args)]
pub(crate) struct DatabaseLocation {
    /// The server's database: a file, or a PostgreSQL server
    #[arg(long, env = "CHATD_DATABASE", value_name = "PATH|URL", default_value = "./chatd.sqlite3")]
    pub(crate) database: Database,

    /// File with the password for PostgreSQL
    #[arg(
        long,
        env = "CHATD_DATABASE_PASSWORD_FILE",
        value_name = "PATH",
        default_value = "off",
        hide_default_value = true
    )]
    pub(crate) database_password_file: OrOff<PathBuf>,

    /// Configuration file of the server [default: chatd.toml in the current folder, if it exists]
    #[arg(long, env = "CHATD_CONFIG", value_name = "PATH", default_value = DEFAULT_FILE, hide_default_value = true)]
    config: PathBuf,
}

/// The arguments of `chatd doctor`: the options of the server to check for, and how to check.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) options: Options,

    /// Process id of a running server: check its limits instead of this shell's
    #[arg(long, value_name = "PID", help_heading = "Doctor")]
    pub(crate) pid: Option<u32>,

    /// Print JSON
    #[arg(long, help_heading = "Doctor")]
    pub(crate) json: bool,
}

/// The commands under `chatd config`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check the configuration and list all mistakes
    Check(ServerOptions),
    /// Show the value of each option, and where it is set
    Show {
        #[command(flatten)]
        server: ServerOptions,
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

/// The options of the server, which the command examines.
#[derive(Debug, Args)]
pub(crate) struct ServerOptions {
    #[command(flatten)]
    pub(crate) options: Options,
}

impl Cli {
    /// Parses the arguments, together with the environment and the files that set options.
    pub(crate) fn load(arguments: &[OsString]) -> Result<(Self, Configuration), ConfigError> {
        Configuration::read(SOURCES, arguments)
    }

    /// The options of the server, with or without the command `serve`.
    pub(crate) fn options(&self) -> &Options {
        match &self.command {
            Some(Command::Serve(options)) => options,
            _ => &self.options,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
