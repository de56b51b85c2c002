//! The command line.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use chat_load::connection::{Trust, TrustError};
use chat_load::format::counted;
use chat_load::{Dialect, Flood, LoopMode, Plan};
use clap::{Args, Parser, Subcommand};

/// A load tool for chatd. It fills rooms, sends messages, and reports throughput, latency, the CPU
/// time and memory of the server, and every message that was lost, duplicated or out of order.
#[derive(Debug, Parser)]
#[command(name = "chat-load", version)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Load-test a running server
    ///
    /// Exit code: 0 if every message arrived once and in order, 2 if not, 1 if the test could not
    /// run.
    Run(Box<Run>),
}

/// How long each of several addresses of a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Headings of `--help`.
const LOAD: &str = "Load";
const MEASUREMENT: &str = "Measurement";
const CONNECTION: &str = "Connection";
const OUTPUT: &str = "Output";
const DISTURBANCE: &str = "Disturbance";

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Address and port of the server
    #[arg(value_name = "HOST:PORT", default_value = "127.0.0.1:8000")]
    pub(crate) server: String,

    /// Encrypt the connections, and trust the certificates in this PEM file
    #[arg(long, value_name = "FILE", help_heading = CONNECTION)]
    pub(crate) tls: Option<PathBuf>,

    /// Dialect of the clients
    #[arg(long, value_enum, default_value = "v2", help_heading = CONNECTION)]
    pub(crate) dialect: Dialect,

    /// Negotiate compressed messages (permessage-deflate)
    #[arg(long, help_heading = CONNECTION)]
    pub(crate) compression: bool,

    /// Number of rooms
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = positive(), help_heading = LOAD)]
    pub(crate) rooms: u64,

    /// Members of each room, senders included
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = positive(), help_heading = LOAD)]
    pub(crate) members: u64,

    /// Senders in each room (0: all connections are idle)
    #[arg(long, value_name = "COUNT", default_value_t = 1, help_heading = LOAD)]
    pub(crate) publishers: u64,

    /// Open loop: messages per second, all senders together, whatever the server does
    #[arg(long, value_name = "MESSAGES", default_value_t = 50.0, conflicts_with = "in_flight", value_parser = not_negative, help_heading = LOAD)]
    pub(crate) rate: f64,

    /// Closed loop: keep N messages of each sender in flight; a message is in flight until its
    /// sender receives it
    #[arg(long, value_name = "N", value_parser = positive(), help_heading = LOAD)]
    pub(crate) in_flight: Option<u64>,

    /// Size of the text of a message
    #[arg(long, value_name = "BYTES", default_value_t = 128, help_heading = LOAD)]
    pub(crate) size: usize,

    /// How long to measure
    #[arg(long, value_name = "TIME", default_value = "10s", help_heading = MEASUREMENT)]
    pub(crate) duration: humantime::Duration,

    /// How long to send before the measurement begins
    #[arg(long, value_name = "TIME", default_value = "2s", help_heading = MEASUREMENT)]
    pub(crate) warm_up: humantime::Duration,

    /// Percentage of the members of each room that stop reading when the messages begin
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = percentage, help_heading = DISTURBANCE)]
    pub(crate) stalled_readers: f64,

    /// Measure latency at one of N members, and at the senders; read the others every 100 ms, which
    /// uses less CPU time here
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = positive(), help_heading = MEASUREMENT)]
    pub(crate) sample: u64,

    /// Joins per second, and as many leaves, by extra sessions while messages are sent
    #[arg(long, value_name = "JOINS", default_value_t = 0.0, value_parser = not_negative, help_heading = DISTURBANCE)]
    pub(crate) churn: f64,

    /// Flood a room of its own with these frames, as fast as the server reads them, while the
    /// others are measured
    #[arg(long, value_enum, value_name = "FRAMES", conflicts_with = "tls", help_heading = DISTURBANCE)]
    pub(crate) flood: Option<Flood>,

    /// Number of clients that flood
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = positive(), help_heading = DISTURBANCE)]
    pub(crate) flood_clients: u64,

    /// Number of handshakes, and then of joins, in flight at the same time
    #[arg(long, value_name = "COUNT", default_value_t = 256, value_parser = positive(), help_heading = CONNECTION)]
    pub(crate) concurrency: u64,

    /// Number of threads of the load
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = positive(), help_heading = MEASUREMENT)]
    pub(crate) threads: u64,

    /// Prefix of the names of rooms and users; two tests at once need two prefixes [default: from
    /// the process id]
    #[arg(long, value_name = "TEXT", help_heading = LOAD)]
    pub(crate) prefix: Option<String>,

    /// Process id of the server on this machine, to measure its CPU time and memory
    #[arg(long, value_name = "PID", help_heading = MEASUREMENT)]
    pub(crate) pid: Option<u32>,

    /// Print the report as JSON
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) json: bool,

    /// Write a chart of the latency over time to this file
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub(crate) svg: Option<PathBuf>,
}

