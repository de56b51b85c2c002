//! The commands under `chatd admin`.

use std::fmt;
use std::path::PathBuf;

use chat_admin::v1::{Join, Level, MentionRoom, Post, Visibility};
use chat_protocol::{Moderation, RoomRole};
use clap::{Args, Subcommand};
use http::Uri;

use super::{Address, DEFAULT_ADMIN_LISTEN, DEFAULT_FILE, DatabaseLocation, OrOff, Secret};

/// The arguments of `chatd admin`: which server, and the command.
#[derive(Debug, Args)]
pub(crate) struct Admin {
    #[command(flatten)]
    pub(crate) target: Target,

    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: AdminCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AdminCommand {
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
    /// Begin a new epoch at the next start, while the server is stopped
    ///
    /// Clients fetch the history again, and users sign in again. A database needs it after a
    /// restore that chatd can't recognise.
    NewEpoch(DatabaseLocation),
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
        confirmation: Confirmation,
    },
    /// Show the settings of a room, or change them
    ///
    /// Changes hold at once: users whom the settings do not admit leave the room. Asks first if
    /// users are in the room and fewer may join. Moderators and admins of the server may join and
    /// post everywhere.
    Settings {
        /// Name of the room
        room: String,
        /// What the room is called; an empty text removes it
        #[arg(long)]
        title: Option<String>,
        /// What the room is about, in Markdown; an empty text removes it
        #[arg(long)]
        topic: Option<String>,
        /// Who can find the room: public (it is in the directory), unlisted or private
        #[arg(long, value_parser = visibility)]
        visibility: Option<Visibility>,
        /// Who may join: everyone, accounts or members
        #[arg(long, value_parser = join)]
        join: Option<Join>,
        /// Who may post: everyone, accounts, members or moderators
        #[arg(long, value_parser = post)]
        post: Option<Post>,
        /// Seconds between two messages of one user; 0: no pause
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(..=86_400))]
        slow_mode: Option<u32>,
        /// Who may address everyone with @room: moderators or everyone
        #[arg(long, value_parser = mention_room)]
        mention_room: Option<MentionRoom>,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Show who has a role in a room, and who is banned or muted there or on the whole server
    Rules {
        /// Name of the room [default: the whole server]
        room: Option<String>,
    },
    /// Give a user a role in a room, or take it away
    Role {
        /// Name of the room
        room: String,
        /// Id of the user, as sessions and members list it
        user: String,
        /// The role: member, moderator, owner or none
        #[arg(value_parser = role)]
        role: RoleOrNone,
    },
    /// Kick, ban, unban, mute, unmute or warn a user in a room
    ///
    /// A ban or a mute of a guest also concerns other guests from the same address, for at most 30
    /// days. Asks before it bans.
    Moderate {
        /// Name of the room
        room: String,
        #[command(flatten)]
        act: ModerationArgs,
    },
    /// Kick, ban, unban, mute, unmute or warn a user on the whole server
    ///
    /// A banned user cannot connect any more. A ban or a mute of a guest also concerns other guests
    /// from the same address, for at most 30 days. Asks before it bans.
    ModerateServer {
        #[command(flatten)]
        act: ModerationArgs,
    },
    /// Show the messages that users have reported, newest first
    Reports {
        /// Name of a room [default: all rooms]
        #[arg(long)]
        room: Option<String>,
        /// Number of reports
        #[arg(long, value_name = "NUMBER", default_value_t = 100)]
        limit: usize,
    },
    /// Close a report: it is removed, with its copy of the message
    CloseReport {
        /// Name of the room
        room: String,
        /// Number of the report, as reports lists it
        number: u64,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Show what moderators, owners and the operator have done, newest first
    Audit {
        /// Name of a room [default: all rooms]
        #[arg(long)]
        room: Option<String>,
        /// Number of records
        #[arg(long, value_name = "NUMBER", default_value_t = 100)]
        limit: usize,
    },
    /// End a chat.v2 session; its client does not reconnect
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
        #[command(flatten)]
        author: Author,
    },
    /// Erase all messages of a user: text, user, name and id of each message; its number and time
    /// stay
    ///
    /// Also removes the reactions of the user, and erases the copies of the messages in open
    /// reports. The audit log of each room says so.
    Erase {
        #[command(flatten)]
        author: Author,
        #[command(flatten)]
        confirmation: Confirmation,
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
    /// Show the announcement to all users, make one, or withdraw it
    ///
    /// A notice is sent once. An announcement stays until it is withdrawn, also over restarts of
    /// the server: users see it when they come, too. There is one at a time.
    Announcement {
        #[command(subcommand)]
        command: Option<AnnouncementCommand>,
    },
}

