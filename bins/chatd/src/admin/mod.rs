//! The operator's hand on the command line: `chatd admin ...` asks a running server.

mod client;
mod secret;
mod tables;

use std::io;
use std::path::PathBuf;

use chat_admin::v1::{Closed, Erased, Level, Members, Notice, Rooms, Said, Sessions, Told, Usage};
use clap::{Args, Subcommand};
use http::Uri;
use serde::Serialize;
use serde::de::DeserializeOwned;

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
    Members {
        room: String,
        /// All of them
        #[arg(long)]
        all: bool,
    },
    /// The sessions of chat.v2
    Sessions,
    /// Put somebody out of a room; it may come again
    Kick { room: String, username: String },
    /// Put everybody out of a room; what was said there stays
    CloseRoom { room: String },
    /// End a session; it can't be resumed
    CloseSession { session: String },
    /// How much rooms were used, day by day: members at peak, messages, and the bytes of their text
    Usage {
        /// The first day, for example 2026-11-28 [default: today]
        #[arg(long, value_name = "DAY")]
        from: Option<String>,
        /// The last day [default: today]
        #[arg(long, value_name = "DAY")]
        to: Option<String>,
        /// Of this room alone
        #[arg(long)]
        room: Option<String>,
    },
    /// Print what somebody said, in any room: a JSON object a line
    Export { username: String },
    /// Erase what somebody said, in any room: text, name and id of each message; its place and time stay
    Erase { username: String },
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
    #[error(transparent)]
    Print(#[from] io::Error),
}

impl Admin {
    /// Asks, and prints what comes back.
    pub(crate) fn run(self, print: impl Fn(&str) -> io::Result<()>) -> Result<(), AdminError> {
        let token = Secret::of(self.token_file.as_deref(), self.token.as_ref())?;
        let hand = Hand { client: Client::new(self.url, token), json: self.json, print };
        match self.what {
            What::Openapi => hand.print(&chat_admin::v1::openapi()),
            What::Rooms => hand.table::<Rooms>(&hand.client.get(&["rooms"], &[])?, tables::rooms),
            What::Members { room, all } => hand.members(&room, all),
            What::Sessions => hand.table::<Sessions>(&hand.client.get(&["sessions"], &[])?, tables::sessions),
            What::Kick { room, username } => {
                hand.client.delete(&["rooms", &room, "members", &username], &[])?;
                hand.sentence(&format!("{username} is out of the room {room}"))
            }
            What::CloseRoom { room } => {
                let answer = hand.client.delete(&["rooms", &room], &[])?;
                hand.table::<Closed>(&answer, |closed| format!("closed; {} were in it", closed.members))
            }
            What::CloseSession { session } => {
                hand.client.delete(&["sessions", &session], &[])?;
                hand.sentence(&format!("the session {session} is closed"))
            }
            What::Usage { from, to, room } => hand.usage(from.as_deref(), to.as_deref(), room.as_deref()),
            What::Export { username } => hand.export(&username),
            What::Erase { username } => hand.erase(&username),
            What::Notice { room, level, body } => {
                let path: &[&str] = match &room {
                    Some(room) => &["rooms", room, "notice"],
                    None => &["notice"],
                };
                let answer = hand.client.post(path, &Notice { body, level })?;
                hand.table::<Told>(&answer, |told| format!("said in {} rooms", told.rooms))
            }
        }
    }
}

/// Asks for more than fits one answer, and prints.
struct Hand<P> {
    client: Client,
    json: bool,
    print: P,
}

impl<P: Fn(&str) -> io::Result<()>> Hand<P> {
    fn members(&self, room: &str, all: bool) -> Result<(), AdminError> {
        let mut list = Members { members: Vec::new(), total: 0, next: None };
        self.pages(|query| {
            let page: Members = understood(&self.client.get(&["rooms", room, "members"], query)?)?;
            list.members.extend(page.members);
            (list.total, list.next) = (page.total, page.next);
            Ok(list.next.clone().filter(|_| all))
        })?;
        self.answer(&list, tables::members)
    }

    fn usage(&self, from: Option<&str>, to: Option<&str>, room: Option<&str>) -> Result<(), AdminError> {
        let asked: Vec<_> = [("from", from), ("to", to), ("room", room)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        let mut all = Usage { usage: Vec::new(), next: None };
        self.pages(|query| {
            let page: Usage = understood(&self.client.get(&["usage"], &[&asked, query].concat())?)?;
            all.usage.extend(page.usage);
            Ok(page.next)
        })?;
        self.answer(&all, |all| tables::usage(&all.usage))
    }

    fn export(&self, username: &str) -> Result<(), AdminError> {
        self.pages(|query| {
            let page: Said = understood(&self.client.get(&["users", username, "messages"], query)?)?;
            page.messages.iter().try_for_each(|message| self.print_json(message))?;
            Ok(page.next)
        })
    }

    fn erase(&self, username: &str) -> Result<(), AdminError> {
        let mut all = Erased { messages: 0, next: None };
        self.pages(|query| {
            let page: Erased = understood(&self.client.delete(&["users", username, "messages"], query)?)?;
            all.messages += page.messages;
            Ok(page.next)
        })?;
        self.answer(&all, |all| format!("{} messages erased", all.messages))
    }

    /// Asks for page after page, each with the query that the one before says comes next.
    fn pages(
        &self,
        mut page: impl FnMut(&[(&str, &str)]) -> Result<Option<String>, AdminError>,
    ) -> Result<(), AdminError> {
        let mut after = page(&[])?;
        while let Some(next) = after {
            after = page(&[("after", &next)])?;
        }
        Ok(())
    }

    /// What was put together from several answers.
    fn answer<T: Serialize>(&self, answer: &T, write: impl Fn(&T) -> String) -> Result<(), AdminError> {
        if self.json { self.print_json(answer) } else { self.print(&write(answer)) }
    }

    fn print_json(&self, value: &impl Serialize) -> Result<(), AdminError> {
        self.print(&serde_json::to_string(value).map_err(AskError::Answer)?)
    }

    fn table<T: DeserializeOwned>(
        &self,
        answer: &[u8],
        write: impl Fn(&T) -> String,
    ) -> Result<(), AdminError> {
        let answered = understood(answer)?;
        if self.json { self.print(&String::from_utf8_lossy(answer)) } else { self.print(&write(&answered)) }
    }

    fn sentence(&self, sentence: &str) -> Result<(), AdminError> {
        self.print(if self.json { "{}" } else { sentence })
    }

    fn print(&self, text: &str) -> Result<(), AdminError> {
        Ok((self.print)(text)?)
    }
}

fn understood<T: DeserializeOwned>(answer: &[u8]) -> Result<T, AdminError> {
    Ok(serde_json::from_slice(answer).map_err(AskError::Answer)?)
}
