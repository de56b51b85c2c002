//! The headers of every response.

use std::error::Error;
use std::fmt;

use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::asset::Audience;

/// Which images the page may show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Images {
    /// Only its own.
    #[default]
    Own,
    /// Images in messages too, from any server with `https`.
    Remote,
}

/// The text is not a source of images that a Content-Security-Policy can name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidSource(String);

impl fmt::Display for InvalidSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a source that a Content-Security-Policy can name", self.0)
    }
}

impl Error for InvalidSource {}

/// What precedes the images of other servers in the policy.
const OWN_IMAGES: &str = "img-src 'self' data:";

/// The Content-Security-Policy: the page may load its own files, connect to its own server, and set
/// HTML through a single policy. `connect-src 'self'` covers WebSockets of the same origin (CSP
/// Level 3, section 6.7.2.8).
fn text(images: Images) -> &'static str {
    macro_rules! policy {
        ($images:literal) => {
            concat!(
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src ",
                $images,
                "; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; ",
                "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types chatd"
            )
        };
    }
    match images {
        Images::Own => policy!("'self' data:"),
        Images::Remote => policy!("'self' data: https:"),
    }
}

pub(crate) fn policy(images: Images) -> HeaderValue {
    HeaderValue::from_static(text(images))
}

/// The policy of a page that may show one more image, of another server.
pub(crate) fn policy_with(images: Images, image: &str) -> Result<HeaderValue, InvalidSource> {
    let invalid = || InvalidSource(image.to_owned());
    // the excluded characters separate sources, directives and policies, or stand for any server
    let is_allowed = |byte: u8| byte.is_ascii_graphic() && !b";,*".contains(&byte);
    let is_remote = image.starts_with("http://") || image.starts_with("https://");
    if !is_remote || !image.bytes().all(is_allowed) {
        return Err(invalid());
    }
    if images == Images::Remote && image.starts_with("https:") {
        // it is allowed already
        return Ok(policy(images));
    }
    let text = text(images).replacen(OWN_IMAGES, &format!("{OWN_IMAGES} {image}"), 1);
    HeaderValue::try_from(text).map_err(|_| invalid())
}

/// Adds the headers that every response has.
pub(crate) fn add(headers: &mut HeaderMap, audience: Audience, policy: HeaderValue) {
    let fixed = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-cache"),
        (VARY, "accept-encoding"),
    ];
    headers.extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
    let more: &[(HeaderName, &'static str)] = match audience {
        Audience::Page => &[
            (X_FRAME_OPTIONS, "DENY"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
            (
                HeaderName::from_static("permissions-policy"),
                "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
            ),
        ],
        Audience::Everyone => &[
            (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
        ],
    };
    headers.extend(more.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))));
    headers.insert(CONTENT_SECURITY_POLICY, policy);
}