/// The commands under `chatd admin announcement`.
#[derive(Debug, Subcommand)]
pub(crate) enum AnnouncementCommand {
    /// Make an announcement; asks before it replaces another one
    Set {
        /// Importance: info or warning
        #[arg(long, value_parser = level, default_value = "info")]
        level: Level,
        /// Text of the announcement, in Markdown: at most 4,096 bytes
        body: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Withdraw the announcement
    Withdraw {
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

/// The user whose messages a command is about.
#[derive(Debug, Args)]
pub(crate) struct Author {
    /// Id of the user, as sessions and members list it (g_0: the users from before users had ids)
    pub(crate) user: String,

    /// Only messages that the user sent under this name [default: any name]
    #[arg(long, value_name = "NAME")]
    pub(crate) username: Option<String>,
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.user)?;
        self.username.iter().try_for_each(|username| write!(f, " under the name {username:?}"))
    }
}

/// How a command that removes something is confirmed.
#[derive(Debug, Args)]
pub(crate) struct Confirmation {
    /// Do it without asking
    #[arg(long)]
    pub(crate) yes: bool,

    /// Only print what would be done
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
}

/// Which server to administer. The settings of the server apply to the commands, too.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// URL of the server's admin listener [default: http:// and the address of --admin-listen]
    ///
    /// http or https. An https certificate is checked against the certificates that the system
    /// trusts; SSL_CERT_FILE names a file with others. A proxy is used as HTTPS_PROXY, HTTP_PROXY
    /// and NO_PROXY say, except for a server on this machine.
    #[arg(long, global = true, env = "CHATD_ADMIN_URL", value_name = "URL")]
    pub(crate) url: Option<Uri>,

    /// Address and port of the server's admin listener
    #[arg(
        long,
        global = true,
        env = "CHATD_ADMIN_LISTEN",
        value_name = "HOST:PORT",
        default_value = DEFAULT_ADMIN_LISTEN
    )]
    pub(crate) admin_listen: OrOff<Address>,

    /// Configuration file of the server [default: chatd.toml in the current folder, if it exists]
    #[arg(long, global = true, env = "CHATD_CONFIG", value_name = "PATH", default_value = DEFAULT_FILE, hide_default_value = true)]
    config: PathBuf,

    /// File with the server's admin token
    #[arg(
        long,
        alias = "admin-token-file",
        global = true,
        env = "CHATD_ADMIN_TOKEN_FILE",
        value_name = "PATH",
        default_value = "off",
        hide_default_value = true
    )]
    pub(crate) token_file: OrOff<PathBuf>,

    /// The token itself, instead of a file
    ///
    /// Better in the environment than in a flag: other users of the machine can read the flags of a
    /// process.
    #[arg(
        long,
        alias = "admin-token",
        global = true,
        env = "CHATD_ADMIN_TOKEN",
        value_name = "TOKEN",
        default_value = "off",
        hide_default_value = true,
        hide_env_values = true
    )]
    pub(crate) token: OrOff<Secret>,
}

fn level(text: &str) -> Result<Level, &'static str> {
    match text {
        "info" => Ok(Level::Info),
        "warning" => Ok(Level::Warning),
        _ => Err("expected info or warning"),
    }
}

fn visibility(text: &str) -> Result<Visibility, &'static str> {
    let found = Visibility::ALL.into_iter().find(|visibility| visibility.name() == text);
    found.ok_or("expected public, unlisted or private")
}

fn join(text: &str) -> Result<Join, &'static str> {
    let found = Join::ALL.into_iter().find(|join| join.name() == text);
    found.ok_or("expected everyone, accounts or members")
}

fn post(text: &str) -> Result<Post, &'static str> {
    let found = Post::ALL.into_iter().find(|post| post.name() == text);
    found.ok_or("expected everyone, accounts, members or moderators")
}

fn mention_room(text: &str) -> Result<MentionRoom, &'static str> {
    let found = MentionRoom::ALL.into_iter().find(|mention_room| mention_room.name() == text);
    found.ok_or("expected moderators or everyone")
}

/// What is done to a user.
#[derive(Debug, Args)]
pub(crate) struct ModerationArgs {
    /// What to do: kick, ban, unban, mute, unmute or warn
    #[arg(value_parser = action)]
    pub(crate) action: Moderation,
    /// Id of the user, as sessions and members list it
    pub(crate) user: String,
    /// Why: it is in the audit log, and in a warning
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// For how many seconds a ban or a mute holds [default: until it is ended]
    #[arg(long = "for", value_name = "SECONDS")]
    pub(crate) for_s: Option<u64>,
    #[command(flatten)]
    pub(crate) confirmation: Confirmation,
}

/// A role, or none. (clap takes an `Option` for an argument that may be absent.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RoleOrNone(pub(crate) Option<RoomRole>);

fn role(text: &str) -> Result<RoleOrNone, &'static str> {
    let role = if text == "none" { Ok(None) } else { text.parse().map(Some) };
    role.map(RoleOrNone).map_err(|_| "expected member, moderator, owner or none")
}

fn action(text: &str) -> Result<Moderation, &'static str> {
    let found = Moderation::ALL.into_iter().find(|action| action.as_str() == text);
    found.ok_or("expected kick, ban, unban, mute, unmute or warn")
}
