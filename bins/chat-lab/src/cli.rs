//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::soak;

/// Measures chatd: against the floor, and over hours of everything that a server meets.
#[derive(Debug, Parser)]
#[command(name = "chat-lab", version)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the floor: a bare loop that writes one encoded frame to each socket of a room, as a base for comparison
    Floor {
        /// Address and port to listen on
        #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8001")]
        listen: String,
    },
    /// Compare chatd with the floor: start them in turn, put both under the same load, and print the ratios
    Bench(Bench),
    /// Run a chatd for hours under everything that a server meets, in both dialects
    ///
    /// Clients join and leave, connections break, readers stop reading, and the server is restarted and killed. The report says
    /// whether a message was lost or duplicated, and whether the memory has grown.
    Soak(Soak),
}

/// Headings of `--help`.
const LOAD: &str = "Load";
const MEASUREMENT: &str = "Measurement";
const OUTPUT: &str = "Output";

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Path of chatd [default: beside chat-lab]
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) chatd: Option<PathBuf>,

    /// Run only the cases whose names contain this text
    #[arg(value_name = "CASE")]
    pub(crate) filter: Option<String>,

    /// How long to measure each case
    #[arg(long, value_name = "TIME", default_value = "5s", help_heading = MEASUREMENT)]
    pub(crate) duration: humantime::Duration,

    /// Number of times that each case is measured; the median is reported
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = positive(), help_heading = MEASUREMENT)]
    pub(crate) rounds: u64,

    /// Number of the processor that the server runs on
    #[arg(long, value_name = "NUMBER", default_value_t = 0, help_heading = MEASUREMENT)]
    pub(crate) server_processor: usize,

    /// Number of the processor that the load runs on
    #[arg(long, value_name = "NUMBER", default_value_t = 1, help_heading = MEASUREMENT)]
    pub(crate) load_processor: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Soak {
    /// Path of chatd [default: beside chat-lab]
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) chatd: Option<PathBuf>,

    /// How long to run
    #[arg(long, value_name = "TIME", default_value = "30m")]
    pub(crate) duration: humantime::Duration,

    /// Number of rooms
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..), help_heading = LOAD)]
    pub(crate) rooms: u16,

    /// Members of each room that use chat.v2
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u16).range(4..), help_heading = LOAD)]
    pub(crate) members: u16,

    /// Members of each room that use the classic dialect
    #[arg(long, value_name = "COUNT", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..1_000), help_heading = LOAD)]
    pub(crate) classic: u16,

    /// Messages per second, all senders together
    #[arg(long, value_name = "MESSAGES", default_value_t = 300.0, value_parser = more_than_nothing, help_heading = LOAD)]
    pub(crate) rate: f64,

    /// Size of the text of a message
    #[arg(long, value_name = "BYTES", default_value_t = 1_024, help_heading = LOAD)]
    pub(crate) size: usize,

    /// Print the report as JSON
    #[arg(long, help_heading = OUTPUT)]
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
    not_negative(text).and_then(|number| {
        if number > 0.0 { Ok(number) } else { Err("the number must be greater than 0".into()) }
    })
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
