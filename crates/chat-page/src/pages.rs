//! Requests for the page and their answers.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderValue, Method, Response, StatusCode, Uri, request};

use crate::asset::{Asset, Assets, Audience, NOT_FOUND};
use crate::headers::{self, Images};
use crate::negotiation::{has, takes_gzip, takes_html};

/// Answers requests for the page, for what it is made of, and for the client for JavaScript.
#[derive(Debug, Default)]
pub struct Pages {
    assets: Assets,
    images: Images,
}

impl Pages {
    /// Pages that may show these images.
    pub fn new(images: Images) -> Self {
        Self { assets: Assets::default(), images }
    }

    /// The answer to a request; `None` if the path is not one of the page's and the client does not ask for HTML. A browser gets a
    /// page that says so, with the status 404. A `HEAD` is answered without a body, another method than that and `GET` by 405.
    pub fn answer(&self, request: &request::Parts) -> Option<Response<Bytes>> {
        let is_read = matches!(request.method, Method::GET | Method::HEAD);
        if let Some(location) = moved(&request.uri).filter(|_| is_read) {
            return Some(self.redirect(location));
        }
        let (asset, status) = match self.assets.get(path(request.uri.path())) {
            Some(asset) => (asset, StatusCode::OK),
            None if is_read && takes_html(&request.headers) => {
                (self.assets.get(NOT_FOUND)?, StatusCode::NOT_FOUND)
            }
            None => return None,
        };
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = status;
        headers::add(response.headers_mut(), asset.audience, self.images);
        if !is_read {
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return Some(response);
        }
        let Asset { content_type, etag, gzip, plain, .. } = asset;
        if status == StatusCode::OK {
            let is_known = etag.to_str().is_ok_and(|etag| has(&request.headers, etag));
            response.headers_mut().insert(ETAG, etag);
            if is_known {
                *response.status_mut() = StatusCode::NOT_MODIFIED;
                return Some(response);
            }
        }
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        let body = match gzip.filter(|_| takes_gzip(&request.headers)) {
            Some(gzip) => {
                response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                gzip
            }
            None => plain,
        };
        response.headers_mut().insert(CONTENT_LENGTH, body.len().into());
        if request.method == Method::GET {
            *response.body_mut() = body;
        }
        Some(response)
    }

    fn redirect(&self, location: HeaderValue) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
        headers::add(response.headers_mut(), Audience::Page, self.images);
        response.headers_mut().insert(LOCATION, location);
        response.headers_mut().insert(CONTENT_LENGTH, 0.into());
        response
    }
}

/// Where an address leads that is nearly one of the page's: `/r` and `/r/` name no room, `/r/lobby/` has a slash too many.
fn moved(uri: &Uri) -> Option<HeaderValue> {
    let rest = uri.path().strip_prefix("/r").filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
    let room = rest.trim_matches('/');
    let path = match room {
        "" => "/".to_owned(),
        _ if rest.ends_with('/') && !room.contains('/') => format!("/r/{room}"),
        _ => return None,
    };
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    HeaderValue::try_from(path + &query).ok()
}

/// Where what is asked for stands: every room has the same page, which reads the room's name off its own address.
fn path(path: &str) -> &str {
    let room = path.strip_prefix("/r/").filter(|room| !room.is_empty() && !room.contains('/'));
    if room.is_some() { "/" } else { path }
}
