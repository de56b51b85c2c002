//! The targets of links.

use url::Url;

use crate::limits::MAX_URL;

/// The allowed schemes.
pub(crate) const SCHEMES: [&str; 3] = ["http", "https", "mailto"];

/// A URL that is safe in an attribute: absolute, of an allowed scheme, of limited length, in
/// printable ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    written: String,
    is_https: bool,
}

impl Destination {
    /// `None` if a browser could interpret the URL as anything else than it seems to be.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        if url.len() > MAX_URL {
            return None;
        }
        let written = encoded(url);
        let parsed = Url::parse(&written).ok()?;
        // the URL parser ignores some characters in a scheme, so the scheme is compared literally
        let scheme = SCHEMES.iter().find(|scheme| **scheme == parsed.scheme())?;
        let plain = written.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
        let separate = written[scheme.len()..].starts_with(if *scheme == "mailto" { ":" } else { "://" });
        (plain && separate).then_some(Self { is_https: *scheme == "https", written })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.written
    }

    pub(crate) fn is_https(&self) -> bool {
        self.is_https
    }
}

/// Percent-encodes all characters that are not allowed in a URL.
fn encoded(url: &str) -> String {
    let mut written = String::with_capacity(url.len());
    for byte in url.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => written.push(char::from(byte)),
            b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b'?' | b'#' | b'[' | b']' | b'@' | b'!' | b'$'
            | b'&' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b'%' | b'\'' => {
                written.push(char::from(byte));
            }
            _ => {
                written.push('%');
                written.push(hex(byte >> 4));
                written.push(hex(byte & 15));
            }
        }
    }
    written
}

fn hex(digit: u8) -> char {
    char::from(if digit < 10 { b'0' + digit } else { b'A' + digit - 10 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_schemes_are_accepted() {
        for url in ["http://a", "HTTPS://a.b/c?d=e&f=g#h", "mailto:a@b.c", "http://[::1]:80/"] {
            assert_eq!(Destination::parse(url).unwrap().as_str(), url);
        }
        assert_eq!(Destination::parse("http://a/ü \"<").unwrap().as_str(), "http://a/%C3%BC%20%22%3C");
    }

    #[test]
    fn other_urls_are_rejected() {
        for url in [
            "",
            "a",
            "/a",
            "//a",
            "#a",
            "javascript:alert(1)",
            "JaVaScRiPt:a",
            " javascript:a",
            "java\tscript:a",
            "data:text/html,a",
            "vbscript:a",
            "file:///a",
            "ftp://a",
            "http:a",
            "http:/a",
            "http://",
            "http:\\\\a",
            "ht\ntp://a",
            "\u{1}http://a",
            "http://a b/",
            "http://a:99999/",
            "blob:https://a",
        ] {
            assert_eq!(Destination::parse(url), None, "{url:?}");
        }
        assert!(Destination::parse(&format!("http://a/{}", "b".repeat(MAX_URL))).is_none());
    }
}
