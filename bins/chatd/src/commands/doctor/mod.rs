//! `chatd doctor`: checks whether the machine suits a server with these options, and says what to
//! change.

mod clock;
mod database;
mod disk;
mod finding;
mod kernel;
mod limits;
mod network;
mod postgres;

use std::error::Error;

use crate::cli::{Database, Doctor, Switch, plural};
use finding::Finding;

/// At least one finding is a problem.
#[derive(Debug, thiserror::Error)]
#[error("found {0}")]
struct Problems(String);

/// Runs all checks and prints the findings with `print`.
///
/// # Errors
/// At least one finding is a problem, or the findings can't be printed.
pub(crate) fn run(
    arguments: &Doctor,
    print: impl FnOnce(&str) -> std::io::Result<()>,
) -> Result<(), Box<dyn Error>> {
    let findings = findings(arguments);
    print(&if arguments.json { finding::json(&findings)? } else { finding::text(&findings) })?;
    match findings.iter().filter(|finding| finding.is_problem()).count() {
        0 => Ok(()),
        problems => Err(Problems(plural(problems, "problem")).into()),
    }
}

fn findings(Doctor { options, pid, .. }: &Doctor) -> Vec<Finding> {
    let config = options.config();
    let mut findings = vec![limits::descriptors(&config, *pid), limits::memory(&config, options.max_memory)];
    findings.extend(kernel::check(&config));
    findings.extend(network::check(options));
    findings.push(clock::synchronized());
    match &options.database {
        Database::Memory => findings.push(database::in_memory()),
        Database::File(path) => {
            findings.push(disk::space(path));
            findings.push(disk::file_system(path));
            if options.history == Switch::On {
                findings.push(disk::sync_time(path));
            }
            findings.push(clock::database_time(path));
            findings.push(database::access(path));
            findings.push(database::integrity(path));
        }
        Database::Postgres(url) => {
            let connections = options.database_connections.options().connections();
            let password_file = options.database_password_file.0.as_deref();
            findings.extend(postgres::check(url, password_file, connections));
        }
    }
    findings
}
