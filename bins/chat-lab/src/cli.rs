//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::soak;

/// Measures chatd: its cost compared with the floor or with an older build, and its reliability
/// over hours
#[derive(Debug, Parser)]
#[command(name = "chat-lab", version)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the floor: a bare loop that writes one encoded frame to each socket of a room, as a base
    /// for comparison
    Floor {
        /// Address and port to listen on
        #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8001")]
        listen: String,
    },
    /// Compare chatd with the floor, or with an older build: put both under the same load by turns,
    /// and print the ratios
    ///
    /// Exit code: 0 if all limits were met, 2 if not, 1 if a measurement failed.
    Bench(Bench),
    /// Run chatd for hours with traffic in both dialects and with faults
    ///
    /// Clients join and leave, connections break, readers stop reading, and the server is restarted
    /// and killed. The report contains every message that was lost or duplicated, and the growth of
    /// the memory.
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

    /// Compare chatd with this older build of it, and not with the floor
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) against: Option<PathBuf>,

    /// Run only the cases whose names contain one of these texts
    #[arg(value_name = "CASE")]
    pub(crate) cases: Vec<String>,

    /// Duration of each measurement [default: 5s, and 4s with --against]
    #[arg(long, value_name = "TIME", help_heading = MEASUREMENT)]
    pub(crate) duration: Option<humantime::Duration>,

    /// Number of times that each case is measured; the median is reported
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = positive(), conflicts_with = "against", help_heading = MEASUREMENT)]
    pub(crate) rounds: u64,

    /// Number of pairs, old and new, that each case is measured
    #[arg(long, value_name = "COUNT", default_value_t = 12, value_parser = positive(), requires = "against", help_heading = MEASUREMENT)]
    pub(crate) pairs: u64,

    /// Number of the CPU that the server runs on
    #[arg(long, value_name = "NUMBER", default_value_t = 0, help_heading = MEASUREMENT)]
    pub(crate) server_cpu: usize,

    /// Number of the CPU that the load runs on
    #[arg(long, value_name = "NUMBER", default_value_t = 1, help_heading = MEASUREMENT)]
    pub(crate) load_cpu: usize,
}

impl Bench {
    /// Whether a case runs: its name contains one of the texts, or there is no text.
    pub(crate) fn selects(&self, name: &str) -> bool {
        self.cases.is_empty() || self.cases.iter().any(|text| name.contains(text.as_str()))
    }
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
    #[arg(long, value_name = "MESSAGES", default_value_t = 300.0, value_parser = greater_than_zero, help_heading = LOAD)]
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
            stalled_readers: usize::from(self.rooms.div_ceil(2)),
            guests: usize::from(self.rooms),
            rate: self.rate,
            size: self.size,
            duration: Duration::from(self.duration).max(Duration::from_secs(1)),
        }
    }
}

fn greater_than_zero(text: &str) -> Result<f64, String> {
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_valid() {
        Options::command().debug_assert();
    }

    #[test]
    fn pairs_are_for_comparisons_with_a_build_and_rounds_for_the_others() {
        let parse = |arguments: &[&str]| {
            Options::try_parse_from([&["chat-lab", "bench"][..], arguments].concat()).is_ok()
        };
        assert!(parse(&[]) && parse(&["--rounds", "1", "idle"]) && parse(&["busy room", "storing"]));
        assert!(parse(&["--against", "old"]) && parse(&["--against", "old", "--pairs", "5"]));
        assert!(!parse(&["--against", "old", "--rounds", "5"]) && !parse(&["--pairs", "5"]));
    }
}
