//! How to connect to NATS.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::ConnectOptions;
use percent_encoding::percent_decode_str;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use url::Url;

use super::subject::Subjects;
use crate::Limits;

/// How long a connection may be silent before the server is asked for an answer.
const PING_INTERVAL: Duration = Duration::from_secs(2);

/// The options of a connection to NATS. `Debug` shows no password, token or key.
///
/// ```
/// use chat_backplane::NatsOptions;
///
/// let options = NatsOptions::new("tls://nats-1.example")
///     .server("tls://nats-2.example:4222")
///     .user_and_password("chatd", "secret")
///     .ca_file("/etc/chatd/nats-ca.pem")
///     .name("chat-1");
/// assert!(!format!("{options:?}").contains("secret"));
/// ```
#[derive(Clone)]
pub struct NatsOptions {
    servers: Vec<String>,
    login: Vec<Login>,
    ca_file: Option<PathBuf>,
    client_certificate: Option<(PathBuf, PathBuf)>,
    prefix: String,
    name: String,
    ping_interval: Duration,
    receiver: Limits,
}

/// How a client proves who it is.
#[derive(Clone, PartialEq, Eq)]
enum Login {
    UserAndPassword(String, String),
    Token(String),
    CredentialsFile(PathBuf),
}

/// Why the options of a connection to NATS are not valid. The text has no secrets.
#[derive(Debug, thiserror::Error)]
#[error("the options for NATS are not valid: {reason}")]
pub struct InvalidOptions {
    reason: String,
    source: Option<io::Error>,
}

impl InvalidOptions {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), source: None }
    }

    fn file(path: &Path, error: io::Error) -> Self {
        Self { reason: format!("\"{}\": {error}", path.display()), source: Some(error) }
    }
}

/// What a backplane needs of valid options.
pub(super) struct Checked {
    pub(super) servers: Vec<async_nats::ServerAddr>,
    pub(super) options: ConnectOptions,
    pub(super) subjects: Subjects,
    pub(super) receiver: Limits,
}

impl NatsOptions {
    /// A connection to the server at this URL: `nats://HOST:PORT`, or `tls://HOST:PORT` if the
    /// connection must be encrypted. The default port is 4222.
    ///
    /// The URL may have a user and a password, `nats://USER:PASSWORD@HOST`, or a token,
    /// `nats://TOKEN@HOST`, with percent-encoding.
    pub fn new(server: impl Into<String>) -> Self {
        Self {
            servers: vec![server.into()],
            login: Vec::new(),
            ca_file: None,
            client_certificate: None,
            prefix: "chatd".to_owned(),
            name: "chatd".to_owned(),
            ping_interval: PING_INTERVAL,
            receiver: Limits::default(),
        }
    }

    /// Adds the URL of another server of the same NATS cluster. They are tried one after the other,
    /// in random order, and so are the servers of the cluster that a server names. If one of the
    /// URLs begins with `tls://`, all connections must be encrypted.
    #[must_use]
    pub fn server(mut self, server: impl Into<String>) -> Self {
        self.servers.push(server.into());
        self
    }

    /// Sets the user and the password. The URLs must not have others.
    #[must_use]
    pub fn user_and_password(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.login.push(Login::UserAndPassword(user.into(), password.into()));
        self
    }

