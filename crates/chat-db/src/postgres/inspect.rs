//! Reads the state of a server and of a database, whether or not a chatd uses it.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Double, Integer, Text};

use super::connection::{EXCHANGE_TIMEOUT, Link};
use super::error::OpenError;
use super::url::Url;
use super::{migrate, tls};

/// The lowest version of PostgreSQL that is supported and tested.
pub const MIN_VERSION: i32 = 15;

/// The result of an inspection.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Inspection {
    /// The major version of the server.
    pub version: i32,
    /// The encoding of the database; chatd needs UTF8.
    pub encoding: String,
    /// The size of the database.
    pub bytes: u64,
    /// Whether the connection is encrypted.
    pub is_encrypted: bool,
    /// Whether the connection leaves this machine.
    pub is_remote: bool,
    /// Settings of the server with which an acknowledged message may be lost in a crash.
    pub unsafe_settings: Vec<String>,
    /// How many more connections this user may open.
    pub free_connections: i64,
    /// How far the clock of the server is ahead of this machine's; negative: behind. The time of an
    /// exchange with the server is the accuracy.
    pub clock_ahead: f64,
    /// The duration of an exchange with the server.
    pub round_trip: Duration,
    /// Whether chatd has never used the database.
    pub is_new: bool,
    /// Migrations that the next start would apply.
    pub pending: Vec<String>,
}

#[derive(QueryableByName)]
struct State {
    #[diesel(sql_type = Integer)]
    version: i32,
    #[diesel(sql_type = Text)]
    encoding: String,
    #[diesel(sql_type = BigInt)]
    bytes: i64,
    #[diesel(sql_type = Bool)]
    is_encrypted: bool,
    #[diesel(sql_type = Bool)]
    is_remote: bool,
    #[diesel(sql_type = Text)]
    unsafe_settings: String,
    #[diesel(sql_type = BigInt)]
    free_connections: i64,
    #[diesel(sql_type = Bool)]
    is_new: bool,
}

/// A setting with another value is a risk.
const STATE: &str = "SELECT \
    current_setting('server_version_num')::INTEGER / 10000 AS version, \
    pg_encoding_to_char(d.encoding)::TEXT AS encoding, \
    pg_database_size(d.oid) AS bytes, \
    coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), FALSE) AS is_encrypted, \
    coalesce(inet_client_addr() <> inet_server_addr(), FALSE) AS is_remote, \
    coalesce((SELECT string_agg(name || ' = ' || setting, ', ' ORDER BY name) FROM pg_settings \
        WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'), '') \
        AS unsafe_settings, \
    to_regclass('__diesel_schema_migrations') IS NULL AS is_new, \
    current_setting('max_connections')::BIGINT - current_setting('superuser_reserved_connections')::BIGINT \
        - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS free_connections \
    FROM pg_database d WHERE d.datname = current_database()";

#[derive(QueryableByName)]
struct Clock {
    #[diesel(sql_type = Double)]
    seconds: f64,
}

/// Looks at the server and the database. Blocks. Changes nothing.
///
/// # Errors
/// [`OpenError`] if the server can't be reached, or if a newer program has written the database.
pub fn inspect(url: &Url) -> Result<Inspection, OpenError> {
    let fault = |reason: String| OpenError::Open { url: url.to_string(), reason };
    let tls = tls::connector(&url.verify).map_err(|error| fault(error.to_string()))?;
    let mut link = Link::open(url, &tls, Some(EXCHANGE_TIMEOUT)).map_err(|error| fault(error.to_string()))?;
    let connection = &mut link.connection;
    let failed = |error: diesel::result::Error| fault(error.to_string());
    let state: State = diesel::sql_query(STATE).get_result(connection).map_err(failed)?;
    let clock =
        diesel::sql_query("SELECT extract(epoch FROM clock_timestamp())::DOUBLE PRECISION AS seconds");
    // the first one is also prepared
    let _: Clock = clock.clone().get_result(connection).map_err(failed)?;
    let begun = std::time::SystemTime::now();
    let Clock { seconds } = clock.get_result(connection).map_err(failed)?;
    let round_trip = begun.elapsed().unwrap_or_default();
    let middle = begun.duration_since(std::time::UNIX_EPOCH).unwrap_or_default() + round_trip / 2;
    Ok(Inspection {
        version: state.version,
        encoding: state.encoding,
        bytes: u64::try_from(state.bytes).unwrap_or_default(),
        is_encrypted: state.is_encrypted,
        is_remote: state.is_remote,
        unsafe_settings: state
            .unsafe_settings
            .split(", ")
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
            .collect(),
        free_connections: state.free_connections,
        clock_ahead: seconds - middle.as_secs_f64(),
        round_trip,
        is_new: state.is_new,
        pending: migrate::waiting_on(connection, url)?,
    })
}
