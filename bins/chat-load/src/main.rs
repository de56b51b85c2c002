//! `chat-load`: a load tool for chatd. `chat-load --help` describes it.

mod chart;
mod cli;

use std::error::Error;
use std::process::ExitCode;

use chat_load::format::number;
use chat_load::{Progress, Report};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

use cli::{Command, Options, Run};

fn main() -> ExitCode {
    // each connection needs a file descriptor, and the soft limit is often 1,024
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let Command::Run(options) = &Options::parse().command;
    match run(options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(2),
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the error of a command")]
            {
                eprintln!("chat-load: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Returns whether every message arrived once and in order.
fn run(options: &Run) -> Result<bool, Box<dyn Error>> {
    let plan = options.plan()?;
    let bar =
        ProgressBar::new(1_000).with_style(ProgressStyle::with_template("{bar:30} {elapsed_precise} {msg}")?);
    let outcome = chat_load::run(&plan, options.pid, |progress| show(&bar, progress));
    bar.finish_and_clear();
    let outcome = outcome?;
    let report = Report::new(&plan, &outcome);
    let text = if options.json { serde_json::to_string_pretty(&report)? } else { report.table() };
    #[expect(clippy::print_stdout, reason = "the output of a command")]
    {
        println!("{text}");
    }
    if let Some(path) = &options.svg {
        chart::write(path, &report.load(), &outcome.tally.slots)?;
    }
    Ok(report.is_complete())
}

fn show(bar: &ProgressBar, progress: Progress) {
    let part = |done: f64, of: f64| bar.set_position((1_000.0 * done / of.max(f64::MIN_POSITIVE)) as u64);
    match progress {
        Progress::Connecting { done, of } => {
            part(done as f64, of as f64);
            bar.set_message(format!("{done} of {of} connected"));
        }
        Progress::Joining { done, of } => {
            part(done as f64, of as f64);
            bar.set_message(format!("{done} of {of} joined"));
        }
        Progress::Settling => bar.set_message("waiting for the joins to settle"),
        Progress::WarmingUp => {
            part(0.0, 1.0);
            bar.set_message("warming up");
        }
        Progress::Measuring { elapsed, of, done } => {
            part(elapsed.as_secs_f64(), of.as_secs_f64());
            let (sent, delivered) = (number(done.sent as f64), number(done.delivered as f64));
            bar.set_message(format!("{sent} sent, {delivered} delivered"));
        }
        Progress::Draining => bar.set_message("waiting for messages in flight"),
        _ => {}
    }
}
