//! Whether something that can't be undone is to be done.

use std::io::{self, IsTerminal, Write};

use clap::Args;

/// How an act that can't be undone is allowed.
#[derive(Debug, Args)]
pub(super) struct Consent {
    /// Do it without asking
    #[arg(long)]
    yes: bool,

    /// Only print what would be done
    #[arg(long, conflicts_with = "yes")]
    pub(super) dry_run: bool,
}

/// It is not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoConsent {
    #[error("nobody can be asked here: add --yes to {act}, or --dry-run to see what would be done")]
    NotAsked { act: String },
    #[error("nothing was done")]
    Declined,
    #[error("the question can't be asked: {0}")]
    Terminal(#[from] io::Error),
}

impl Consent {
    /// Whether nobody needs to be asked.
    pub(super) fn is_given(&self) -> bool {
        self.yes
    }

    /// Asks the person at the terminal, unless that was answered by a flag. `act` says what is done, as in "erase 2 messages".
    pub(super) fn ask(&self, act: &str) -> Result<(), NoConsent> {
        if self.yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() {
            return Err(NoConsent::NotAsked { act: act.to_owned() });
        }
        let mut out = io::stderr().lock();
        write!(out, "This will {act}. It can't be undone. Go on? [y/N] ")?;
        out.flush()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        let is_yes = ["y", "yes"].contains(&answer.trim().to_lowercase().as_str());
        is_yes.then_some(()).ok_or(NoConsent::Declined)
    }
}
