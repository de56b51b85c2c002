//! The file `.env` in the current folder.

use std::collections::BTreeMap;

/// The file `.env` can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DotenvError {
    #[error("the file .env has a line that is no assignment: {0}")]
    Line(String),
    #[error("the file .env can't be read: {0}")]
    Read(dotenvy::Error),
}

/// The variables that it sets; none where there is no such file. The process's own environment stays as it is.
pub(crate) fn read() -> Result<BTreeMap<String, String>, DotenvError> {
    match dotenvy::from_path_iter(".env") {
        Ok(lines) => lines.collect::<Result<_, _>>().map_err(explain),
        Err(error) if error.not_found() => Ok(BTreeMap::new()),
        Err(error) => Err(explain(error)),
    }
}

fn explain(error: dotenvy::Error) -> DotenvError {
    match error {
        // the index is that of a byte in the line, which helps nobody
        dotenvy::Error::LineParse(line, _) => DotenvError::Line(line),
        error => DotenvError::Read(error),
    }
}
