//! The HTTP client for the admin API.

use std::fmt;
use std::io;
use std::time::Duration;

use chat_admin::v1::Problem;
use chat_http::CertificatesError;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_rustls::rustls;
use ureq::Agent;

use crate::cli::Secret;

/// How long a request may take, from the connection to the end of the response.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no response, or why it is not a success.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("{0} is not the URL of an admin listener: expected http://HOST:PORT or https://HOST:PORT")]
    Url(Server),
    #[error(transparent)]
    Certificates(#[from] CertificatesError),
    #[error("{0} does not answer: {1}")]
    NoAnswer(Server, #[source] io::Error),
    #[error("the connection to {0} can't be encrypted: {1}")]
    Tls(Server, #[source] rustls::Error),
    #[error("{0} has not answered within {TIMEOUT:?}")]
    TimedOut(Server),
    #[error("the request to {0} failed: {1}")]
    Http(Server, #[source] Box<ureq::Error>),
    #[error("the request can't be sent: {0}")]
    Request(#[from] http::Error),
    #[error("the answer of {0} can't be read: {1}")]
    Answer(Server, #[source] serde_json::Error),
    #[error("the server at {0} has no admin token: start it with --admin-token-file")]
    NoToken(Server),
    #[error("the server at {0} did not accept the token: name a file with its token by --token-file")]
    WrongToken(Server),
    #[error(
        "the server at {0} needs a token: name a file with it by --token-file, or in CHATD_ADMIN_TOKEN_FILE"
    )]
    TokenMissing(Server),
    #[error("{0}: {1}")]
    Rejected(Server, String),
    #[error("{0} answered {1}: is it the admin listener of chatd? --url names another one")]
    NotChatd(Server, StatusCode),
}

/// The base URL of an admin listener: scheme, host and port. A user name and a password in the URL
/// are left out, so it can be printed.
#[derive(Debug, Clone)]
pub(crate) struct Server(String);

impl Server {
    fn of(url: &Uri) -> Self {
        let authority = url.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        Self(match url.scheme_str() {
            Some(scheme) => format!("{scheme}://{host}"),
            None => host.to_owned(),
        })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Sends requests to one server.
pub(in crate::commands) struct Client {
    server: Server,
    token: Option<Secret>,
    agent: Agent,
}

impl Client {
    /// A client for the server at this URL. The path of the URL is ignored.
    ///
    /// # Errors
    /// The URL is not an http or https URL, or the certificates that the system trusts can't be
    /// read.
    pub(in crate::commands) fn new(url: &Uri, token: Option<Secret>) -> Result<Self, RequestError> {
        let server = Server::of(url);
        if !matches!((url.scheme_str(), url.host()), (Some("http" | "https"), Some(_))) {
            return Err(RequestError::Url(server));
        }
        let agent = chat_http::settings(url)?.timeout_global(Some(TIMEOUT)).build().into();
        Ok(Self { server, token, agent })
    }

    /// The server that requests are sent to.
    pub(in crate::commands) fn server(&self) -> Server {
        self.server.clone()
    }

    /// Parses the body of a response.
    pub(in crate::commands) fn parse<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, RequestError> {
        serde_json::from_slice(body).map_err(|error| RequestError::Answer(self.server(), error))
    }

    /// Sends a GET request and returns the body of the response. Segments of the path and values of
    /// the query are percent-encoded here and below.
    pub(in crate::commands) fn get(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Vec<u8>, RequestError> {
        self.send(Method::GET, &target(path, query), None)
    }

    pub(in crate::commands) fn delete(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Vec<u8>, RequestError> {
        self.send(Method::DELETE, &target(path, query), None)
    }

    pub(in crate::commands) fn post(
        &self,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<Vec<u8>, RequestError> {
        let body = serde_json::to_vec(body).map_err(|error| RequestError::Answer(self.server(), error))?;
        self.send(Method::POST, &target(path, &[]), Some(body))
    }

    pub(in crate::commands) fn put(
        &self,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<Vec<u8>, RequestError> {
        let body = serde_json::to_vec(body).map_err(|error| RequestError::Answer(self.server(), error))?;
        self.send(Method::PUT, &target(path, &[]), Some(body))
    }

    pub(in crate::commands) fn patch(
        &self,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<Vec<u8>, RequestError> {
        let body = serde_json::to_vec(body).map_err(|error| RequestError::Answer(self.server(), error))?;
        self.send(Method::PATCH, &target(path, &[]), Some(body))
    }

    fn send(&self, method: Method, target: &str, json: Option<Vec<u8>>) -> Result<Vec<u8>, RequestError> {
        let mut request = Request::builder().method(method).uri(format!("{}{target}", self.server));
        if let Some(token) = &self.token {
            let mut value =
                HeaderValue::try_from(format!("Bearer {}", token.expose())).map_err(http::Error::from)?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let answer = match json {
            Some(json) => self.agent.run(request.header(CONTENT_TYPE, "application/json").body(json)?),
            None => self.agent.run(request.body(())?),
        };
        let mut answer = answer.map_err(|error| self.failed(error))?;
        let status = answer.status();
        let body = answer.body_mut().with_config().read_to_vec().map_err(|error| self.failed(error))?;
        if status.is_success() { Ok(body) } else { Err(self.rejected(status, &body)) }
    }

    /// The error of a request that got no response.
    fn failed(&self, error: ureq::Error) -> RequestError {
        let server = self.server();
        match error {
            ureq::Error::Timeout(_) => RequestError::TimedOut(server),
            ureq::Error::Rustls(error) => RequestError::Tls(server, error),
            ureq::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(error) => RequestError::Tls(server, rustls::Error::clone(error)),
                None => RequestError::NoAnswer(server, error),
            },
            error => RequestError::Http(server, Box::new(error)),
        }
    }

    /// The error of a response whose status is not a success.
    fn rejected(&self, status: StatusCode, body: &[u8]) -> RequestError {
        let server = self.server();
        match (status, serde_json::from_slice::<Problem>(body)) {
            (_, Err(_)) => RequestError::NotChatd(server, status),
            (StatusCode::FORBIDDEN, Ok(_)) => RequestError::NoToken(server),
            (StatusCode::UNAUTHORIZED, Ok(_)) if self.token.is_none() => RequestError::TokenMissing(server),
            (StatusCode::UNAUTHORIZED, Ok(_)) => RequestError::WrongToken(server),
            (_, Ok(problem)) => RequestError::Rejected(server, problem.error),
        }
    }
}

/// The path and the query of a request.
fn target(path: &[&str], query: &[(&str, &str)]) -> String {
    let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    let mut target = "/v1".to_owned();
    path.iter().for_each(|segment| target.extend(["/", &encoded(segment).to_string()]));
    for (i, (name, value)) in query.iter().enumerate() {
        let separator = if i == 0 { "?" } else { "&" };
        target.extend([separator, name, "=", &encoded(value).to_string()]);
    }
    target
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_server_without_the_password_of_its_url() {
        let url = "http://ana:hunter2@127.0.0.1:1/path".parse().unwrap();
        let token = "0123456789abcdef".parse::<Secret>().unwrap();
        let error = Client::new(&url, Some(token)).unwrap().get(&["rooms"], &[]).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.starts_with("http://127.0.0.1:1 does not answer: "), "{shown}");
        assert!(!shown.contains("hunter2") && !shown.contains("0123456789abcdef"), "{shown}");
    }
}
