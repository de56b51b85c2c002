//! Asks a running server.

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
use tokio::net::TcpStream;

use super::Secret;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no answer, or not the one that was hoped for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("{0} is no address of a server: http://host:port")]
    Url(Uri),
    #[error("{url} does not answer: {error}")]
    Connect { url: Uri, error: io::Error },
    #[error("{url} has not answered within {PATIENCE:?}")]
    Late { url: Uri },
    #[error("the connection broke: {0}")]
    Broken(#[from] hyper::Error),
    #[error("the question can't be put: {0}")]
    Question(#[from] http::Error),
    #[error("the system refuses: {0}")]
    System(#[from] io::Error),
    #[error("the answer can't be understood: {0}")]
    Answer(serde_json::Error),
    #[error("{0}")]
    Refused(String),
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

    /// The answer's body. The parts of the path are encoded, and the values of the query, here and below.
    pub(super) fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Vec<u8>, AskError> {
        self.ask(Method::GET, &target(path, query), None)
    }

    pub(super) fn delete(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Vec<u8>, AskError> {
        self.ask(Method::DELETE, &target(path, query), None)
    }

    pub(super) fn post(&self, path: &[&str], body: &impl Serialize) -> Result<Vec<u8>, AskError> {
        self.ask(Method::POST, &target(path, &[]), Some(serde_json::to_vec(body).map_err(AskError::Answer)?))
    }

    fn ask(&self, method: Method, target: &str, json: Option<Vec<u8>>) -> Result<Vec<u8>, AskError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let late = || AskError::Late { url: self.url.clone() };
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
        let authority = authority.ok_or_else(|| AskError::Url(self.url.clone()))?;
        // brackets belong to the way an address of IPv6 is written, not to it
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let connected = TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await;
        let stream = connected.map_err(|error| AskError::Connect { url: self.url.clone(), error })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let answer = sender.send_request(self.request(method, authority.as_str(), target, json)?).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes().to_vec();
        connection.abort();
        if status.is_success() { Ok(body) } else { Err(refused(status, &body)) }
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

fn refused(status: StatusCode, body: &[u8]) -> AskError {
    let why = serde_json::from_slice::<Problem>(body).map(|problem| problem.error);
    AskError::Refused(why.unwrap_or_else(|_| format!("the server answers {status}")))
}
