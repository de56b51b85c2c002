//! Where the data is stored.

use std::fs;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use chat_db::postgres::{InvalidUrl, Options, Url};

/// The variable that PostgreSQL's own programs read the password from.
const PASSWORD_VARIABLE: &str = "PGPASSWORD";

/// Where the server stores its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Database {
    /// In the memory of the process.
    Memory,
    /// In a file.
    File(PathBuf),
    /// On a PostgreSQL server.
    Postgres(PostgresUrl),
}

/// The address of a PostgreSQL database, which may be wrong: an error of a value parser would quote
/// the value, and with it the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PostgresUrl(Result<Box<Url>, InvalidUrl>);

/// Why the address of a database can't be used. The text does not contain the password.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatabaseUrlError {
    #[error("--database: {0}")]
    Url(#[from] InvalidUrl),
    #[error("--database-password-file: {} can't be read: {source}", path.display())]
    PasswordFile { path: PathBuf, source: io::Error },
}

impl FromStr for Database {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            ":memory:" => Ok(Self::Memory),
            // SQLite would open a separate temporary database for each connection
            "" => Err("expected a path, postgres://…, or :memory:"),
            url if Url::is_url(url) => Ok(Self::Postgres(PostgresUrl(url.parse().map(Box::new)))),
            path => Ok(Self::File(path.into())),
        }
    }
}

impl PostgresUrl {
    /// The address, with the password: the one in the address, else in the file, else in the
    /// variable `PGPASSWORD`.
    pub(crate) fn resolve(&self, password_file: Option<&Path>) -> Result<Url, DatabaseUrlError> {
        let url = Url::clone(self.0.as_ref().map_err(Clone::clone)?);
        let url = match password_file {
            Some(path) => {
                let read = fs::read_to_string(path);
                let read =
                    read.map_err(|source| DatabaseUrlError::PasswordFile { path: path.into(), source });
                url.or_password(read?.trim_end_matches(['\r', '\n']))
            }
            None => url,
        };
        Ok(match std::env::var(PASSWORD_VARIABLE) {
            Ok(password) if !password.is_empty() => url.or_password(&password),
            _ => url,
        })
    }
}

impl std::fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Ok(url) => url.fmt(f),
            Err(error) => error.fmt(f),
        }
    }
}

/// How many connections to a PostgreSQL server there are at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Connections(u32);

impl FromStr for Connections {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(count @ 5..=1_000) => Ok(Self(count)),
            _ => Err("expected a number from 5 to 1000"),
        }
    }
}

impl Connections {
    /// Half of those that are not needed for other purposes append, the rest read.
    pub(crate) fn options(self) -> Options {
        let others = Options::default().connections() - 8;
        let shared = self.0.saturating_sub(others);
        let at_least_one = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        Options::default().appenders(at_least_one(shared / 2)).readers(at_least_one(shared - shared / 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_shared_out() {
        for (text, appenders, readers) in [("5", 1, 1), ("6", 1, 2), ("11", 4, 4), ("100", 48, 49)] {
            let options = text.parse::<Connections>().unwrap().options();
            assert_eq!((options.appenders.get(), options.readers.get()), (appenders, readers), "{text}");
            assert_eq!(options.connections().to_string(), text);
        }
        assert!("4".parse::<Connections>().is_err());
    }

    #[test]
    fn an_address_is_not_a_path() {
        assert!(matches!("postgres://h/chat".parse(), Ok(Database::Postgres(_))));
        assert!(matches!("./postgres".parse(), Ok(Database::File(_))));
        assert_eq!(":memory:".parse(), Ok(Database::Memory));
    }

    #[test]
    fn a_wrong_address_is_not_quoted() {
        let Ok(Database::Postgres(url)) = "postgres://ana:secret@host:port/chat".parse() else { panic!() };
        let error = url.resolve(None).unwrap_err().to_string();
        assert!(error.starts_with("--database: ") && !error.contains("secret"), "{error}");
        assert!(!format!("{url:?}").contains("secret"));
    }
}