    /// Sets the token. The URLs must not have another.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.login.push(Login::Token(token.into()));
        self
    }

    /// Sets the file with the JWT and the NKey seed of a user: `*.creds`. It is read once.
    #[must_use]
    pub fn credentials_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.login.push(Login::CredentialsFile(path.into()));
        self
    }

    /// Sets a file of certificates in PEM format. Only these are trusted then to sign the server's
    /// certificate; without the file, those are that the system trusts. It is read at each attempt
    /// to connect.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// Sets the files of the client's certificate and its key in PEM format, for a server that asks
    /// for one. They are read at each attempt to connect.
    #[must_use]
    pub fn client_certificate(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.client_certificate = Some((certificate.into(), key.into()));
        self
    }

    /// Sets the beginning of all subjects (default: `chatd`). Clusters that share a NATS server
    /// have different ones. It has 1 to 64 characters of `A-Za-z0-9-_`, with dots between tokens.
    ///
    /// The user of NATS needs the permission to publish and to subscribe to `PREFIX.>`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets the name under which the server lists the connection (default: `chatd`).
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets how long the connection may be silent before the server is asked for an answer
    /// (default: 2 s). A connection that breaks without a sign is noticed after three times as
    /// long.
    #[must_use]
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.ping_interval = interval;
        self
    }

    /// Sets how much the receiver queues.
    #[must_use]
    pub fn receiver_limits(mut self, limits: Limits) -> Self {
        self.receiver = limits;
        self
    }

    /// Checks the options, and reads the files.
    pub(super) fn check(self) -> Result<Checked, InvalidOptions> {
        let subjects = Subjects::new(&self.prefix).ok_or_else(|| {
            let form = "1 to 64 characters of A-Z, a-z, 0-9, \"-\" and \"_\", with dots between tokens";
            InvalidOptions::new(format!("the prefix {:?} is not valid: it has {form}", self.prefix))
        })?;
        if self.ping_interval.is_zero() {
            return Err(InvalidOptions::new("the ping interval must not be 0"));
        }
        let (mut servers, mut login, mut needs_tls) = (Vec::new(), self.login, false);
        for (index, server) in self.servers.iter().enumerate() {
            let (url, found) = parse(server).map_err(|reason| {
                InvalidOptions::new(format!("the URL of server {} is not valid: {reason}", index + 1))
            })?;
            needs_tls |= url.scheme() == "tls";
            login.extend(found);
            let refused = || InvalidOptions::new(format!("the URL of server {} is not valid", index + 1));
            servers.push(async_nats::ServerAddr::from_url(url).map_err(|_| refused())?);
        }
        login.dedup();
        if login.len() > 1 {
            return Err(InvalidOptions::new(
                "there is more than one user, token or credentials file, and one is used for all servers",
            ));
        }
        let mut options = ConnectOptions::new()
            .name(self.name)
            .no_echo()
            .ping_interval(self.ping_interval)
            .require_tls(needs_tls);
        options = match login.pop() {
            None => options,
            Some(Login::UserAndPassword(user, password)) => options.user_and_password(user, password),
            Some(Login::Token(token)) => options.token(token),
            Some(Login::CredentialsFile(path)) => {
                let text =
                    std::fs::read_to_string(&path).map_err(|error| InvalidOptions::file(&path, error))?;
                options.credentials(&text).map_err(|_| {
                    let what = "it does not have the JWT and the NKey seed of a user";
                    InvalidOptions::file(&path, io::Error::new(io::ErrorKind::InvalidData, what))
                })?
            }
        };
        if let Some(path) = self.ca_file {
            check_authorities(&path).map_err(|error| InvalidOptions::file(&path, error))?;
            options = options.add_root_certificates(path);
        }
        if let Some((certificate, key)) = self.client_certificate {
            check_certificate(&certificate).map_err(|error| InvalidOptions::file(&certificate, error))?;
            PrivateKeyDer::from_pem_file(&key)
                .map_err(|error| InvalidOptions::file(&key, io::Error::other(error.to_string())))?;
            options = options.add_client_certificate(certificate, key);
        }
        Ok(Checked { servers, options, subjects, receiver: self.receiver })
    }
}

/// A URL without the user, and how that proves who it is. An error does not contain the URL, which
/// may have a password.
fn parse(text: &str) -> Result<(Url, Option<Login>), String> {
    let mut url = Url::parse(text).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "nats" | "tls") {
        return Err("it must begin with nats:// or tls://".to_owned());
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("it names no host".to_owned());
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err("nothing may follow after the host and the port".to_owned());
    }
    let decoded = |text: &str| {
        let text = percent_decode_str(text).decode_utf8();
        text.map(String::from).map_err(|_| "the user or the password is not UTF-8".to_owned())
    };
    let login = match (url.username(), url.password()) {
        ("", None) => None,
        (token, None) => Some(Login::Token(decoded(token)?)),
        (user, Some(password)) => Some(Login::UserAndPassword(decoded(user)?, decoded(password)?)),
    };
    let cannot = |()| "it cannot have a user".to_owned();
    url.set_password(None).map_err(cannot)?;
    url.set_username("").map_err(cannot)?;
    Ok((url, login))
}

