//! The command line.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::load::{Dialect, Flood, Pace, Plan, Trust, TrustError};
use crate::soak;

/// A load tool for chatd: fills rooms, sends messages, and says how fast they arrive, how late, what they cost the server, and
/// whether any was missed, repeated or out of order.
#[derive(Debug, Parser)]
#[command(name = "chat-load", version)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Put a running server under load
    Run(Box<Run>),
    /// Serve as the floor: a bare loop that writes one encoded frame to each socket of a room, to compare a server with
    Floor {
        /// Address and port to listen on
        #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8001")]
        listen: String,
    },
    /// Start chatd and the floor by turns, put both under the same load, and print the ratios
    Bench(Bench),
    /// Let a chatd of its own live through what servers live through, in both dialects: people who come and go, connections that break, readers
    /// that do not read, restarts, kill -9. Says whether any message was missed or came twice, and whether the memory has grown
    Soak(Soak),
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The server
    #[arg(value_name = "HOST:PORT", default_value = "127.0.0.1:8000")]
    pub(crate) server: String,

    /// PEM file with the certificates to believe: the connections are encrypted then
    #[arg(long, value_name = "FILE")]
    pub(crate) tls: Option<PathBuf>,

    /// What the clients speak
    #[arg(long, value_enum, default_value = "v2")]
    pub(crate) dialect: Dialect,

    /// Ask for compressed messages (permessage-deflate), and read them
    #[arg(long)]
    pub(crate) compression: bool,

    /// How many rooms
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = positive())]
    pub(crate) rooms: u64,

    /// Members of each room, the publishers among them
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = positive())]
    pub(crate) members: u64,

    /// Members of each room that send; with 0 the connections are idle
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    pub(crate) publishers: u64,

    /// Open loop: messages a second, by all publishers together, whatever comes back
    #[arg(long, value_name = "MESSAGES", default_value_t = 50.0, conflicts_with = "in_flight", value_parser = not_negative)]
    pub(crate) rate: f64,

    /// Closed loop: each publisher sends as soon as fewer than so many of its messages have not come back to it
    #[arg(long, value_name = "COUNT", value_parser = positive())]
    pub(crate) in_flight: Option<u64>,

    /// Bytes of a message's text
    #[arg(long, value_name = "BYTES", default_value_t = 128)]
    pub(crate) size: usize,

    /// How long to measure
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub(crate) duration: humantime::Duration,

    /// How long to send before it is measured
    #[arg(long, value_name = "TIME", default_value = "2s")]
    pub(crate) warm_up: humantime::Duration,

    /// Per cent of each room's members that stop reading when the messages begin
    #[arg(long, value_name = "PER CENT", default_value_t = 0.0, value_parser = per_cent)]
    pub(crate) deaf: f64,

    /// Measure latency at one of so many members (and at those who send), and read the others every 100 ms: the load costs less
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = positive())]
    pub(crate) sample: u64,

    /// Joins, and as many leaves, a second while messages are sent, by sessions of chat.v2 of their own
    #[arg(long, value_name = "JOINS", default_value_t = 0.0, value_parser = not_negative)]
    pub(crate) churn: f64,

    /// What others write meanwhile, as fast as they are let, into a room of their own
    #[arg(long, value_enum, value_name = "WHAT", conflicts_with = "tls")]
    pub(crate) flood: Option<Flood>,

    /// How many of them there are
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = positive())]
    pub(crate) flooders: u64,

    /// Handshakes, and then joins, that wait for an answer at the same time
    #[arg(long, value_name = "COUNT", default_value_t = 256, value_parser = positive())]
    pub(crate) at_once: u64,

    /// Threads of the load
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = positive())]
    pub(crate) threads: u64,

    /// What the names of rooms and users begin with; two runs at once need two names [default: of this process]
    #[arg(long, value_name = "TEXT")]
    pub(crate) prefix: Option<String>,

    /// The server's process on this machine, to measure its processor time and memory
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,

    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Draw latency over time into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// The chatd to measure [default: the one beside this program]
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) chatd: Option<PathBuf>,

    /// Cases whose names contain this; all without
    #[arg(value_name = "CASE")]
    pub(crate) filter: Option<String>,

    /// How long to measure each
    #[arg(long, value_name = "TIME", default_value = "5s")]
    pub(crate) duration: humantime::Duration,

    /// How often each case is measured, server and floor by turns; the median counts
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = positive())]
    pub(crate) rounds: u64,

    /// The processor that the server runs on, and the one of the load
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) server_processor: usize,
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) load_processor: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Soak {
    /// The chatd to soak [default: the one beside this program]
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) chatd: Option<PathBuf>,

    /// How long
    #[arg(long, value_name = "TIME", default_value = "30m")]
    pub(crate) duration: humantime::Duration,

    /// How many rooms
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) rooms: u16,

    /// Members of each room that speak chat.v2
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u16).range(4..))]
    pub(crate) members: u16,

    /// Members of each room that speak the classic dialect
    #[arg(long, value_name = "COUNT", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..1_000))]
    pub(crate) classic: u16,

    /// Messages a second in all
    #[arg(long, value_name = "MESSAGES", default_value_t = 300.0, value_parser = more_than_nothing)]
    pub(crate) rate: f64,

    /// Bytes of a message's text
    #[arg(long, value_name = "BYTES", default_value_t = 1_024)]
    pub(crate) size: usize,

    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Soak {
    pub(crate) fn plan(&self) -> soak::Plan {
        soak::Plan {
            rooms: usize::from(self.rooms),
            members: usize::from(self.members),
            classic: usize::from(self.classic),
            deaf: usize::from(self.rooms.div_ceil(2)),
            guests: usize::from(self.rooms),
            rate: self.rate,
            size: self.size,
            duration: Duration::from(self.duration).max(Duration::from_secs(1)),
        }
    }
}

