//! `chat-load`: a load tool for chatd. `chat-load --help` says what it does.

mod chart;
mod cli;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

use chat_load::Progress;
use chat_load::report::{Report, number};
use cli::{Command, Options, Run};

fn main() -> ExitCode {
    // connections are files, and there are often more than the soft limit of 1,024
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let outcome = match &Options::parse().command {
        Command::Run(options) => run(options),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(2),
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "for the person who started it")]
            {
                eprintln!("chat-load: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

/// False: something was missed, repeated or out of order.
fn run(options: &Run) -> Result<bool, Box<dyn Error>> {
    let plan = options.plan()?;
    let bar =
        ProgressBar::new(1_000).with_style(ProgressStyle::with_template("{bar:30} {elapsed_precise} {msg}")?);
    let outcome = chat_load::run(&plan, options.pid, |progress| show(&bar, progress));
    bar.finish_and_clear();
    let outcome = outcome?;
    let report = Report::of(&plan, &outcome);
    let text = if options.json { serde_json::to_string_pretty(&report)? } else { report.table() };
    #[expect(clippy::print_stdout, reason = "it is what was asked for")]
    {
        println!("{text}");
    }
    if let Some(path) = &options.svg {
        chart::latency(path, &report.load(), &outcome.tally.slots)?;
    }
    Ok(report.is_whole())
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
        Progress::Counting { elapsed, of, done } => {
            part(elapsed.as_secs_f64(), of.as_secs_f64());
            let (sent, delivered) = (number(done.sent as f64), number(done.delivered as f64));
            bar.set_message(format!("{sent} sent, {delivered} delivered"));
        }
        Progress::Draining => bar.set_message("waiting for messages in flight"),
    }
}
