//! chatd and the floor, or two ways of using chatd, under the same load by turns. Machines differ from hour to hour; the ratio of
//! two runs that follow each other does not, or much less.

mod cases;

use std::io;
use std::path::Path;
use std::time::Duration;

use comfy_table::{Table, presets};
use chat_load::LoadError;
use chat_load::report::{Report, number};
use indicatif::{ProgressBar, ProgressStyle};

use self::cases::{Bound, CASES, Case, Figure, Least, Run, Under};
use crate::affinity;
use crate::cli::Bench;
use crate::server::{Place, Server, StartError};

/// A measurement can't be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    #[error("no case has {0:?} in its name; `chat-lab bench` without a name runs all")]
    NoCase(String),
    #[error(transparent)]
    NotStarted(#[from] StartError),
    #[error("{case}: {error}")]
    Load { case: &'static str, error: LoadError },
    #[error("{case}: messages were lost, duplicated or out of order: {faults}")]
    Faults { case: &'static str, faults: String },
    #[error("the CPU time and memory of a server are read from /proc, which this system does not have")]
    NoProc,
    #[error(transparent)]
    System(#[from] io::Error),
}

/// The figures of a case, a pair for each round.
struct Measured {
    case: &'static Case,
    pairs: Vec<(Report, Report)>,
}

/// Measures, and prints a table. False: a bound was not met.
pub(crate) fn run(options: &Bench) -> Result<bool, Box<dyn std::error::Error>> {
    let filter = options.filter.as_deref().unwrap_or_default();
    let cases: Vec<_> = CASES.iter().filter(|case| case.name.contains(filter)).collect();
    if cases.is_empty() {
        return Err(BenchError::NoCase(filter.to_owned()).into());
    }
    let chatd = Server::program(options.chatd.as_deref())?;
    // the threads of the load are started by this one
    affinity::pin(options.load_processor)?;
    let bar = ProgressBar::new(options.rounds * cases.len() as u64)
        .with_style(ProgressStyle::with_template("{bar:30} {elapsed_precise} {msg}")?);
    let mut measured: Vec<_> = cases.iter().map(|case| Measured { case, pairs: Vec::new() }).collect();
    for _ in 0..options.rounds {
        for measured in &mut measured {
            bar.set_message(measured.case.name);
            let one = |run| measure(measured.case.name, run, &chatd, options);
            let pair = (one(measured.case.base)?, one(measured.case.run)?);
            measured.pairs.push(pair);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let (table, is_met) = table(&measured);
    #[expect(clippy::print_stdout, reason = "it is what was asked for")]
    {
        println!("{table}");
    }
    Ok(is_met)
}

fn measure(case: &'static str, run: Run, chatd: &Path, options: &Bench) -> Result<Report, BenchError> {
    let place = Place::new(Some(options.server_processor))?;
    let server = match run.under {
        Under::Floor => {
            Server::start(&std::env::current_exe()?, &place, &["floor", "--listen", "127.0.0.1:0"])?
        }
        Under::Chatd(extra) => {
            let always = ["--listen", "127.0.0.1:0", "--admin-listen", "off", "--log", "error"];
            Server::start(chatd, &place, &[&always[..], extra].concat())?
        }
    };
    let plan = run.load.plan(server.address, Duration::from(options.duration));
    let outcome = chat_load::run(&plan, Some(server.pid()), |_| ());
    let report = Report::of(&plan, &outcome.map_err(|error| BenchError::Load { case, error })?);
    if !report.is_whole() {
        return Err(BenchError::Faults { case, faults: format!("{:?}", report.faults) });
    }
    if report.server.is_none() {
        return Err(BenchError::NoProc);
    }
    Ok(report)
}

/// What was measured, and whether all bounds were met by the medians.
fn table(measured: &[Measured]) -> (Table, bool) {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["case", "figure", "base", "chatd", "ratio, each round", "median", "bound", ""]);
    let mut all_met = true;
    for Measured { case, pairs } in measured {
        for bound in case.bounds {
            let (figure, least) = match bound {
                Bound::Ratio(figure, least) | Bound::Absolute(figure, least) => (*figure, *least),
            };
            let of = |report: &Report| figure.of(report);
            let bases: Vec<_> = pairs.iter().map(|(base, _)| of(base)).collect();
            let runs: Vec<_> = pairs.iter().map(|(_, run)| of(run)).collect();
            let (each, unit) = match bound {
                Bound::Ratio(..) => (bases.iter().zip(&runs).map(|(base, run)| run / base).collect(), "x"),
                Bound::Absolute(..) => (runs.clone(), ""),
            };
            let rounds: Vec<_> = each.iter().map(|value| format!("{value:.2}")).collect();
            let value = median(each);
            let is_met = least.is_met(value);
            all_met &= is_met;
            table.add_row([
                case.name.to_owned(),
                figure.name().to_owned(),
                number(median(bases)),
                number(median(runs)),
                rounds.join(" "),
                format!("{value:.2}{unit}"),
                format!("{least}{unit}"),
                if is_met { "met" } else { "not met" }.to_owned(),
            ]);
        }
    }
    (table, all_met)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}

impl Figure {
    fn name(self) -> &'static str {
        match self {
            Self::DeliveriesPerSecond => "deliveries/s",
            Self::PerDelivery => "CPU us/delivery",
            Self::PerByte => "CPU ns/byte",
            Self::P50Milliseconds => "p50 ms",
            Self::P99Milliseconds => "p99 ms",
            Self::KibPerConnection => "KiB/connection",
            Self::Processor => "% of one core",
            Self::JoiningMilliseconds => "ms until all joined",
            Self::GrowthMib => "MiB growth, peak",
        }
    }

    fn of(self, report: &Report) -> f64 {
        let server = report.server.as_ref();
        let figure = match self {
            Self::DeliveriesPerSecond => Some(report.deliveries_per_second),
            Self::PerDelivery => server.and_then(|server| server.us_per_delivery),
            Self::PerByte => server.and_then(|server| server.ns_per_byte),
            Self::P50Milliseconds => report.latency.map(|latency| latency.p50),
            Self::P99Milliseconds => report.latency.map(|latency| latency.p99),
            Self::KibPerConnection => server.map(|server| server.kib_per_connection.unwrap_or(0.0)),
            Self::Processor => server.map(|server| 100.0 * server.processors),
            Self::JoiningMilliseconds => Some(report.joining_ms),
            Self::GrowthMib => server.map(|server| server.growth_mib),
        };
        figure.unwrap_or(f64::NAN)
    }
}

impl Least {
    /// What can't be measured meets nothing.
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}

impl std::fmt::Display for Least {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, ">= {least}"),
            Self::AtMost(most) => write!(f, "<= {most}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(vec![]).is_nan());
    }

    #[test]
    fn what_is_not_measured_is_not_met() {
        assert!(Least::AtLeast(1.0).is_met(1.0) && Least::AtMost(1.0).is_met(1.0));
        assert!(!Least::AtLeast(1.0).is_met(f64::NAN) && !Least::AtMost(1.0).is_met(f64::NAN));
    }

    #[test]
    fn each_case_has_a_name_of_its_own_and_is_judged() {
        for (i, case) in CASES.iter().enumerate() {
            assert!(!case.bounds.is_empty());
            assert!(CASES[..i].iter().all(|other| other.name != case.name));
        }
    }
}
