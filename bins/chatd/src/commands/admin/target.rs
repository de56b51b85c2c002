//! Where the server's admin listener is.

use std::path::PathBuf;

use clap::Args;
use http::Uri;

use super::client::Client;
use super::{Secret, TokenError};
use crate::cli::options::{Address, Bound, DEFAULT_ADMIN_LISTEN};
use crate::config::USUAL_FILE;

/// Whom to ask: what is set for the server counts for the command, too.
#[derive(Debug, Args)]
pub(super) struct Target {
    /// URL of the server's admin listener [default: http:// and the address of --admin-listen]
    #[arg(long, global = true, env = "CHATD_ADMIN_URL", value_name = "URL")]
    url: Option<Uri>,

    /// Address and port of the server's admin listener
    #[arg(
        long,
        global = true,
        env = "CHATD_ADMIN_LISTEN",
        value_name = "HOST:PORT",
        default_value = DEFAULT_ADMIN_LISTEN
    )]
    admin_listen: Bound<Address>,

    /// Configuration file of the server [default: chatd.toml in the current folder, if it exists]
    #[arg(long, global = true, env = "CHATD_CONFIG", value_name = "PATH", default_value = USUAL_FILE, hide_default_value = true)]
    config: PathBuf,

    /// File with the server's admin token
    #[arg(
        long,
        alias = "admin-token-file",
        global = true,
        env = "CHATD_ADMIN_TOKEN_FILE",
        value_name = "PATH",
        default_value = "off",
        hide_default_value = true
    )]
    token_file: Bound<PathBuf>,

    /// The token itself, instead of a file
    ///
    /// Better in the environment than in a flag: other users of the machine can read the flags of a process.
    #[arg(
        long,
        alias = "admin-token",
        global = true,
        env = "CHATD_ADMIN_TOKEN",
        value_name = "TOKEN",
        default_value = "off",
        hide_default_value = true,
        hide_env_values = true
    )]
    token: Bound<Secret>,
}

/// The server can't be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("the server has no admin listener (--admin-listen is off): --url names another server")]
    Off,
    #[error(
        "the server listens for the admin at any free port: pass the address that it printed at its start with --url"
    )]
    AnyPort,
    #[error("--url {0} can't be used: {1}")]
    Url(String, http::uri::InvalidUri),
}

impl Target {
    pub(super) fn client(&self) -> Result<Client, TargetError> {
        let token = Secret::of(self.token_file.0.as_deref(), self.token.0.as_ref())?;
        let url = match (&self.url, &self.admin_listen) {
            (Some(url), _) => url.clone(),
            (None, Bound(None)) => return Err(TargetError::Off),
            (None, Bound(Some(address))) => url_of(address)?,
        };
        Ok(Client::new(url, token))
    }
}

/// The URL of a server that listens there. One that listens at every address is asked at this machine's own.
fn url_of(address: &Address) -> Result<Uri, TargetError> {
    let (host, port) = address.as_str().rsplit_once(':').unwrap_or((address.as_str(), "0"));
    if port.parse() == Ok(0_u16) {
        return Err(TargetError::AnyPort);
    }
    let host = match host {
        "0.0.0.0" => "127.0.0.1",
        "[::]" => "[::1]",
        host => host,
    };
    let url = format!("http://{host}:{port}");
    url.parse().map_err(|error| TargetError::Url(url, error))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_listens_everywhere_is_asked_on_this_machine() {
        let url = |address: &str| url_of(&address.parse().unwrap()).map(|url| url.to_string());
        assert_eq!(url("0.0.0.0:9000").unwrap(), "http://127.0.0.1:9000/");
        assert_eq!(url("[::]:9001").unwrap(), "http://[::1]:9001/");
        assert_eq!(url("admin.example:80").unwrap(), "http://admin.example:80/");
        assert!(matches!(url("127.0.0.1:0"), Err(TargetError::AnyPort)));
    }
}
