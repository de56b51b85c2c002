//! Negotiation of the extension (RFC 6455, section 9.1; RFC 7692, sections 5 and 7.1).

use http::HeaderMap;
use http::header::{HeaderValue, SEC_WEBSOCKET_EXTENSIONS};

use super::WINDOW_BITS;

const NAME: &str = "permessage-deflate";

/// The response to every offer that is accepted.
const RESPONSE: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// Window sizes that a client may name. Its messages are decompressed with the largest one.
const WINDOWS: std::ops::RangeInclusive<u8> = 8..=15;

/// The response to the first offer of the extension that can be accepted.
pub(crate) fn accept(headers: &HeaderMap) -> Option<HeaderValue> {
    let lines = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter().filter_map(|line| line.to_str().ok());
    let offer = lines.flat_map(|line| line.split(',')).find_map(parse)?;
    Some(if offer.server_window {
        HeaderValue::from_str(&format!("{RESPONSE}; server_max_window_bits={WINDOW_BITS}")).ok()?
    } else {
        HeaderValue::from_static(RESPONSE)
    })
}

/// The parameters of an offer that the response has to repeat.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Offer {
    /// The client limits the server's window. The limit is large enough.
    server_window: bool,
}

/// Parses an offer. `None` if it is another extension, or one that has to be declined: because of
/// an unknown parameter, a repeated one, or an invalid value (RFC 7692, section 7.1).
fn parse(offer: &str) -> Option<Offer> {
    let mut parts = offer.split(';').map(str::trim);
    // names of extensions and parameters are case-sensitive: RFC 6455, section 9.1, defines no case
    // folding
    if parts.next() != Some(NAME) {
        return None;
    }
    let (mut parsed, mut seen) = (Offer::default(), Vec::new());
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
                parse_window(value)?;
            }
            ("server_max_window_bits", Some(value)) => {
                if parse_window(value)? < WINDOW_BITS {
                    return None;
                }
                parsed.server_window = true;
            }
            _ => return None,
        }
    }
    Some(parsed)
}

/// Removes the quotes around a value.
fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// Parses a number of bits without leading zeros.
fn parse_window(value: &str) -> Option<u8> {
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
    fn valid_offers_are_accepted() {
        for lines in [
            &["permessage-deflate"][..],
            // browsers and ws
            &["permessage-deflate; client_max_window_bits"],
            &["permessage-deflate; client_max_window_bits=9"],
            &["permessage-deflate;server_no_context_takeover ; client_no_context_takeover"],
            &["x-webkit-deflate-frame, permessage-deflate"],
            &["x-webkit-deflate-frame", "permessage-deflate"],
            // the second offer is accepted if the first cannot be
            &["permessage-deflate; server_max_window_bits=10, permessage-deflate"],
            &["permessage-deflate; unknown, permessage-deflate; client_max_window_bits"],
        ] {
            assert_eq!(accepted(lines).as_deref(), Some(RESPONSE), "{lines:?}");
        }
        for line in [
            // the websockets library for Python
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
            "permessage-deflate; server_max_window_bits=\"15\"",
        ] {
            let expected = format!("{RESPONSE}; server_max_window_bits=12");
            assert_eq!(accepted(&[line]), Some(expected), "{line}");
        }
    }

    #[test]
    fn invalid_offers_are_declined() {
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
