//! Requests for the page and their answers.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use http::{HeaderValue, Method, Response, StatusCode, request};

use crate::asset::{Asset, Assets};
use crate::headers::{self, Images};
use crate::negotiation::{has, takes_gzip};

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

    /// The answer to a request; none where its path is none of ours. A `HEAD` is answered without a body, another method than that
    /// and `GET` by 405.
    pub fn answer(&self, request: &request::Parts) -> Option<Response<Bytes>> {
        let asset = self.assets.get(path(request.uri.path()))?;
        let mut response = Response::new(Bytes::new());
        headers::add(response.headers_mut(), asset.audience, self.images);
        if !matches!(request.method, Method::GET | Method::HEAD) {
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return Some(response);
        }
        let Asset { content_type, etag, gzip, plain, .. } = asset;
        let is_known = etag.to_str().is_ok_and(|etag| has(&request.headers, etag));
        response.headers_mut().insert(ETAG, etag);
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return Some(response);
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
}

/// Where what is asked for stands: every room has the same page, which reads the room's name off its own address.
fn path(path: &str) -> &str {
    let room = path.strip_prefix("/r/").filter(|room| !room.is_empty() && !room.contains('/'));
    if room.is_some() { "/" } else { path }
}
