//! The headers of every response.

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

/// The Content-Security-Policy: the page may load its own files, connect to its own server, and set
/// HTML through a single policy. `connect-src 'self'` covers WebSockets of the same origin (CSP
/// Level 3, section 6.7.2.8).
fn policy(images: Images) -> HeaderValue {
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
    HeaderValue::from_static(match images {
        Images::Own => policy!("'self' data:"),
        Images::Remote => policy!("'self' data: https:"),
    })
}

/// Adds the headers that every response has.
pub(crate) fn add(headers: &mut HeaderMap, audience: Audience, images: Images) {
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
    headers.insert(CONTENT_SECURITY_POLICY, policy(images));
}
