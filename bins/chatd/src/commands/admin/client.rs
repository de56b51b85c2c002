//! Asks a running server.

use std::fmt;
use std::io;
use std::time::Duration;

use chat_admin::v1::Problem;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use super::Secret;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no answer, or not the one that was hoped for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("{0} is not the URL of an admin listener: expected http://HOST:PORT")]
    Url(Server),
    #[error("{0} does not answer: {1}")]
    Connect(Server, io::Error),
    #[error("{0} has not answered within {PATIENCE:?}")]
    Late(Server),
    #[error("the connection to {0} broke: {1}")]
    Broken(Server, hyper::Error),
    #[error("the request can't be sent: {0}")]
    Request(#[from] http::Error),
    #[error("the system refused: {0}")]
    System(#[from] io::Error),
    #[error("the answer of {0} can't be read: {1}")]
    Answer(Server, serde_json::Error),
    #[error("the server at {0} has no admin token: start it with --admin-token-file")]
    NoToken(Server),
    #[error("the server at {0} did not accept the token: name a file with its token by --token-file")]
    WrongToken(Server),
    #[error(
        "the server at {0} needs a token: name a file with it by --token-file, or in CHATD_ADMIN_TOKEN_FILE"
    )]
    TokenMissing(Server),
    #[error("{0}: {1}")]
    Refused(Server, String),
    #[error("{0} answered {1}: is it the admin listener of chatd? --url names another one")]
    Foreign(Server, StatusCode),
}

/// A server's admin listener, as it is printed: without a password that may stand in its URL.
#[derive(Debug, Clone)]
pub(crate) struct Server(String);

impl Server {
    fn at(url: &Uri) -> Self {
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

/// A server, and what lets one in.
pub(super) struct Client {
    url: Uri,
    token: Option<Secret>,
}

impl Client {
    pub(super) fn new(url: Uri, token: Option<Secret>) -> Self {
        Self { url, token }
    }

    /// Whom it asks.
    pub(super) fn server(&self) -> Server {
        Server::at(&self.url)
    }

    /// Reads an answer.
    pub(super) fn read<T: DeserializeOwned>(&self, answer: &[u8]) -> Result<T, AskError> {
        serde_json::from_slice(answer).map_err(|error| AskError::Answer(self.server(), error))
    }

    /// The answer's body. The parts of the path are encoded, and the values of the query, here and below.
    pub(super) fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Vec<u8>, AskError> {
        self.ask(Method::GET, &target(path, query), None)
    }

    pub(super) fn delete(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Vec<u8>, AskError> {
        self.ask(Method::DELETE, &target(path, query), None)
    }

    pub(super) fn post(&self, path: &[&str], body: &impl Serialize) -> Result<Vec<u8>, AskError> {
        let body = serde_json::to_vec(body).map_err(|error| AskError::Answer(self.server(), error))?;
        self.ask(Method::POST, &target(path, &[]), Some(body))
    }

    fn ask(&self, method: Method, target: &str, json: Option<Vec<u8>>) -> Result<Vec<u8>, AskError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let late = || AskError::Late(self.server());
            tokio::time::timeout(PATIENCE, self.exchange(method, target, json)).await.map_err(|_| late())?
        })
    }

    async fn exchange(
        &self,
        method: Method,
        target: &str,
        json: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, AskError> {
        let authority = self.url.authority().filter(|_| self.url.scheme_str() == Some("http"));
        let authority = authority.ok_or_else(|| AskError::Url(self.server()))?;
        // brackets belong to the way an address of IPv6 is written, not to it
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let connected = TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await;
        let stream = connected.map_err(|error| AskError::Connect(self.server(), error))?;
        let broken = |error| AskError::Broken(self.server(), error);
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let connection = tokio::spawn(connection);
        let request = self.request(method, authority.as_str(), target, json)?;
        let answer = sender.send_request(request).await.map_err(broken)?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(broken)?.to_bytes().to_vec();
        connection.abort();
        if status.is_success() { Ok(body) } else { Err(self.refused(status, &body)) }
    }

    fn refused(&self, status: StatusCode, body: &[u8]) -> AskError {
        let server = self.server();
        match (status, serde_json::from_slice::<Problem>(body)) {
            (_, Err(_)) => AskError::Foreign(server, status),
            (StatusCode::FORBIDDEN, Ok(_)) => AskError::NoToken(server),
            (StatusCode::UNAUTHORIZED, Ok(_)) if self.token.is_none() => AskError::TokenMissing(server),
            (StatusCode::UNAUTHORIZED, Ok(_)) => AskError::WrongToken(server),
            (_, Ok(problem)) => AskError::Refused(server, problem.error),
        }
    }

    fn request(
        &self,
        method: Method,
        authority: &str,
        target: &str,
        json: Option<Vec<u8>>,
    ) -> Result<Request<Full<Bytes>>, AskError> {
        let mut request = Request::builder().method(method).uri(target).header(HOST, authority);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        if json.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        Ok(request.body(Full::new(json.unwrap_or_default().into()))?)
    }
}

fn target(path: &[&str], query: &[(&str, &str)]) -> String {
    let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    let mut target = "/v1".to_owned();
    path.iter().for_each(|part| target.extend(["/", &encoded(part).to_string()]));
    for (i, (name, value)) in query.iter().enumerate() {
        let before = if i == 0 { "?" } else { "&" };
        target.extend([before, name, "=", &encoded(value).to_string()]);
    }
    target
}
