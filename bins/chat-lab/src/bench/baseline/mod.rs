//! chatd compared with the floor, and one way of using chatd compared with another.

mod cases;

use std::path::Path;
use std::time::Duration;

use chat_load::Report;
use chat_load::format::number;
use comfy_table::{Table, presets};
use indicatif::{ProgressBar, ProgressStyle};

use self::cases::{Bound, CASES, Case, Run, Target};
use super::measurement::{BenchError, Settings, measure};
use super::statistics::median;
use crate::cli::Bench;
use crate::server::Server;

/// The duration of a measurement, unless the command line has another.
const DURATION: Duration = Duration::from_secs(5);

/// The reports of a case, one pair for each round.
struct Measurements {
    case: &'static Case,
    pairs: Vec<(Report, Report)>,
}

/// Measures, and prints a table. Returns whether all bounds were met.
pub(super) fn run(options: &Bench) -> Result<bool, Box<dyn std::error::Error>> {
    let cases: Vec<_> = CASES.iter().filter(|case| options.selects(case.name)).collect();
    if cases.is_empty() {
        return Err(BenchError::NoCase(options.cases.join(", ")).into());
    }
    let chatd = Server::program(options.chatd.as_deref())?;
    let settings = Settings {
        server_cpu: options.server_cpu,
        duration: options.duration.map_or(DURATION, Duration::from),
    };
    let bar = ProgressBar::new(options.rounds * cases.len() as u64)
        .with_style(ProgressStyle::with_template("{bar:30} {elapsed_precise} {msg}")?);
    let mut all: Vec<_> = cases.iter().map(|case| Measurements { case, pairs: Vec::new() }).collect();
    for _ in 0..options.rounds {
        for Measurements { case, pairs } in &mut all {
            bar.set_message(case.name);
            let one = |run| measure_run(case.name, run, &chatd, settings);
            pairs.push((one(case.base)?, one(case.run)?));
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let (table, is_met) = table(&all);
    #[expect(clippy::print_stdout, reason = "the output of a command")]
    {
        println!("{table}");
    }
    Ok(is_met)
}

fn measure_run(case: &'static str, run: Run, chatd: &Path, settings: Settings) -> Result<Report, BenchError> {
    match run.target {
        Target::Floor => {
            let arguments = ["floor", "--listen", "127.0.0.1:0"];
            measure(case, &std::env::current_exe()?, &arguments, run.workload, settings)
        }
        Target::Chatd(extra) => {
            let always = ["--listen", "127.0.0.1:0", "--admin-listen", "off", "--log", "error"];
            measure(case, chatd, &[&always[..], extra].concat(), run.workload, settings)
        }
    }
}

/// The table, and whether the medians met all bounds.
fn table(all: &[Measurements]) -> (Table, bool) {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["case", "figure", "base", "chatd", "ratio, each round", "median", "bound", ""]);
    let mut all_met = true;
    for Measurements { case, pairs } in all {
        for bound in case.bounds {
            let (figure, limit) = match bound {
                Bound::Ratio(figure, limit) | Bound::Absolute(figure, limit) => (*figure, *limit),
            };
            let bases: Vec<_> = pairs.iter().map(|(base, _)| figure.of(base)).collect();
            let runs: Vec<_> = pairs.iter().map(|(_, run)| figure.of(run)).collect();
            let (each, unit): (Vec<f64>, _) = match bound {
                Bound::Ratio(..) => (bases.iter().zip(&runs).map(|(base, run)| run / base).collect(), "x"),
                Bound::Absolute(..) => (runs.clone(), ""),
            };
            let rounds: Vec<_> = each.iter().map(|value| format!("{value:.2}")).collect();
            let value = median(&each);
            let is_met = limit.is_met(value);
            all_met &= is_met;
            table.add_row([
                case.name.to_owned(),
                figure.name().to_owned(),
                number(median(&bases)),
                number(median(&runs)),
                rounds.join(" "),
                format!("{value:.2}{unit}"),
                format!("{limit}{unit}"),
                if is_met { "met" } else { "not met" }.to_owned(),
            ]);
        }
    }
    (table, all_met)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_case_has_its_own_name_and_a_bound() {
        for (i, case) in CASES.iter().enumerate() {
            assert!(!case.bounds.is_empty());
            assert!(CASES[..i].iter().all(|other| other.name != case.name));
        }
    }
}
