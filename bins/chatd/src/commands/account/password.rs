//! Reading a password.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use crate::cli::PasswordSource;

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PasswordError {
    #[error("the file {path} can't be read: {error}", path = .0.display(), error = .1)]
    File(PathBuf, #[source] io::Error),
    #[error("the password can't be read: {0}")]
    Input(#[source] io::Error),
    #[error("the two passwords are not the same")]
    Different,
}

/// Reads a password from the file, or asks for it twice. If there is no terminal, reads a line of
/// the standard input.
pub(super) fn read(source: &PasswordSource) -> Result<String, PasswordError> {
    if let Some(path) = &source.password_file {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| PasswordError::File(path.clone(), error))?;
        return Ok(text.lines().next().unwrap_or_default().to_owned());
    }
    if !io::stdin().is_terminal() {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map_err(PasswordError::Input)?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    let ask = |prompt| rpassword::prompt_password(prompt).map_err(PasswordError::Input);
    let password = ask("Password: ")?;
    if ask("Repeat it: ")? == password { Ok(password) } else { Err(PasswordError::Different) }
}
