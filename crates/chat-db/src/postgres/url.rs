//! The address of a database.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::config::{SslMode, TargetSessionAttrs};

use super::tls::Verify;

/// How long one attempt to connect may take, unless the URL says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// After this long without an acknowledgement of the server's system, the connection has failed.
const TCP_TIMEOUT: Duration = Duration::from_secs(10);

/// The address of a PostgreSQL database, with the password:
/// `postgres://user:password@host:5432/database?sslmode=verify-full`. `Debug` and `Display` hide
/// the password.
///
/// Options after the `?` are those of libpq
/// (<https://www.postgresql.org/docs/current/libpq-connect.html>), as far as they make sense here.
/// `sslmode` is one of `disable`, `prefer` (the default), `require`, `verify-ca` and `verify-full`;
/// as with libpq, only the last two protect from an attacker in between. `sslrootcert` names a file
/// of certificates in PEM that are trusted; without it, those of the system are.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    pub(super) config: tokio_postgres::Config,
    pub(super) verify: Verify,
}

/// Why a text is not the address of a PostgreSQL database. The error does not contain the address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the address of the database is not valid: {reason}")]
pub struct InvalidUrl {
    reason: String,
}

impl InvalidUrl {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl Url {
    /// Whether a text is meant to be the address of a PostgreSQL database.
    pub fn is_url(text: &str) -> bool {
        text.starts_with("postgres://") || text.starts_with("postgresql://")
    }

    /// Sets the password, unless the address has one.
    #[must_use]
    pub fn or_password(mut self, password: &str) -> Self {
        if self.config.get_password().is_none() {
            self.config.password(password);
        }
        self
    }

    /// Whether the address has a password.
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }
}

impl FromStr for Url {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        if !Self::is_url(text) {
            return Err(InvalidUrl::new("it does not begin with postgres://"));
        }
        let (address, query) = text.split_once('?').unwrap_or((text, ""));
        let mut rest = Vec::new();
        let (mut mode, mut root) = ("prefer", None);
        for option in query.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("sslmode", value)) => mode = value,
                Some(("sslrootcert", value)) => root = Some(PathBuf::from(decoded(value)?)),
                Some(("password", _)) => {
                    return Err(InvalidUrl::new("a password belongs before the \"@\", or in a file"));
                }
                _ => rest.push(option),
            }
        }
        // the parser's own errors quote the option, never the password
        let mut config: tokio_postgres::Config = match rest.is_empty() {
            true => address.parse(),
            false => format!("{address}?{}", rest.join("&")).parse(),
        }
        .map_err(|error: tokio_postgres::Error| InvalidUrl::new(super::error::chain(&error)))?;
        if config.get_hosts().is_empty() {
            return Err(InvalidUrl::new("it names no host"));
        }
        if config.get_dbname().is_none() {
            return Err(InvalidUrl::new("it names no database"));
        }
        let (ssl_mode, verify) = match (mode, root) {
            ("disable", _) => (SslMode::Disable, Verify::Nothing),
            ("prefer", _) => (SslMode::Prefer, Verify::Nothing),
            ("require", None) => (SslMode::Require, Verify::Nothing),
            // as libpq: a file of roots is there to be used
            ("require" | "verify-ca", root) => (SslMode::Require, Verify::Chain(root)),
            ("verify-full", root) => (SslMode::Require, Verify::ChainAndName(root)),
            _ => {
                let modes = "disable, prefer, require, verify-ca or verify-full";
                return Err(InvalidUrl::new(format!("sslmode has to be {modes}")));
            }
        };
        config.ssl_mode(ssl_mode).target_session_attrs(TargetSessionAttrs::ReadWrite);
        config.tcp_user_timeout(TCP_TIMEOUT);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("chatd");
        }
        Ok(Self { config, verify })
    }
}

/// The value of an option without percent-encoding.
fn decoded(value: &str) -> Result<String, InvalidUrl> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let hex = [rest.next(), rest.next()].map(Option::unwrap_or_default);
        let text = std::str::from_utf8(&hex).ok().and_then(|text| u8::from_str_radix(text, 16).ok());
        bytes.push(text.ok_or_else(|| InvalidUrl::new("sslrootcert: \"%\" needs two hexadecimal digits"))?);
    }
    String::from_utf8(bytes).map_err(|_| InvalidUrl::new("sslrootcert is not UTF-8"))
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use tokio_postgres::config::Host;

        f.write_str("postgres://")?;
        if let Some(user) = self.config.get_user() {
            write!(f, "{user}@")?;
        }
        let ports = self.config.get_ports();
        for (n, host) in self.config.get_hosts().iter().enumerate() {
            if n > 0 {
                f.write_str(",")?;
            }
            match host {
                Host::Tcp(name) if name.contains(':') => write!(f, "[{name}]")?,
                Host::Tcp(name) => f.write_str(name)?,
                #[cfg(unix)]
                Host::Unix(path) => write!(f, "{}", path.display())?,
            }
            match ports.get(n).or(ports.first()) {
                Some(port) => write!(f, ":{port}")?,
                None => f.write_str(":5432")?,
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_not_shown() {
        let url: Url = "postgres://ana:secret@db.example:5433/chat?sslmode=disable".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://ana@db.example:5433/chat");
        assert_eq!(format!("{url:?}"), "Url(postgres://ana@db.example:5433/chat)");
        assert!(url.has_password());
        for bad in
            ["postgres://ana:secret@h:port/chat", "postgres://ana:secret@h/chat?secret=1", "ana:secret"]
        {
            let error = bad.parse::<Url>().unwrap_err();
            assert!(!error.to_string().contains("ana:secret"), "{error}");
        }
    }

    #[test]
    fn a_password_of_the_url_wins() {
        let url: Url = "postgres://ana@h/chat".parse().unwrap();
        assert!(!url.has_password());
        let url = url.or_password("one").or_password("two");
        assert_eq!(url.config.get_password(), Some("one".as_bytes()));
    }

    #[test]
    fn modes_of_tls_are_those_of_libpq() {
        let verify = |text: &str| format!("postgres://h/chat?{text}").parse::<Url>().map(|url| url.verify);
        assert_eq!(verify(""), Ok(Verify::Nothing));
        assert_eq!(verify("sslmode=require"), Ok(Verify::Nothing));
        assert_eq!(verify("sslmode=verify-full"), Ok(Verify::ChainAndName(None)));
        let root = Some(PathBuf::from("/a b.pem"));
        assert_eq!(verify("sslmode=require&sslrootcert=/a%20b.pem"), Ok(Verify::Chain(root.clone())));
        assert_eq!(verify("sslrootcert=/a%20b.pem&sslmode=verify-ca"), Ok(Verify::Chain(root)));
        assert!(verify("sslmode=allow").is_err());
        assert!(verify("sslmode=verify-ca&sslrootcert=%x").is_err());
    }

    #[test]
    fn host_and_database_are_needed() {
        assert!("postgres:///chat".parse::<Url>().is_err());
        assert!("postgres://h".parse::<Url>().is_err());
        assert!("mysql://h/chat".parse::<Url>().is_err());
    }
}
