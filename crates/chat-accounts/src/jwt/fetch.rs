//! Requests the keys of an issuer by HTTP.

use std::fmt;
use std::time::Duration;

use ureq::Agent;
use ureq::http::Uri;

use super::{JwtKeyError, JwtKeyErrorKind};

/// How long a request may take, from the look-up of the host to the end of the body.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The maximum number of bytes of a body, and of a file.
pub(super) const MAX_SIZE: u64 = 256 * 1_024;

/// The URL of a JWKS. `Debug` and `Display` leave out what may be secret: user, password and query.
pub(super) struct Endpoint {
    url: Uri,
    shown: String,
    timeout: Duration,
}

impl Endpoint {
    pub(super) fn new(url: &str) -> Result<Self, JwtKeyError> {
        // the text may contain a password, so it is not part of the error
        let wrong =
            || JwtKeyError::new(JwtKeyErrorKind::Url, "the URL of the JWKS is not an http or https URL");
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let (Some(scheme @ ("http" | "https")), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong());
        };
        if authority.host().is_empty() {
            return Err(wrong());
        }
        let host = authority.as_str().rsplit_once('@').map_or(authority.as_str(), |(_, host)| host);
        let shown = format!("{scheme}://{host}{}", uri.path());
        Ok(Self { url: uri, shown, timeout: TIMEOUT })
    }

    /// Sends the request and returns the body of the response. It blocks.
    pub(super) fn fetch(&self) -> Result<Vec<u8>, JwtKeyError> {
        let agent = self.agent()?;
        let mut response = agent.get(&self.url).call().map_err(|error| self.failed(error))?;
        let status = response.status();
        if status.is_redirection() {
            return Err(self.unreachable(format!("it answered {status}, and redirects are not followed")));
        }
        if !status.is_success() {
            return Err(self.unreachable(format!("it answered {status}")));
        }
        response.body_mut().with_config().limit(MAX_SIZE).read_to_vec().map_err(|error| self.failed(error))
    }

    /// A client for one request, which is seldom.
    fn agent(&self) -> Result<Agent, JwtKeyError> {
        let settings = chat_http::settings(&self.url).map_err(|error| self.unreachable(error))?;
        Ok(settings
            .timeout_global(Some(self.timeout))
            .accept("application/jwk-set+json, application/json")
            .build()
            .into())
    }

    fn failed(&self, error: ureq::Error) -> JwtKeyError {
        let reason = match &error {
            ureq::Error::Timeout(_) => format!("it did not answer within {:?}", self.timeout),
            ureq::Error::BodyExceedsLimit(_) => format!("its answer has more than {MAX_SIZE} bytes"),
            error => error.to_string(),
        };
        self.unreachable(reason).with_source(error)
    }

    fn unreachable(&self, reason: impl fmt::Display) -> JwtKeyError {
        JwtKeyError::new(JwtKeyErrorKind::Unreachable, format!("can't load the JWKS from {self}: {reason}"))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.shown, f)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn only_http_urls_are_accepted() {
        for url in ["http://issuer.example/keys", "https://issuer.example", "http://[::1]:8080/keys?tenant=1"]
        {
            Endpoint::new(url).unwrap();
        }
        for url in
            ["", "issuer.example/keys", "/keys", "ftp://hunter2@issuer.example", "file:///keys", "http://"]
        {
            let error = Endpoint::new(url).unwrap_err();
            assert_eq!(error.kind(), JwtKeyErrorKind::Url, "{url}");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn the_password_of_the_url_is_not_shown() {
        let endpoint = Endpoint::new("http://ana:hunter2@127.0.0.1:1/keys?secret=hunter2").unwrap();
        let error = endpoint.fetch().unwrap_err();
        assert_eq!(error.kind(), JwtKeyErrorKind::Unreachable);
        let shown = format!("{endpoint} {endpoint:?} {error} {error:?}");
        assert!(shown.starts_with("http://127.0.0.1:1/keys "), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn an_issuer_that_does_not_answer_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        // nothing in the answer ends: one accepts and is silent, the other begins an answer
        for begun in ["", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{"] {
            let endpoint = Endpoint { timeout: Duration::from_millis(50), ..Endpoint::new(&url).unwrap() };
            let client = thread::spawn(move || endpoint.fetch().unwrap_err());
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(begun.as_bytes()).unwrap();
            let error = client.join().unwrap();
            assert_eq!(error.kind(), JwtKeyErrorKind::Unreachable);
            assert!(error.to_string().ends_with("it did not answer within 50ms"), "{error}");
        }
    }

    #[test]
    fn the_size_of_an_answer_is_limited() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        for (size, is_accepted) in [(MAX_SIZE, true), (MAX_SIZE + 1, false)] {
            let endpoint = Endpoint::new(&url).unwrap();
            let client = thread::spawn(move || endpoint.fetch());
            let (mut stream, _) = listener.accept().unwrap();
            // no length, so that it is the bytes that are counted
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".as_bytes();
            // a connection that is closed before the request was read loses the answer
            let request = BufReader::new(stream.try_clone().unwrap());
            request.lines().find(|line| line.as_ref().unwrap().is_empty()).unwrap().unwrap();
            let body = vec![b' '; size.try_into().unwrap()];
            // the client may have closed the connection before the end
            let _ = stream.write_all(&[head, &body].concat());
            drop(stream);
            let answer = client.join().unwrap();
            assert_eq!(answer.is_ok(), is_accepted, "{answer:?}");
            if let Err(error) = answer {
                assert!(error.to_string().ends_with("its answer has more than 262144 bytes"), "{error}");
            }
        }
    }
}
