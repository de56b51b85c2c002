//! What can be checked without starting a server: whether addresses and files are usable.

use std::net::ToSocketAddrs;
use std::path::Path;

use crate::cli::{Address, Database, Options, OrOff};
use crate::config::{ConfigError, Configuration};
use crate::runtime::certificate;
use crate::runtime::traces::Traces;

/// Checks all options.
///
/// # Errors
/// Every mistake that would keep the server from starting, each with the location that sets the
/// option.
pub(super) fn check(options: &Options, configuration: &Configuration) -> Result<(), ConfigError> {
    let mut mistakes = Vec::new();
    let mut note = |name: &str, outcome: Result<(), String>| {
        if let Err(reason) = outcome {
            mistakes.push(format!("{}: {reason}", configuration.location(name)));
        }
    };
    note("listen", resolve(&options.listen));
    if let OrOff(Some(address)) = &options.admin_listen {
        note("admin-listen", resolve(address));
    }
    let certificate = certificate::open(options).map(drop).map_err(|error| error.to_string());
    note(if options.tls_cert.0.is_some() { "tls-cert" } else { "tls-key" }, certificate);
    let token = options.admin_token().map(drop).map_err(|error| error.to_string());
    note(if options.admin_token_file.0.is_some() { "admin-token-file" } else { "admin-token" }, token);
    note("jwt-issuer", options.jwt().map(drop).map_err(|error| error.to_string()));
    match &options.database {
        Database::Memory => {}
        Database::File(path) => note("database", check_database_path(path)),
        Database::Postgres(url) => {
            let resolved = url.resolve(options.database_password_file.0.as_deref());
            note("database", resolved.map(drop).map_err(|error| error.to_string()));
        }
    }
    note(
        "trace-endpoint",
        Traces::check(options.trace_endpoint.0.as_deref()).map_err(|error| error.to_string()),
    );
    if mistakes.is_empty() { Ok(()) } else { Err(ConfigError::Mistakes(mistakes)) }
}

fn resolve(address: &Address) -> Result<(), String> {
    match address.as_str().to_socket_addrs() {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("\"{address}\" can't be resolved: {error}")),
    }
}

/// Whether a database can be at this path. The file need not exist yet.
fn check_database_path(path: &Path) -> Result<(), String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.is_dir() {
        Err(format!("{} is a folder, not a file", path.display()))
    } else if !folder.is_dir() {
        Err(format!("the folder {} does not exist", folder.display()))
    } else {
        Ok(())
    }
}
