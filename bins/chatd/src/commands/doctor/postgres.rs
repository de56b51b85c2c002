//! Checks of the PostgreSQL server.

use std::path::Path;
use std::time::Duration;

use chat_db::postgres::OpenError;
use chat_db::postgres::inspect::{Inspection, MIN_VERSION, inspect};

use super::finding::{Finding, size};
use crate::cli::PostgresUrl;

const WHAT: &str = "database";

/// The messages of a room get the times of this machine; users compare them with their own clocks.
const MAX_CLOCK_DIFFERENCE: f64 = 2.0;

/// Each message waits for one exchange with the server, at least.
const SLOW_ROUND_TRIP: Duration = Duration::from_millis(5);

/// All findings about the database at this address, for a server with this many connections.
pub(super) fn check(url: &PostgresUrl, password_file: Option<&Path>, connections: u32) -> Vec<Finding> {
    let url = match url.resolve(password_file) {
        Ok(url) => url,
        Err(error) => return vec![Finding::problem(WHAT, error.to_string(), "see chatd help, --database")],
    };
    match inspect(&url) {
        Ok(inspection) => evaluate(&url.to_string(), &inspection, connections),
        Err(error @ OpenError::Newer { .. }) => vec![Finding::problem(
            WHAT,
            error.to_string(),
            "use that newer version of chatd, or restore a backup from before the upgrade",
        )],
        Err(error) => vec![Finding::problem(
            WHAT,
            error.to_string(),
            "start the server, create the user and the database, or correct --database",
        )],
    }
}

fn evaluate(url: &str, inspection: &Inspection, connections: u32) -> Vec<Finding> {
    let version = inspection.version;
    let database = if version < MIN_VERSION {
        let found = format!("{url} runs PostgreSQL {version}, which is too old");
        Finding::problem(WHAT, found, format!("upgrade it to version {MIN_VERSION} or newer"))
    } else if inspection.encoding != "UTF8" {
        let found = format!("{url} has the encoding {}, which can't store all texts", inspection.encoding);
        Finding::problem(WHAT, found, "create the database with ENCODING 'UTF8' TEMPLATE template0")
    } else {
        let found = format!("{url}: PostgreSQL {version}, {}", size(inspection.bytes));
        let next = match inspection.pending.is_empty() {
            true => "",
            false if inspection.is_new => "; the next start creates the tables",
            false => "; the next start upgrades it, so make a backup first",
        };
        Finding::good(WHAT, format!("{found}{next}"))
    };
    vec![
        database,
        durability(&inspection.unsafe_settings),
        encryption(inspection),
        room(inspection.free_connections, connections),
        clock(inspection.clock_ahead),
        distance(inspection.round_trip),
    ]
}

fn durability(unsafe_settings: &[String]) -> Finding {
    const WHAT: &str = "durability";
    if unsafe_settings.is_empty() {
        return Finding::good(WHAT, "commits of the database wait for its disk");
    }
    let found = format!("a crash of the database can lose messages: {}", unsafe_settings.join(", "));
    Finding::problem(WHAT, found, "set them to on, in postgresql.conf or for the database")
}

fn encryption(inspection: &Inspection) -> Finding {
    const WHAT: &str = "database encryption";
    match (inspection.is_remote, inspection.is_encrypted) {
        (_, true) => Finding::good(WHAT, "the connection to the database is encrypted"),
        (false, false) => Finding::good(WHAT, "the database is on this machine"),
        (true, false) => Finding::warning(
            WHAT,
            "the connection to the database leaves this machine and is not encrypted",
            "set up TLS on the server, and add sslmode=verify-full to the address",
        ),
    }
}

fn room(free: i64, needed: u32) -> Finding {
    const WHAT: &str = "database connections";
    let found = format!("{free} of the server's connections are free, and chatd uses up to {needed}");
    if free >= i64::from(needed) {
        return Finding::good(WHAT, found);
    }
    // a running chatd has taken them already
    Finding::warning(
        WHAT,
        found,
        "unless chatd is running: raise max_connections, or lower --database-connections",
    )
}

fn clock(ahead: f64) -> Finding {
    const WHAT: &str = "database clock";
    let difference = ahead.abs();
    let found = format!("the clocks of the database and of this machine differ by {difference:.1} s");
    if difference <= MAX_CLOCK_DIFFERENCE {
        Finding::good(WHAT, found)
    } else {
        Finding::warning(WHAT, found, "synchronize both clocks (NTP)")
    }
}

fn distance(round_trip: Duration) -> Finding {
    const WHAT: &str = "database latency";
    let found = format!("an exchange with the database takes {:.1} ms", round_trip.as_secs_f64() * 1_000.0);
    if round_trip <= SLOW_ROUND_TRIP {
        Finding::good(WHAT, found)
    } else {
        Finding::warning(WHAT, found, "move chatd and the database closer to each other")
    }
}
