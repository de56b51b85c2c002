//! What a client offers, and what is taken of it (RFC 6455, section 9.1; RFC 7692, sections 5 and 7.1).

use http::HeaderMap;
use http::header::{HeaderValue, SEC_WEBSOCKET_EXTENSIONS};

use super::WINDOW_BITS;

const NAME: &str = "permessage-deflate";

/// What is answered to every offer that is taken.
const ACCEPTED: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// What clients send is read with the largest window there is, so that they may ask for any.
const WINDOWS: std::ops::RangeInclusive<u8> = 8..=15;

/// The answer to a client that offers the extension in a way that can be taken: the first such offer is.
pub(crate) fn accept(headers: &HeaderMap) -> Option<HeaderValue> {
    let lines = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter().filter_map(|line| line.to_str().ok());
    let is_asked_for = lines.flat_map(|line| line.split(',')).find_map(read)?;
    Some(if is_asked_for.server_window {
        HeaderValue::from_str(&format!("{ACCEPTED}; server_max_window_bits={WINDOW_BITS}")).ok()?
    } else {
        HeaderValue::from_static(ACCEPTED)
    })
}

/// What an offer asks for that has to be answered.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Offer {
    /// The server is to look no further back than so far, which is far enough.
    server_window: bool,
}

/// None: it is another extension, or one that can't be taken as it is offered: with a parameter that is not known, or comes twice, or has a
/// value that it must not have (RFC 7692, section 7.1).
fn read(offer: &str) -> Option<Offer> {
    let mut parts = offer.split(';').map(str::trim);
    // names of extensions and parameters are compared as they are (RFC 6455, section 9.1, knows no case folding)
    if parts.next() != Some(NAME) {
        return None;
    }
    let (mut read, mut seen) = (Offer::default(), Vec::new());
    for part in parts {
        let (name, value) = part
            .split_once('=')
            .map_or((part, None), |(name, value)| (name.trim_end(), Some(unquoted(value.trim_start()))));
        if seen.contains(&name) {
            return None;
        }
        seen.push(name);
        match (name, value) {
            (
                "server_no_context_takeover" | "client_no_context_takeover" | "client_max_window_bits",
                None,
            ) => {}
            ("client_max_window_bits", Some(value)) => {
                window(value)?;
            }
            ("server_max_window_bits", Some(value)) => {
                if window(value)? < WINDOW_BITS {
                    return None;
                }
                read.server_window = true;
            }
            _ => return None,
        }
    }
    Some(read)
}

/// A value may stand between quotes.
fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// A number of bits, without zeros in front of it.
fn window(value: &str) -> Option<u8> {
    let is_plain = value.bytes().all(|byte| byte.is_ascii_digit()) && !value.starts_with('0');
    value.parse().ok().filter(|bits| is_plain && WINDOWS.contains(bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(lines: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(line));
        }
        accept(&headers).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn offers_that_are_taken() {
        for lines in [
            &["permessage-deflate"][..],
            // browsers and ws
            &["permessage-deflate; client_max_window_bits"],
            &["permessage-deflate; client_max_window_bits=9"],
            &["permessage-deflate;server_no_context_takeover ; client_no_context_takeover"],
            &["x-webkit-deflate-frame, permessage-deflate"],
            &["x-webkit-deflate-frame", "permessage-deflate"],
            // the second is taken where the first can't be
            &["permessage-deflate; server_max_window_bits=10, permessage-deflate"],
            &["permessage-deflate; unknown, permessage-deflate; client_max_window_bits"],
        ] {
            assert_eq!(accepted(lines).as_deref(), Some(ACCEPTED), "{lines:?}");
        }
        for line in [
            // websockets of Python
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
            "permessage-deflate; server_max_window_bits=\"15\"",
        ] {
            let expected = format!("{ACCEPTED}; server_max_window_bits=12");
            assert_eq!(accepted(&[line]), Some(expected), "{line}");
        }
    }

    #[test]
    fn offers_that_are_not() {
        for line in [
            "",
            "permessage-bzip2",
            "Permessage-Deflate",
            "permessage-deflate; unknown",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=11",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=012",
            "permessage-deflate; server_max_window_bits=+12",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; client_max_window_bits=x",
            "permessage-deflate; client_max_window_bits=",
            "permessage-deflate; client_max_window_bits; client_max_window_bits",
            "permessage-deflate;",
        ] {
            assert_eq!(accepted(&[line]), None, "{line}");
        }
    }
}
