//! Confirmation of commands that remove something.

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

/// What a question says about the way back.
#[derive(Debug, Clone, Copy)]
pub(in crate::commands) enum Undo {
    Impossible,
    /// A sentence that says how.
    Possible(&'static str),
}

/// Asks at the terminal, unless `--yes` is set. `action` says what will be done, for example "erase
/// 2 messages".
pub(super) fn confirm(confirmation: &Confirmation, action: &str, undo: Undo) -> Result<(), NotConfirmed> {
    if confirmation.yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(NotConfirmed::NoTerminal { action: action.to_owned() });
    }
    let undo = match undo {
        Undo::Impossible => "It can't be undone.",
        Undo::Possible(how) => how,
    };
    let mut out = io::stderr().lock();
    write!(out, "This will {action}. {undo} Go on? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    let is_yes = ["y", "yes"].contains(&answer.trim().to_lowercase().as_str());
    is_yes.then_some(()).ok_or(NotConfirmed::Declined)
}
