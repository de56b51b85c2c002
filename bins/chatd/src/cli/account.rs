//! The commands under `chatd account`.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use chat_protocol::Role;
use clap::{Args, Subcommand};

use super::values::duration;
use super::{Confirmation, Target};

/// The arguments of `chatd account`: which server, and the command.
#[derive(Debug, Args)]
pub(crate) struct AccountArguments {
    #[command(flatten)]
    pub(crate) target: Target,

    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: AccountCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Create an account (asks for its password)
    ///
    /// Guests who have its name, or one that looks like it, are disconnected.
    Add {
        /// Name of the user; it can't be changed later
        username: String,
        /// What the user may do: user, moderator or admin
        #[arg(long, value_parser = role, default_value = "user")]
        role: Role,
        /// Create the account of a program
        #[arg(long)]
        service: bool,
        /// Create the account without a password: nobody can sign in until it has one
        #[arg(long, conflicts_with = "password_file")]
        no_password: bool,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// List all accounts
    List,
    /// Show an account
    Show {
        /// Name of the user
        username: String,
    },
    /// Disable an account: its sessions end, and nobody can sign in
    Disable {
        /// Name of the user
        username: String,
    },
    /// Enable an account again
    Enable {
        /// Name of the user
        username: String,
    },
    /// Set the password of an account (asks for it); its sessions end
    Password {
        /// Name of the user
        username: String,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Set what a user may do on the whole server
    Role {
        /// Name of the user
        username: String,
        /// user, moderator or admin
        #[arg(value_parser = role)]
        role: Role,
    },
    /// List the sessions and API tokens of an account, or remove all of them
    Tokens {
        /// Name of the user
        username: String,
        /// Remove all of them: the user has to sign in again on every device, and programs need
        /// new tokens
        #[arg(long)]
        remove: bool,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Delete an account; its name is kept for 90 days
    Delete {
        /// Name of the user
        username: String,
        /// Erase what the user wrote, too: messages, their copies in open reports, and reactions
        #[arg(long)]
        erase_messages: bool,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Create an invite to register, list the invites, or remove one
    Invite {
        /// How many users can register with it
        #[arg(long, value_name = "N", default_value = "1")]
        uses: NonZeroU32,
        /// How long it is valid
        #[arg(long = "for", value_name = "TIME", default_value = "7days", value_parser = duration)]
        valid_for: Duration,
        /// List the invites that can be used
        #[arg(long, conflicts_with_all = ["uses", "valid_for"])]
        list: bool,
        /// Remove the invite with this id
        #[arg(long, value_name = "ID", conflicts_with_all = ["uses", "valid_for", "list"])]
        remove: Option<String>,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

/// Where a password comes from.
#[derive(Debug, Args)]
pub(crate) struct PasswordSource {
    /// File with the password, in its first line [default: ask for it, or read the first line of
    /// the standard input if that is not a terminal]
    #[arg(long, value_name = "PATH")]
    pub(crate) password_file: Option<PathBuf>,
}

fn role(text: &str) -> Result<Role, &'static str> {
    match text {
        "user" => Ok(Role::User),
        "moderator" => Ok(Role::Moderator),
        "admin" => Ok(Role::Admin),
        _ => Err("expected user, moderator or admin"),
    }
}
