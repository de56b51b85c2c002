//! Responses to requests for the page.

use std::sync::{PoisonError, RwLock};

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderValue, Method, Response, StatusCode, Uri, request};

use crate::asset::{Asset, Assets, Audience, NOT_FOUND};
use crate::headers::{self, Images, InvalidSource};
use crate::negotiation::{accepts_gzip, accepts_html, etag_matches};

/// Answers requests for the page, its files, and the JavaScript client.
#[derive(Debug)]
pub struct Pages {
    assets: Assets,
    images: Images,
    /// The Content-Security-Policy of every response.
    policy: RwLock<HeaderValue>,
}

impl Default for Pages {
    fn default() -> Self {
        Self::new(Images::default())
    }
}

impl Pages {
    /// Creates pages that may show these images.
    pub fn new(images: Images) -> Self {
        Self { assets: Assets::default(), images, policy: RwLock::new(headers::policy(images)) }
    }

    /// Lets the page show one image of another server, such as the logo of the site, in place of
    /// the one before. `image` is its URL without a query, as a Content-Security-Policy names it.
    ///
    /// # Errors
    /// [`InvalidSource`] if a policy cannot name it, or it would allow more. The page may show its
    /// own images only then.
    pub fn allow_image(&self, image: Option<&str>) -> Result<(), InvalidSource> {
        let policy = image.map(|image| headers::policy_with(self.images, image)).transpose();
        let new = policy.as_ref().ok().cloned().flatten().unwrap_or_else(|| headers::policy(self.images));
        // a value is replaced as a whole, so it is valid even if the lock is poisoned
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = new;
        policy.map(|_| ())
    }

    /// Sets the name of the site: in the titles of the pages, which link previews show, and for the
    /// page when it is installed as an app.
    pub fn set_site_name(&self, name: &str) {
        self.assets.set_site_name(name);
    }

    fn policy(&self) -> HeaderValue {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers a request. Returns `None` if the path does not belong to the page and the client
    /// does not ask for HTML. A browser gets a page with the status 404 instead. The response to
    /// `HEAD` has no body, and methods other than `GET` and `HEAD` on a path of the page get the
    /// status 405. `/r`, `/r/` and a trailing slash are redirected.
    pub fn answer(&self, request: &request::Parts) -> Option<Response<Bytes>> {
        let is_read = matches!(request.method, Method::GET | Method::HEAD);
        if let Some(location) = redirect_target(&request.uri).filter(|_| is_read) {
            return Some(self.redirect(location));
        }
        let (asset, status) = match self.assets.get(asset_path(request.uri.path())) {
            Some(asset) => (asset, StatusCode::OK),
            None if is_read && accepts_html(&request.headers) => {
                (self.assets.get(NOT_FOUND)?, StatusCode::NOT_FOUND)
            }
            None => return None,
        };
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = status;
        headers::add(response.headers_mut(), asset.audience, self.policy());
        if !is_read {
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return Some(response);
        }
        let Asset { content_type, etag, gzip, plain, .. } = asset;
        if status == StatusCode::OK {
            let is_not_modified = etag.to_str().is_ok_and(|etag| etag_matches(&request.headers, etag));
            response.headers_mut().insert(ETAG, etag);
            if is_not_modified {
                *response.status_mut() = StatusCode::NOT_MODIFIED;
                return Some(response);
            }
        }
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        let body = match gzip.filter(|_| accepts_gzip(&request.headers)) {
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
        headers::add(response.headers_mut(), Audience::Page, self.policy());
        response.headers_mut().insert(LOCATION, location);
        response.headers_mut().insert(CONTENT_LENGTH, 0.into());
        response
    }
}

/// Where an address redirects to: `/r` and `/r/` name no room, and `/r/lobby/` has a trailing
/// slash.
fn redirect_target(uri: &Uri) -> Option<HeaderValue> {
    let rest = uri.path().strip_prefix("/r").filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
    let room = rest.trim_matches('/');
    let path = match room {
        "" => "/".to_owned(),
        _ if rest.ends_with('/') && is_place(room) => format!("/r/{room}"),
        _ => return None,
    };
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    HeaderValue::try_from(path + &query).ok()
}

/// The path of the file that serves a request. All rooms and messages share one page, which reads
/// the room's name and the message's number from its own address.
fn asset_path(path: &str) -> &str {
    if path.strip_prefix("/r/").is_some_and(is_place) { "/" } else { path }
}

/// Whether this is what follows `/r/` in the address of a room (`lobby`) or a message (`lobby/41`).
fn is_place(rest: &str) -> bool {
    let (room, seq) = rest.split_once('/').unwrap_or((rest, "0"));
    !room.is_empty() && !seq.is_empty() && seq.bytes().all(|byte| byte.is_ascii_digit())
}