/// Checks that a file has certificates that can sign others.
fn check_authorities(path: &Path) -> io::Result<()> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(io::Error::other)?;
    }
    Ok(())
}

fn check_certificate(path: &Path) -> io::Result<()> {
    certificates(path).map(|_| ())
}

/// The certificates of a file; at least one.
fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let fault = |error: rustls::pki_types::pem::Error| io::Error::other(error.to_string());
    let found = CertificateDer::pem_file_iter(path).map_err(fault)?;
    let found = found.collect::<Result<Vec<_>, _>>().map_err(fault)?;
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it has no certificate"));
    }
    Ok(found)
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UserAndPassword(user, _) => write!(f, "the user {user:?} with a password"),
            Self::Token(_) => f.write_str("a token"),
            Self::CredentialsFile(path) => write!(f, "the credentials in {path:?}"),
        }
    }
}

impl fmt::Debug for NatsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // a text that is not a URL may contain a password anywhere
        let shown = |text: &String| parse(text).map_or("?".to_owned(), |(url, _)| url.to_string());
        let servers: Vec<_> = self.servers.iter().map(shown).collect();
        f.debug_struct("NatsOptions")
            .field("servers", &servers)
            .field("login", &self.login)
            .field("ca_file", &self.ca_file)
            .field("client_certificate", &self.client_certificate.as_ref().map(|(file, _)| file))
            .field("prefix", &self.prefix)
            .field("name", &self.name)
            .field("ping_interval", &self.ping_interval)
            .field("receiver", &self.receiver)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(options: NatsOptions) -> String {
        options.check().map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn secrets_are_not_shown() {
        let options = NatsOptions::new("nats://ana:s3cret@h:4222")
            .server("nats://s3cret@h")
            .server("nats://ana:s3cret@h:port")
            .user_and_password("ana", "s3cret")
            .token("s3cret");
        let shown = format!("{options:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(shown.contains("nats://h:4222") && shown.contains("ana"), "{shown}");
        for bad in [
            "nats://ana:s3cret@h:port",
            "http://ana:s3cret@h",
            "ana:s3cret@h",
            "s3cret",
            "nats://ana:s3cret@",
            "nats://ana:s3cret@h/s3cret",
            "nats://ana:s3cret@h?s3cret",
            "nats://ana:%FFs3cret@h",
        ] {
            let error = error(NatsOptions::new("nats://h").server(bad));
            assert!(error.contains("server 2") && !error.contains("s3cret"), "{bad}: {error}");
        }
    }

    #[test]
    fn a_url_has_a_user_or_a_token() {
        let login = |url| parse(url).map(|(url, login)| (url.to_string(), login));
        let user = Login::UserAndPassword("a@b".to_owned(), "p:/".to_owned());
        assert_eq!(login("nats://a%40b:p%3A%2F@h"), Ok(("nats://h".to_owned(), Some(user))));
        let token = Login::Token("t".to_owned());
        assert_eq!(login("tls://t@[::1]:42"), Ok(("tls://[::1]:42".to_owned(), Some(token))));
        assert_eq!(login("nats://h"), Ok(("nats://h".to_owned(), None)));
    }

    #[test]
    fn one_login_is_used_for_all_servers() {
        let options = NatsOptions::new("nats://ana:s3cret@a").server("nats://ana:s3cret@b");
        assert!(options.clone().check().is_ok());
        assert!(options.clone().user_and_password("ana", "s3cret").check().is_ok());
        assert!(error(options.clone().server("nats://bob:s3cret@c")).contains("more than one"));
        assert!(error(options.token("s3cret")).contains("more than one"));
    }

    #[test]
    fn files_are_checked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.pem");
        let options = || NatsOptions::new("nats://h");
        let all = || {
            [
                options().ca_file(&path),
                options().client_certificate(&path, &path),
                options().credentials_file(&path),
            ]
        };
        for options in all() {
            assert!(error(options).contains("file.pem"), "missing");
        }
        std::fs::write(&path, "s3cret").unwrap();
        for options in all() {
            let error = error(options);
            assert!(error.contains("file.pem") && !error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn the_prefix_is_checked() {
        assert!(error(NatsOptions::new("nats://h").prefix("a.>")).contains("the prefix \"a.>\""));
        assert!(NatsOptions::new("nats://h").prefix("chat.one").check().is_ok());
    }
}
