//! The line on standard output that says where the server listens.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use crate::cli::{Database, Options, Switch};

/// How long standard output may take to accept the line.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Prints that the server listens, and where. A standard output that blocks delays the start by
/// [`TIMEOUT`] at most.
pub(super) async fn announce(
    options: &Options,
    is_encrypted: bool,
    address: SocketAddr,
    admin: Option<SocketAddr>,
) {
    let text = text(options, is_encrypted, address, admin);
    let print = move || {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()
    };
    match tokio::time::timeout(TIMEOUT, tokio::task::spawn_blocking(print)).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => {
            tracing::warn!(%error, "could not print to standard output that the server listens");
        }
        Ok(Err(_)) | Err(_) => {
            tracing::warn!("standard output does not take the line that the server listens");
        }
    }
}

fn text(options: &Options, is_encrypted: bool, address: SocketAddr, admin: Option<SocketAddr>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let scheme = if is_encrypted { "https" } else { "http" };
    let (database, is_stored) = match &options.database {
        Database::Memory => (":memory:".to_owned(), false),
        Database::File(path) => (path.display().to_string(), options.history == Switch::On),
        Database::Postgres(url) => (url.to_string(), options.history == Switch::On),
    };
    let history = if is_stored { "" } else { ", messages are not stored" };
    let admin = admin.map_or(String::new(), |address| format!(", admin: http://{address}"));
    format!(
        "chatd {version} listens on {scheme}://{address} (database: {database}{history}{admin}); press Ctrl-C to stop it"
    )
}
