//! An old build of chatd compared with a new one, by turns, in pairs of runs that follow each
//! other.

mod cases;
mod flags;
mod verdict;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chat_load::Report;
use comfy_table::{Table, presets};
use indicatif::{ProgressBar, ProgressStyle};

use self::cases::{CASES, COMMON, Case};
use self::flags::KnownFlags;
use self::verdict::Verdict;
use super::measurement::{BenchError, Settings, measure};
use crate::cli::Bench;
use crate::server::Server;

/// The duration of a measurement, unless the command line has another: twelve pairs of all cases
/// take about a quarter of an hour.
const DURATION: Duration = Duration::from_secs(4);

/// With fewer pairs the intervals are too wide for a decision.
const MIN_PAIRS: u64 = 12;

/// The comparison cannot begin.
#[derive(Debug, thiserror::Error)]
enum AgainstError {
    #[error("cannot find \"{}\": {}", .0.display(), .1)]
    NotFound(PathBuf, io::Error),
    #[error(
        "\"{}\" is the build to compare with itself: copy the old program elsewhere before you build the new one",
        .0.display()
    )]
    SameProgram(PathBuf),
}

/// A program under comparison.
struct Build {
    name: &'static str,
    program: PathBuf,
    flags: KnownFlags,
}

/// The reports of a case, one pair for each turn: old and new.
struct Measurements {
    case: &'static Case,
    pairs: Vec<(Report, Report)>,
}

/// Measures, and prints a table. Returns whether all limits hold.
pub(super) fn run(old: &Path, options: &Bench) -> Result<bool, Box<dyn std::error::Error>> {
    let cases: Vec<_> = CASES.iter().filter(|case| options.selects(case.name)).collect();
    if cases.is_empty() {
        return Err(BenchError::NoCase(options.cases.join(", ")).into());
    }
    let old = old.canonicalize().map_err(|error| AgainstError::NotFound(old.to_owned(), error))?;
    let new = Server::program(options.chatd.as_deref())?.canonicalize()?;
    if old == new {
        return Err(AgainstError::SameProgram(new).into());
    }
    let old = Build { name: "old", flags: KnownFlags::of(&old)?, program: old };
    let new = Build { name: "new", flags: KnownFlags::of(&new)?, program: new };
    let settings = Settings {
        server_cpu: options.server_cpu,
        duration: options.duration.map_or(DURATION, Duration::from),
    };
    let all = measure_all(&cases, &old, &new, options.pairs, settings)?;
    let (table, all_hold) = table(&all);
    #[expect(clippy::print_stdout, reason = "the output of a command")]
    {
        println!("{table}");
        for note in notes(&cases, &[&old, &new], options.pairs) {
            println!("note: {note}");
        }
    }
    Ok(all_hold)
}

/// Measures every case once in each turn, so that each case is spread over the whole time.
fn measure_all(
    cases: &[&'static Case],
    old: &Build,
    new: &Build,
    pairs: u64,
    settings: Settings,
) -> Result<Vec<Measurements>, Box<dyn std::error::Error>> {
    let bar = ProgressBar::new(2 * pairs * cases.len() as u64)
        .with_style(ProgressStyle::with_template("{bar:30} {elapsed_precise} {msg}")?);
    let mut all: Vec<_> = cases.iter().map(|&case| Measurements { case, pairs: Vec::new() }).collect();
    for turn in 0..pairs {
        for (i, Measurements { case, pairs }) in (0..).zip(&mut all) {
            let one = |build: &Build| -> Result<Report, BenchError> {
                bar.set_message(format!("{}, {}", case.name, build.name));
                let arguments = build.flags.arguments(&[COMMON, case.flags].concat());
                let report = measure(case.name, &build.program, &arguments, case.workload, settings);
                bar.inc(1);
                report
            };
            // the first run of a pair may have an advantage: it alternates
            let old_is_first = (turn + i).is_multiple_of(2);
            let first = one(if old_is_first { old } else { new })?;
            let second = one(if old_is_first { new } else { old })?;
            pairs.push(if old_is_first { (first, second) } else { (second, first) });
        }
    }
    bar.finish_and_clear();
    Ok(all)
}

/// The table, and whether all limits hold.
fn table(all: &[Measurements]) -> (Table, bool) {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["case", "figure", "old", "new", "median ratio", "95 % interval", "limit", ""]);
    let mut all_hold = true;
    for Measurements { case, pairs } in all {
        for (figure, limit) in case.limits {
            let pairs: Vec<_> = pairs.iter().map(|(old, new)| (figure.of(old), figure.of(new))).collect();
            let verdict = Verdict::new(&pairs, *limit);
            all_hold &= verdict.holds;
            table.add_row([
                case.name.to_owned(),
                figure.name().to_owned(),
                format!("{:.3}", verdict.old),
                format!("{:.3}", verdict.new),
                format!("{:.3}", verdict.ratio),
                format!("{:.3} to {:.3}", verdict.interval.lower, verdict.interval.upper),
                limit.to_string(),
                if verdict.holds { "holds" } else { "does not hold" }.to_owned(),
            ]);
        }
    }
    (table, all_hold)
}

/// Restrictions on the validity of the table.
fn notes(cases: &[&Case], builds: &[&Build], pairs: u64) -> Vec<String> {
    let mut notes = Vec::new();
    for build in builds {
        let flags = cases.iter().flat_map(|case| case.flags).chain(COMMON).copied().collect::<Vec<_>>();
        let mut unknown = build.flags.unknown(&flags);
        unknown.sort_unstable();
        unknown.dedup();
        if !unknown.is_empty() {
            notes.push(format!(
                "the {} build does not know {}, so it ran without",
                build.name,
                unknown.join(", ")
            ));
        }
    }
    if pairs < MIN_PAIRS {
        notes.push(format!("fewer than {MIN_PAIRS} pairs are too few for a decision"));
    }
    notes
}
