//! Databases for tests.

use std::io::Write;
use std::net::{SocketAddr, ToSocketAddrs};
use std::ops::Range;
use std::process::Stdio;
use std::sync::OnceLock;

use rand::RngExt;

use super::Server;
use super::programs::program;

/// The variable with the URL of the server that all tests of a run share, for its superuser.
pub const SHARED: &str = "CHATD_TEST_POSTGRES";

/// Starts a server that many tests share: each has connections enough.
pub fn start_shared() -> Server {
    Server::builder().max_connections(300).start()
}

/// An empty database for this test. It is dropped at the end.
///
/// Its server is the one that the variable [`SHARED`] names. If the variable is not set, all tests
/// of this process share a server.
pub fn shared() -> Database {
    static SERVER: OnceLock<Server> = OnceLock::new();
    // the process ends without dropping it, and then the watchdog ends it
    let own = || SERVER.get_or_init(start_shared).url("postgres");
    let url = std::env::var(SHARED).unwrap_or_else(|_| own());
    let mut database = Database::create(url.clone(), |name| with_database(&url, name));
    database.is_temporary = true;
    database
}

/// The URL with another database.
fn with_database(url: &str, database: &str) -> String {
    let (before, query) =
        url.split_once('?').map_or((url, String::new()), |(url, query)| (url, format!("?{query}")));
    let authority = before.find("://").expect("a URL with a scheme") + 3;
    let end = before[authority..].find('/').map_or(before.len(), |slash| authority + slash);
    format!("{}/{database}{query}", &before[..end])
}

/// The URL with another address.
pub(super) fn with_address(url: &str, address: SocketAddr) -> String {
    let host = host(url);
    format!("{}{address}{}", &url[..host.start], &url[host.end..])
}

/// Where the host and the port are in a URL.
fn host(url: &str) -> Range<usize> {
    let authority = url.find("://").expect("a URL with a scheme") + 3;
    let end = url[authority..].find(['/', '?']).map_or(url.len(), |length| authority + length);
    let start = url[authority..end].rfind('@').map_or(authority, |at| authority + at + 1);
    start..end
}

/// A database.
#[derive(Debug)]
pub struct Database {
    name: String,
    url: String,
    /// The URL that created it.
    admin: String,
    /// Whether it is dropped at the end.
    is_temporary: bool,
}

impl Database {
    /// Creates a database with a unique name.
    pub(super) fn create(admin: String, url: impl Fn(&str) -> String) -> Self {
        let name = format!("test_{:016x}", rand::rng().random::<u64>());
        // `template0` never has sessions, which CREATE DATABASE would wait for
        let sql = format!("CREATE DATABASE {name} TEMPLATE template0 STRATEGY wal_log");
        psql(&admin, &sql).unwrap_or_else(|error| panic!("cannot create a database: {error}"));
        Self { url: url(&name), name, admin, is_temporary: false }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The URL for the superuser.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL for the superuser, at the address of a proxy.
    pub fn url_at(&self, address: SocketAddr) -> String {
        with_address(&self.url, address)
    }

    /// The address of the server, for a proxy.
    pub fn address(&self) -> SocketAddr {
        let host = &self.url[host(&self.url)];
        let host = if host.contains(':') { host.to_owned() } else { format!("{host}:5432") };
        let address = host.to_socket_addrs().unwrap_or_else(|error| panic!("{host}: {error}")).next();
        address.unwrap_or_else(|| panic!("{host} has no address"))
    }

    /// Runs statements, each in a transaction of its own, and returns the rows: one in a line, with
    /// `|` between columns.
    pub fn psql(&self, sql: &str) -> String {
        self.try_psql(sql).unwrap_or_else(|error| panic!("{sql}\n{error}"))
    }

    /// Like [`psql`](Self::psql).
    ///
    /// # Errors
    /// The first error, after which no statement is run.
    pub fn try_psql(&self, sql: &str) -> Result<String, String> {
        psql(&with_database(&self.admin, &self.name), sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.is_temporary {
            // the server may have ended, with all its databases
            let _ = psql(&self.admin, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        }
    }
}

/// Runs statements at a URL, each in a transaction of its own, and returns the rows: one in a line,
/// with `|` between columns.
///
/// # Errors
/// The first error, after which no statement is run.
pub fn psql(url: &str, sql: &str) -> Result<String, String> {
    let mut command = program("psql");
    command.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"]);
    command.arg("--dbname").arg(url).env("PGCONNECT_TIMEOUT", "30");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let sql = sql.to_owned();
    // in a thread: psql may write more than the pipe holds before it has read everything
    let writer = std::thread::spawn(move || {
        // psql may have ended at an error
        let _ = stdin.write_all(sql.as_bytes());
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\n').to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_of_a_postgres_url_is_replaced() {
        let replaced = |url| with_database(url, "b");
        assert_eq!(replaced("postgres://u:p@host:5432/a"), "postgres://u:p@host:5432/b");
        assert_eq!(replaced("postgres://u:p@host:5432"), "postgres://u:p@host:5432/b");
        assert_eq!(replaced("postgres://u@host/a?sslmode=disable"), "postgres://u@host/b?sslmode=disable");
    }

    #[test]
    fn the_address_of_a_postgres_url_is_replaced() {
        let replaced = |url| with_address(url, ([127, 0, 0, 1], 7).into());
        assert_eq!(replaced("postgres://u:p@host:5432/a?b=c"), "postgres://u:p@127.0.0.1:7/a?b=c");
        assert_eq!(replaced("postgres://host"), "postgres://127.0.0.1:7");
    }
}
