//! What can be found out about a configuration without a server: whether addresses and files can be used.

use std::net::ToSocketAddrs;
use std::path::Path;

use crate::cli::options::{Address, Bound, Database, Options};
use crate::cli::secret::Secret;
use crate::config::{ConfigError, Configuration};
use crate::runtime::certificate;
use crate::runtime::traces::Traces;

/// Looks at all of it.
///
/// # Errors
/// Everything that keeps the server from starting, each with the place that sets it.
pub(super) fn check(options: &Options, configuration: &Configuration) -> Result<(), ConfigError> {
    let mut mistakes = Vec::new();
    let mut note = |name: &str, outcome: Result<(), String>| {
        if let Err(why) = outcome {
            mistakes.push(format!("{}: {why}", configuration.place(name)));
        }
    };
    note("listen", resolves(&options.listen));
    if let Bound(Some(address)) = &options.admin_listen {
        note("admin-listen", resolves(address));
    }
    let certificate = certificate::open(options).map(drop).map_err(|error| error.to_string());
    note(if options.tls_cert.0.is_some() { "tls-cert" } else { "tls-key" }, certificate);
    let token = Secret::of(options.admin_token_file.0.as_deref(), options.admin_token.0.as_ref());
    let token = token.map(drop).map_err(|error| error.to_string());
    note(if options.admin_token_file.0.is_some() { "admin-token-file" } else { "admin-token" }, token);
    if let Database::File(path) = &options.database {
        note("database", is_usable(path));
    }
    note(
        "trace-endpoint",
        Traces::check(options.trace_endpoint.0.as_deref()).map_err(|error| error.to_string()),
    );
    if mistakes.is_empty() { Ok(()) } else { Err(ConfigError::Mistakes(mistakes)) }
}

fn resolves(address: &Address) -> Result<(), String> {
    match address.as_str().to_socket_addrs() {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("\"{address}\" can't be resolved: {error}")),
    }
}

/// Whether there may be a database here. It need not exist yet.
fn is_usable(path: &Path) -> Result<(), String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.is_dir() {
        Err(format!("{} is a folder, not a file", path.display()))
    } else if !folder.is_dir() {
        Err(format!("the folder {} does not exist", folder.display()))
    } else {
        Ok(())
    }
}
