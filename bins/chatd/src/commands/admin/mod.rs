//! `chatd admin ...` asks a running server, and tells it what to do.

mod client;
mod commands;
mod consent;
mod tables;
mod target;

use std::io;

use chat_admin::v1::Level;
use clap::{Args, Subcommand};

use crate::cli::secret::{Secret, TokenError};
pub(crate) use client::AskError;
use commands::Commands;
use consent::{Consent, NoConsent};
use target::{Target, TargetError};

/// Whom to ask, and what.
#[derive(Debug, Args)]
pub(crate) struct Admin {
    #[command(flatten)]
    target: Target,

    /// Print JSON
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the rooms that have members
    Rooms,
    /// List the members of a room: the 100 who joined first
    Members {
        /// Name of the room
        room: String,
        /// List all members
        #[arg(long)]
        all: bool,
    },
    /// List all connected clients, with their addresses
    Sessions,
    /// Remove a user from a room (not a ban: the user can rejoin at once)
    Kick {
        /// Name of the room
        room: String,
        /// Name of the user
        username: String,
    },
    /// Remove all members from a room; its messages stay
    CloseRoom {
        /// Name of the room
        room: String,
        #[command(flatten)]
        consent: Consent,
    },
    /// End a chat.v2 session; it can't be resumed
    CloseSession {
        /// Id of the session, as sessions lists it
        session: String,
    },
    /// Show the usage of rooms by day: members at peak, messages, and bytes of their text
    Usage {
        /// First day, for example 2026-11-28 [default: today]
        #[arg(long, value_name = "DAY")]
        from: Option<String>,
        /// Last day [default: today]
        #[arg(long, value_name = "DAY")]
        to: Option<String>,
        /// Name of a room [default: all rooms]
        #[arg(long)]
        room: Option<String>,
    },
    /// Print all messages of a user, one JSON object per line
    Export {
        /// Name of the user
        username: String,
    },
    /// Erase all messages of a user: text, name and id of each message; its number and time stay
    Erase {
        /// Name of the user
        username: String,
        #[command(flatten)]
        consent: Consent,
    },
    /// Print docs/admin.openapi.json
    #[command(hide = true)]
    Openapi,
    /// Send a notice to all users, or to all members of a room
    Notice {
        /// Name of a room [default: all rooms]
        #[arg(long)]
        room: Option<String>,
        /// Importance: info or warning
        #[arg(long, value_parser = level, default_value = "info")]
        level: Level,
        /// Text of the notice
        body: String,
    },
}

fn level(text: &str) -> Result<Level, &'static str> {
    match text {
        "info" => Ok(Level::Info),
        "warning" => Ok(Level::Warning),
        _ => Err("expected info or warning"),
    }
}

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdminError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error(transparent)]
    NoConsent(#[from] NoConsent),
    #[error(transparent)]
    Print(#[from] io::Error),
}

impl Admin {
    /// Asks, and prints what comes back.
    pub(crate) fn run(self, print: impl Fn(&str) -> io::Result<()>) -> Result<(), AdminError> {
        if matches!(self.what, What::Openapi) {
            return Ok(print(&chat_admin::v1::openapi())?);
        }
        let commands = Commands { client: self.target.client()?, json: self.json, print };
        match self.what {
            What::Openapi => Ok(()),
            What::Rooms => commands.rooms(),
            What::Members { room, all } => commands.members(&room, all),
            What::Sessions => commands.sessions(),
            What::Kick { room, username } => commands.kick(&room, &username),
            What::CloseRoom { room, consent } => commands.close_room(&room, &consent),
            What::CloseSession { session } => commands.close_session(&session),
            What::Usage { from, to, room } => commands.usage(from.as_deref(), to.as_deref(), room.as_deref()),
            What::Export { username } => commands.export(&username),
            What::Erase { username, consent } => commands.erase(&username, &consent),
            What::Notice { room, level, body } => commands.notice(room.as_deref(), level, body),
        }
    }
}
