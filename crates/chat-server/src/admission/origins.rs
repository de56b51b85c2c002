//! Which web origins may use the server.

use std::str::FromStr;

use http::header::{HOST, HeaderMap, HeaderValue, ORIGIN};
use http::uri::{Authority, Scheme};

/// Origins whose pages may open WebSockets and read look-ups. Browsers send the page's origin in
/// `Origin` (RFC 6454, section 7). A request without it does not come from a page and is not
/// restricted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Origins {
    /// For `chat.v2`, only pages of this server, identified by the request's `Host`. For the
    /// classic endpoints, whose clients are hosted elsewhere, pages of every origin.
    #[default]
    Own,
    /// Pages of every origin.
    Any,
    /// Pages of this server and of these origins, on all endpoints.
    Listed(Vec<Origin>),
}

/// A web origin: scheme, host, and port unless it is the scheme's default (RFC 6454, section 6.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    scheme: Scheme,
    /// In lower case, without the scheme's default port.
    authority: String,
}

/// Not a valid list of origins.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a valid origin; write it like https://chat.example or http://localhost:5173")]
pub struct OriginError(String);

/// The endpoint a page connects to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Classic,
    V2,
}

impl Origins {
    /// Whether the request's origin may use this endpoint.
    pub(crate) fn allows(&self, headers: &HeaderMap, endpoint: Endpoint) -> bool {
        if matches!((self, endpoint), (Self::Any, _) | (Self::Own, Endpoint::Classic)) {
            return true;
        }
        let mut lines = headers.get_all(ORIGIN).into_iter();
        let (first, second) = (lines.next(), lines.next());
        let Some(line) = first else { return true };
        // `null` stands for an opaque origin and does not parse
        let origin = line.to_str().ok().and_then(|line| line.parse::<Origin>().ok());
        second.is_none()
            && origin.is_some_and(|origin| self.is_listed(&origin) || origin.is_same_origin(headers))
    }

    /// The `Access-Control-Allow-Origin` value for a look-up from another origin. `None` if the
    /// page may not read the response.
    pub(crate) fn allow_origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        match self {
            Self::Own | Self::Any => Some(HeaderValue::from_static("*")),
            Self::Listed(_) => self.allows(headers, Endpoint::Classic).then(|| origin.clone()),
        }
    }

    /// Description for the log.
    pub(crate) fn description(&self) -> &'static str {
        match self {
            Self::Own => {
                "allowed origins: only pages of this server for chat.v2, pages of every origin for classic clients"
            }
            Self::Any => "allowed origins: pages of every origin",
            Self::Listed(_) => "allowed origins: pages of this server and of the listed origins",
        }
    }

    fn is_listed(&self, origin: &Origin) -> bool {
        matches!(self, Self::Listed(listed) if listed.contains(origin))
    }
}

impl FromStr for Origins {
    type Err = OriginError;

    /// Parses `own`, `any`, or a comma-separated list of origins.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "own" => Ok(Self::Own),
            "any" => Ok(Self::Any),
            list => list.split(',').map(str::parse).collect::<Result<_, _>>().map(Self::Listed),
        }
    }
}

impl Origin {
    /// Whether this is the origin of the server the request was sent to. Only host and port are
    /// compared: behind a proxy the scheme may differ.
    fn is_same_origin(&self, headers: &HeaderMap) -> bool {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        host.and_then(|host| authority(host, &self.scheme)).is_some_and(|host| host == self.authority)
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || OriginError(text.trim().to_owned());
        let (scheme, rest) = text.trim().split_once("://").ok_or_else(error)?;
        let scheme = Scheme::try_from(scheme.to_ascii_lowercase().as_str()).map_err(|_| error())?;
        let authority = authority(rest, &scheme).ok_or_else(error)?;
        Ok(Self { scheme, authority })
    }
}

/// Normalizes host and port. `None` if the text contains anything else.
fn authority(text: &str, scheme: &Scheme) -> Option<String> {
    let authority: Authority = text.parse().ok()?;
    // rejects an empty host, user info and wildcards
    if authority.host().is_empty() || authority.as_str().contains(['@', '*']) {
        return None;
    }
    let host = authority.host().to_ascii_lowercase();
    let default_port = if *scheme == Scheme::HTTPS { 443 } else { 80 };
    match authority.port() {
        None => Some(host),
        Some(port) if port.as_u16() == default_port => Some(host),
        Some(port) => Some(format!("{host}:{port}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &str, origins: &[&str]) -> HeaderMap {
        let host = (HOST, HeaderValue::from_str(host).unwrap());
        let origins = origins.iter().map(|origin| (ORIGIN, HeaderValue::from_str(origin).unwrap()));
        let mut headers = HeaderMap::new();
        std::iter::once(host).chain(origins).for_each(|(name, value)| {
            headers.append(name, value);
        });
        headers
    }

    #[test]
    fn a_page_is_our_own_if_its_origin_matches_the_host() {
        let own = Origins::default();
        for (host, origin, allowed) in [
            ("localhost:8000", "http://localhost:8000", true),
            ("chat.example", "https://chat.example", true),
            ("chat.example:443", "https://chat.example", true),
            ("CHAT.example", "https://chat.EXAMPLE", true),
            ("[::1]:8000", "http://[::1]:8000", true),
            ("localhost:8000", "http://localhost:5173", false),
            ("localhost:8000", "http://127.0.0.1:8000", false),
            ("chat.example", "https://evil-chat.example", false),
            ("chat.example", "https://chat.example.evil", false),
            ("chat.example", "https://chat.example/", false),
            ("chat.example", "https://a@chat.example", false),
            ("chat.example", "null", false),
            ("chat.example", "", false),
        ] {
            let headers = headers(host, &[origin]);
            assert_eq!(own.allows(&headers, Endpoint::V2), allowed, "{origin} at {host}");
            assert!(own.allows(&headers, Endpoint::Classic));
            assert!(Origins::Any.allows(&headers, Endpoint::V2));
        }
        assert!(own.allows(&headers("a", &[]), Endpoint::V2), "not a page");
        assert!(
            !own.allows(&headers("a", &["http://a", "http://a"]), Endpoint::V2),
            "two origins are ambiguous"
        );
    }

    #[test]
    fn a_list_applies_to_every_endpoint_and_to_look_ups() {
        let listed: Origins = "https://a.example, http://localhost:5173".parse().unwrap();
        for (origin, allowed) in [
            ("https://a.example", true),
            ("http://localhost:5173", true),
            ("https://here", true),
            ("http://a.example", false),
            ("https://b.a.example", false),
            ("https://a.example:8443", false),
        ] {
            let headers = headers("here", &[origin]);
            for endpoint in [Endpoint::Classic, Endpoint::V2] {
                assert_eq!(listed.allows(&headers, endpoint), allowed, "{origin}");
            }
            assert_eq!(
                listed.allow_origin(&headers).is_some_and(|allowed_origin| allowed_origin == origin),
                allowed
            );
        }
        assert_eq!(Origins::Own.allow_origin(&headers("a", &["http://b"])).unwrap(), "*");
        assert_eq!(Origins::Own.allow_origin(&headers("a", &[])), None);
    }

    #[test]
    fn an_invalid_origin_makes_the_list_invalid() {
        for text in [
            "",
            "*",
            "a.example",
            "https://a/",
            "https://a/b",
            "https://*.a",
            "https://",
            "own,any",
            "https://a,",
        ] {
            assert!(text.parse::<Origins>().is_err(), "{text}");
        }
        assert_eq!("own".parse(), Ok(Origins::Own));
        assert_eq!("any".parse(), Ok(Origins::Any));
    }
}
