//! `chatd doctor`: looks at the machine with the eyes of a server that is configured so, and says what to change.

mod clock;
mod database;
mod disk;
mod finding;
mod kernel;
mod limits;
mod network;

use std::error::Error;

use clap::Args;

use crate::cli::options::{Database, Options, Switch};
use crate::cli::text::plural;
use finding::Finding;

/// What to look at: the server's own options, and how.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    options: Options,

    /// Process id of a running server: check its limits instead of this shell's
    #[arg(long, value_name = "PID", help_heading = "Doctor")]
    pid: Option<u32>,

    /// Print JSON
    #[arg(long, help_heading = "Doctor")]
    json: bool,
}

/// Something has to be changed.
#[derive(Debug, thiserror::Error)]
#[error("found {0}")]
struct Problems(String);

impl Doctor {
    /// Looks, prints what was found by `print`, and fails where there is a problem.
    pub(crate) fn run(&self, print: impl FnOnce(&str) -> std::io::Result<()>) -> Result<(), Box<dyn Error>> {
        let findings = self.findings();
        print(&if self.json { finding::json(&findings)? } else { finding::text(&findings) })?;
        match findings.iter().filter(|finding| finding.is_problem()).count() {
            0 => Ok(()),
            problems => Err(Problems(plural(problems, "problem")).into()),
        }
    }

    fn findings(&self) -> Vec<Finding> {
        let config = self.options.config();
        let mut findings =
            vec![limits::descriptors(&config, self.pid), limits::memory(&config, self.options.max_memory)];
        findings.extend(kernel::look(&config));
        findings.extend(network::look(&self.options));
        findings.push(clock::synchronized());
        match &self.options.database {
            Database::Memory => findings.push(database::none()),
            Database::File(path) => {
                findings.push(disk::space(path));
                findings.push(disk::kind(path));
                if self.options.history == Switch::On {
                    findings.push(disk::sync_time(path));
                }
                findings.push(clock::of_file(path));
                findings.push(database::access(path));
                findings.push(database::integrity(path));
            }
        }
        findings
    }
}
