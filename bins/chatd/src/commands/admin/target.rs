//! The URL of the server's admin listener, and the token.

use http::Uri;

use super::client::{Client, RequestError};
use crate::cli::{Address, OrOff, Secret, Target, TokenError};

/// Why there is no server to send a request to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Client(#[from] RequestError),
    #[error("the server has no admin listener (--admin-listen is off): --url names another server")]
    Off,
    #[error(
        "the server listens for the admin at any free port: pass the address that it printed at its start with --url"
    )]
    AnyPort,
    #[error("--url {0} can't be used: {1}")]
    Url(String, http::uri::InvalidUri),
}

/// The client for the server that the arguments name.
pub(in crate::commands) fn client(target: &Target) -> Result<Client, TargetError> {
    let token = Secret::configured(target.token_file.0.as_deref(), target.token.0.as_ref())?;
    let url = match (&target.url, &target.admin_listen) {
        (Some(url), _) => url.clone(),
        (None, OrOff(None)) => return Err(TargetError::Off),
        (None, OrOff(Some(address))) => url_of(address)?,
    };
    Ok(Client::new(&url, token)?)
}

/// The URL of a server that listens on this address. A server that listens on all addresses is
/// reached at the loopback address.
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
    fn a_server_on_all_addresses_is_reached_at_loopback() {
        let url = |address: &str| url_of(&address.parse().unwrap()).map(|url| url.to_string());
        assert_eq!(url("0.0.0.0:9000").unwrap(), "http://127.0.0.1:9000/");
        assert_eq!(url("[::]:9001").unwrap(), "http://[::1]:9001/");
        assert_eq!(url("admin.example:80").unwrap(), "http://admin.example:80/");
        assert!(matches!(url("127.0.0.1:0"), Err(TargetError::AnyPort)));
    }
}
