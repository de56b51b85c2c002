//! Content negotiation and conditional requests.

use http::HeaderMap;
use http::header::{ACCEPT, ACCEPT_ENCODING, IF_NONE_MATCH};

/// The elements of a list header, which may be split over several lines (RFC 9110, section 5.6.1).
fn elements(headers: &HeaderMap, name: http::HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|element| !element.is_empty())
}

/// Whether the client accepts gzip (RFC 9110, section 12.5.3).
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let mut wildcard = false;
    for element in elements(headers, ACCEPT_ENCODING) {
        let (coding, parameters) = element.split_once(';').unwrap_or((element, ""));
        let weight = parameters.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
        let is_accepted =
            weight.is_none_or(|(_, weight)| weight.trim().parse::<f32>().is_ok_and(|q| q > 0.0));
        let coding = coding.trim();
        if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
            return is_accepted;
        }
        wildcard |= coding == "*" && is_accepted;
    }
    wildcard
}

/// Whether the client is probably a browser that opens an address: those ask for `text/html` by
/// name.
pub(crate) fn accepts_html(headers: &HeaderMap) -> bool {
    elements(headers, ACCEPT).any(|element| {
        let (kind, _) = element.split_once(';').unwrap_or((element, ""));
        kind.trim().eq_ignore_ascii_case("text/html")
    })
}

/// Whether the client's copy has this ETag, by weak comparison (RFC 9110, section 13.1.2).
pub(crate) fn etag_matches(headers: &HeaderMap, etag: &str) -> bool {
    elements(headers, IF_NONE_MATCH).any(|tag| tag == "*" || opaque_tag(tag) == opaque_tag(etag))
}

fn opaque_tag(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &http::HeaderName, lines: &[&'static str]) -> HeaderMap {
        lines.iter().map(|line| (name.clone(), http::HeaderValue::from_static(line))).collect()
    }

    #[test]
    fn gzip_is_accepted_only_if_listed() {
        for (lines, accepts) in [
            (&[][..], false),
            (&["gzip"], true),
            (&["br, GZIP;q=0.5"], true),
            (&["br", "deflate, gzip ; q=1"], true),
            (&["gzip;q=0"], false),
            (&["gzip;q=0, *"], false),
            (&["*"], true),
            (&["*;q=0"], false),
            (&["identity"], false),
            (&["gzip;q=x"], false),
        ] {
            assert_eq!(accepts_gzip(&headers(&ACCEPT_ENCODING, lines)), accepts, "{lines:?}");
        }
    }

    #[test]
    fn html_is_accepted_only_if_named() {
        for (lines, accepts) in [
            (&["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"][..], true),
            (&["application/json", "Text/HTML;q=0.5"], true),
            (&["*/*"], false),
            (&["application/json"], false),
            (&[], false),
        ] {
            assert_eq!(accepts_html(&headers(&ACCEPT, lines)), accepts, "{lines:?}");
        }
    }

    #[test]
    fn an_etag_matches_weakly_and_in_a_list() {
        for (lines, known) in [
            (&[][..], false),
            (&["W/\"a\""], true),
            (&["\"a\""], true),
            (&["\"b\", W/\"a\""], true),
            (&["\"b\"", "\"a\""], true),
            (&["*"], true),
            (&["\"b\""], false),
        ] {
            assert_eq!(etag_matches(&headers(&IF_NONE_MATCH, lines), "W/\"a\""), known, "{lines:?}");
        }
    }
}
