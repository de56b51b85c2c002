//! How results are printed.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::AdminError;
use super::client::{Client, RequestError};
use super::confirm::{Undo, confirm};
use crate::cli::Confirmation;

/// Prints the results of requests: as text, or as JSON.
pub(in crate::commands) struct Output<'a, P> {
    pub(in crate::commands) client: &'a Client,
    pub(in crate::commands) json: bool,
    pub(in crate::commands) print: P,
}

impl<P: Fn(&str) -> io::Result<()>> Output<'_, P> {
    /// Requests all pages. Each call gets the query for the next page and returns the cursor after
    /// it.
    pub(in crate::commands) fn pages(
        &self,
        mut page: impl FnMut(&[(&str, &str)]) -> Result<Option<String>, AdminError>,
    ) -> Result<(), AdminError> {
        let mut after = page(&[])?;
        while let Some(next) = after {
            after = page(&[("after", &next)])?;
        }
        Ok(())
    }

    /// Prints a result that was collected from several responses.
    pub(in crate::commands) fn result<T: Serialize>(
        &self,
        result: &T,
        write: impl Fn(&T) -> String,
    ) -> Result<(), AdminError> {
        if self.json { self.print_json(result) } else { self.print(&write(result)) }
    }

    pub(in crate::commands) fn print_json(&self, value: &impl Serialize) -> Result<(), AdminError> {
        let json = serde_json::to_string(value)
            .map_err(|error| RequestError::Answer(self.client.server(), error))?;
        self.print(&json)
    }

    /// Prints one response: the JSON as it was received, or as text.
    pub(in crate::commands) fn response<T: DeserializeOwned>(
        &self,
        answer: &[u8],
        write: impl Fn(&T) -> String,
    ) -> Result<(), AdminError> {
        let parsed = self.client.parse(answer)?;
        if self.json { self.print(&String::from_utf8_lossy(answer)) } else { self.print(&write(&parsed)) }
    }

    /// Whether a command that removes something is to be executed: the user has confirmed it, or
    /// does so now. For a dry run, prints what would be done. `action` says that, for example
    /// "remove 2 tokens".
    pub(in crate::commands) fn is_confirmed(
        &self,
        confirmation: &Confirmation,
        action: &str,
        undo: Undo,
    ) -> Result<bool, AdminError> {
        if confirmation.dry_run {
            self.sentence(&format!("would {action}"))?;
            return Ok(false);
        }
        confirm(confirmation, action, undo)?;
        Ok(true)
    }

    /// Prints the result of a command whose response has no body.
    pub(in crate::commands) fn sentence(&self, sentence: &str) -> Result<(), AdminError> {
        self.print(if self.json { "{}" } else { sentence })
    }

    fn print(&self, text: &str) -> Result<(), AdminError> {
        Ok((self.print)(text)?)
    }
}