fn positive() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..)
}

fn not_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        Ok(_) => Err("the number must be 0 or greater".into()),
        Err(_) => Err("this is not a number".into()),
    }
}

fn percentage(text: &str) -> Result<f64, String> {
    not_negative(text).and_then(|number| {
        if number <= 100.0 { Ok(number) } else { Err("the number must be at most 100".into()) }
    })
}

/// The options contradict each other, or name something that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    #[error("\"{0}\" is not the address of a server: {1}; write HOST:PORT, for example 127.0.0.1:8000")]
    InvalidAddress(String, String),
    #[error(
        "a room of {members} is too small for {} that {}{and_stalled}; raise --members or lower --publishers",
        counted(*publishers, "member"), if *publishers == 1 { "sends" } else { "send" }
    )]
    TooManyPublishers { members: usize, publishers: usize, and_stalled: String },
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("--publishers is at most 65536 for each room")]
    PublisherLimit,
}

impl Run {
    pub(crate) fn plan(&self) -> Result<Plan, PlanError> {
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let (members, publishers) = (number(self.members), number(self.publishers));
        let stalled_readers = (members as f64 * self.stalled_readers / 100.0).round() as usize;
        if publishers + stalled_readers > members {
            let and_stalled = if stalled_readers > 0 {
                format!(" and {stalled_readers} that read nothing")
            } else {
                String::new()
            };
            return Err(PlanError::TooManyPublishers { members, publishers, and_stalled });
        }
        if publishers > usize::from(u16::MAX) + 1 {
            return Err(PlanError::PublisherLimit);
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
            stalled_readers,
            sample: number(self.sample),
            mode: self.in_flight.map_or(LoopMode::Open(self.rate), |count| LoopMode::Closed(number(count))),
            size: self.size,
            churn: self.churn,
            flood: self.flood,
            flood_clients: number(self.flood_clients),
            concurrency: number(self.concurrency),
            warm_up: Duration::from(self.warm_up),
            duration: Duration::from(self.duration).max(Duration::from_millis(100)),
            threads: number(self.threads),
        })
    }
}

/// The host name and the port, without a scheme before them and a path after them.
fn authority(server: &str) -> &str {
    let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

/// The host name without the port.
fn host(server: &str) -> &str {
    let authority = authority(server);
    authority.rsplit_once(':').map_or(authority, |(host, _)| host).trim_matches(['[', ']'])
}

/// Resolves the address of a server. A name may have several addresses (`localhost` is often `::1`
/// and `127.0.0.1`): the first one with a server is used.
fn resolve(server: &str) -> Result<SocketAddr, PlanError> {
    let name = authority(server);
    let invalid = |why: String| PlanError::InvalidAddress(server.to_owned(), why);
    let found: Vec<_> = name.to_socket_addrs().map_err(|error| invalid(error.to_string()))?.collect();
    let listens = |address: &&SocketAddr| TcpStream::connect_timeout(address, CONNECT_TIMEOUT).is_ok();
    let chosen = match &found[..] {
        [one] => Some(one),
        several => several.iter().find(listens).or(several.first()),
    };
    chosen.copied().ok_or_else(|| invalid("the name does not resolve".to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn run(arguments: &[&str]) -> Result<Plan, PlanError> {
        let all = [&["chat-load", "run"][..], arguments].concat();
        let Command::Run(run) = Options::parse_from(all).command;
        run.plan()
    }

    #[test]
    fn the_command_line_is_valid() {
        Options::command().debug_assert();
    }

    #[test]
    fn a_server_may_be_an_address_or_a_url() {
        for server in ["127.0.0.1:9000", "ws://127.0.0.1:9000/ws", "http://127.0.0.1:9000"] {
            assert_eq!(run(&[server]).unwrap().server, "127.0.0.1:9000".parse().unwrap());
        }
        assert!(matches!(run(&["nowhere"]), Err(PlanError::InvalidAddress(..))));
    }

    #[test]
    fn publishers_do_not_stall() {
        let plan = run(&["--members", "100", "--publishers", "95", "--stalled-readers", "5"]).unwrap();
        assert_eq!((plan.publishers, plan.stalled_readers), (95, 5));
        let error = run(&["--members", "100", "--publishers", "96", "--stalled-readers", "5"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a room of 100 is too small for 96 members that send and 5 that read nothing; raise --members or lower --publishers"
        );
    }

    #[test]
    fn the_loop_is_open_or_closed() {
        assert_eq!(run(&["--rate", "10"]).unwrap().mode, LoopMode::Open(10.0));
        assert_eq!(run(&["--in-flight", "8"]).unwrap().mode, LoopMode::Closed(8));
        assert!(Options::try_parse_from(["chat-load", "run", "--in-flight", "8", "--rate", "1"]).is_err());
        assert!(Options::try_parse_from(["chat-load", "run", "--rate", "-1"]).is_err());
    }
}
