//! Confirmation of commands that can't be undone.

use std::io::{self, IsTerminal, Write};

use crate::cli::Confirmation;

/// Why the command is not executed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotConfirmed {
    #[error("nobody can be asked here: add --yes to {action}, or --dry-run to see what would be done")]
    NoTerminal { action: String },
    #[error("nothing was done")]
    Declined,
    #[error("the question can't be asked: {0}")]
    Terminal(#[from] io::Error),
}

/// Asks at the terminal, unless `--yes` is set. `action` says what will be done, for example "erase
/// 2 messages".
pub(in crate::commands) fn confirm(confirmation: &Confirmation, action: &str) -> Result<(), NotConfirmed> {
    if confirmation.yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(NotConfirmed::NoTerminal { action: action.to_owned() });
    }
    let mut out = io::stderr().lock();
    write!(out, "This will {action}. It can't be undone. Go on? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    let is_yes = ["y", "yes"].contains(&answer.trim().to_lowercase().as_str());
    is_yes.then_some(()).ok_or(NotConfirmed::Declined)
}
