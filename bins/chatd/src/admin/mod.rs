//! The operator's hand on the command line: `chatd admin ...` asks a running server.

mod client;
mod secret;
mod tables;

use std::path::PathBuf;

use chat_admin::v1::{Closed, Level, Members, Notice, Rooms, Sessions, Told};
use clap::{Args, Subcommand};
use http::Uri;

pub(crate) use client::AskError;
use client::Client;
pub(crate) use secret::{Secret, TokenError};

/// Whom to ask, and what.
#[derive(Debug, Args)]
pub(crate) struct Admin {
    /// Where the server's --admin-listen is
    #[arg(
        long,
        global = true,
        env = "CHATD_ADMIN_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:9000"
    )]
    url: Uri,

    /// File with the server's token
    #[arg(long, global = true, env = "CHATD_ADMIN_TOKEN_FILE", value_name = "PATH")]
    token_file: Option<PathBuf>,

    /// The token itself, in place of a file; better in the environment than in a flag, which others on the machine can read
    #[arg(long, global = true, env = "CHATD_ADMIN_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<Secret>,

    /// Print JSON, for programs
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The rooms that somebody is in
    Rooms,
    /// Who is in a room: those who came first, 100 at most
    Members { room: String },
    /// The sessions of chat.v2
    Sessions,
    /// Put somebody out of a room; it may come again
    Kick { room: String, username: String },
    /// Put everybody out of a room; what was said there stays
    CloseRoom { room: String },
    /// End a session; it can't be resumed
    CloseSession { session: String },
    /// Print docs/admin.openapi.json
    #[command(hide = true)]
    Openapi,
    /// Say something to everybody, or to everybody in a room
    Notice {
        /// Only in this room
        #[arg(long)]
        room: Option<String>,
        /// How much it matters: info or warning
        #[arg(long, value_parser = level, default_value = "info")]
        level: Level,
        body: String,
    },
}

fn level(text: &str) -> Result<Level, &'static str> {
    match text {
        "info" => Ok(Level::Info),
        "warning" => Ok(Level::Warning),
        _ => Err("info or warning"),
    }
}

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdminError {
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Ask(#[from] AskError),
}

impl Admin {
    /// Asks, and gives what is to be printed.
    pub(crate) fn run(self) -> Result<String, AdminError> {
        let token = Secret::of(self.token_file.as_deref(), self.token.as_ref())?;
        let client = Client::new(self.url, token);
        let print = Print { json: self.json };
        match self.what {
            What::Openapi => Ok(chat_admin::v1::openapi()),
            What::Rooms => print.table::<Rooms>(&client.get(&["rooms"])?, tables::rooms),
            What::Members { room } => {
                let answer = client.get(&["rooms", &room, "members"])?;
                print.table::<Members>(&answer, tables::members)
            }
            What::Sessions => {
                let answer = client.get(&["sessions"])?;
                print.table::<Sessions>(&answer, tables::sessions)
            }
            What::Kick { room, username } => {
                client.delete(&["rooms", &room, "members", &username])?;
                Ok(print.sentence(format!("{username} is out of the room {room}")))
            }
            What::CloseRoom { room } => {
                let answer = client.delete(&["rooms", &room])?;
                print.table::<Closed>(&answer, |closed| format!("closed; {} were in it", closed.members))
            }
            What::CloseSession { session } => {
                client.delete(&["sessions", &session])?;
                Ok(print.sentence(format!("the session {session} is closed")))
            }
            What::Notice { room, level, body } => {
                let path: &[&str] = match &room {
                    Some(room) => &["rooms", room, "notice"],
                    None => &["notice"],
                };
                let answer = client.post(path, &Notice { body, level })?;
                print.table::<Told>(&answer, |told| format!("said in {} rooms", told.rooms))
            }
        }
    }
}

/// How it is printed.
struct Print {
    json: bool,
}

impl Print {
    fn table<T: serde::de::DeserializeOwned>(
        &self,
        answer: &[u8],
        write: impl Fn(&T) -> String,
    ) -> Result<String, AdminError> {
        let understood = serde_json::from_slice(answer).map_err(AskError::Answer)?;
        Ok(if self.json { String::from_utf8_lossy(answer).into_owned() } else { write(&understood) })
    }

    fn sentence(&self, sentence: String) -> String {
        if self.json { "{}".to_owned() } else { sentence }
    }
}