fn more_than_nothing(text: &str) -> Result<f64, String> {
    not_negative(text)
        .and_then(|number| if number > 0.0 { Ok(number) } else { Err("more than nothing".into()) })
}

fn positive() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..)
}

fn not_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        Ok(_) => Err("a number that is not negative".into()),
        Err(error) => Err(error.to_string()),
    }
}

fn per_cent(text: &str) -> Result<f64, String> {
    not_negative(text).and_then(|number| if number <= 100.0 { Ok(number) } else { Err("at most 100".into()) })
}

/// What was asked for can't be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    #[error("{0} is no address of a server: {1}")]
    NoAddress(String, String),
    #[error("of {members} members {publishers} can't be publishers{and_deaf}")]
    TooManyPublishers { members: usize, publishers: usize, and_deaf: String },
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("a room can have at most 65536 publishers")]
    TooMany,
}

impl Run {
    pub(crate) fn plan(&self) -> Result<Plan, PlanError> {
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let (members, publishers) = (number(self.members), number(self.publishers));
        let deaf = (members as f64 * self.deaf / 100.0).round() as usize;
        if publishers + deaf > members {
            let and_deaf = if deaf > 0 { format!(" with {deaf} that do not read") } else { String::new() };
            return Err(PlanError::TooManyPublishers { members, publishers, and_deaf });
        }
        if publishers > usize::from(u16::MAX) + 1 {
            return Err(PlanError::TooMany);
        }
        let trust = self.tls.as_deref().map(|file| Trust::read(file, host(&self.server))).transpose()?;
        Ok(Plan {
            server: resolve(&self.server)?,
            trust,
            host: self.server.clone(),
            dialect: self.dialect,
            compression: self.compression,
            prefix: self.prefix.clone().unwrap_or_else(|| format!("load{}", std::process::id())),
            rooms: number(self.rooms),
            members,
            publishers,
            deaf,
            sample: number(self.sample),
            pace: self.in_flight.map_or(Pace::Rate(self.rate), |count| Pace::InFlight(number(count))),
            size: self.size,
            churn: self.churn,
            flood: self.flood,
            flooders: number(self.flooders),
            at_once: number(self.at_once),
            warm_up: Duration::from(self.warm_up),
            duration: Duration::from(self.duration).max(Duration::from_millis(100)),
            threads: number(self.threads),
        })
    }
}

/// Name and port. A `ws://` or the like before them and a path behind them are left out.
fn authority(server: &str) -> &str {
    let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

/// The name alone.
fn host(server: &str) -> &str {
    let authority = authority(server);
    authority.rsplit_once(':').map_or(authority, |(host, _)| host).trim_matches(['[', ']'])
}

/// The first address of a name.
fn resolve(server: &str) -> Result<SocketAddr, PlanError> {
    let name = authority(server);
    let no_address = |why: String| PlanError::NoAddress(server.to_owned(), why);
    let mut found = name.to_socket_addrs().map_err(|error| no_address(error.to_string()))?;
    found.next().ok_or_else(|| no_address("the name has no address".to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn run(arguments: &[&str]) -> Result<Plan, PlanError> {
        let all = [&["chat-load", "run"][..], arguments].concat();
        let Command::Run(run) = Options::parse_from(all).command else { panic!("another command") };
        run.plan()
    }

    #[test]
    fn the_command_line_is_sound() {
        Options::command().debug_assert();
    }

    #[test]
    fn a_server_may_be_an_address_or_a_url() {
        for server in ["127.0.0.1:9000", "ws://127.0.0.1:9000/ws", "http://127.0.0.1:9000"] {
            assert_eq!(run(&[server]).unwrap().server, "127.0.0.1:9000".parse().unwrap());
        }
        assert!(matches!(run(&["nowhere"]), Err(PlanError::NoAddress(..))));
    }

    #[test]
    fn publishers_read() {
        let plan = run(&["--members", "100", "--publishers", "95", "--deaf", "5"]).unwrap();
        assert_eq!((plan.publishers, plan.deaf), (95, 5));
        let error = run(&["--members", "100", "--publishers", "96", "--deaf", "5"]).unwrap_err();
        assert_eq!(error.to_string(), "of 100 members 96 can't be publishers with 5 that do not read");
    }

    #[test]
    fn the_loop_is_open_or_closed() {
        assert_eq!(run(&["--rate", "10"]).unwrap().pace, Pace::Rate(10.0));
        assert_eq!(run(&["--in-flight", "8"]).unwrap().pace, Pace::InFlight(8));
        assert!(Options::try_parse_from(["chat-load", "run", "--in-flight", "8", "--rate", "1"]).is_err());
        assert!(Options::try_parse_from(["chat-load", "run", "--rate", "-1"]).is_err());
    }
}
