//! Shortening of values from clients for the log.

use std::fmt::{self, Write};

/// The maximum length of a value in a log line, in characters.
pub const MAX_CHARS: usize = 100;

/// The maximum length of a character in UTF-8, in bytes.
const MAX_CHAR_BYTES: usize = 4;

/// Formats a value for the log: at most [`MAX_CHARS`] characters, followed by an ellipsis if the
/// value is longer. Control characters, quotes and backslashes are escaped. Bytes that are not
/// UTF-8 become U+FFFD.
pub fn cut(value: &[u8]) -> Cut<'_> {
    Cut(value)
}

/// A value whose `Display` is shortened. See [`cut`].
#[derive(Debug, Clone, Copy)]
pub struct Cut<'a>(&'a [u8]);

impl fmt::Display for Cut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = &self.0[..self.0.len().min(MAX_CHARS * MAX_CHAR_BYTES)];
        let text = String::from_utf8_lossy(first);
        let mut escaped = text.chars().flat_map(char::escape_debug);
        for character in escaped.by_ref().take(MAX_CHARS) {
            f.write_char(character)?;
        }
        let is_cut = escaped.next().is_some() || first.len() < self.0.len();
        if is_cut { f.write_char('…') } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_value_is_not_changed() {
        assert_eq!(cut(b"").to_string(), "");
        assert_eq!(cut("https://café.example".as_bytes()).to_string(), "https://café.example");
        let longest = "é".repeat(MAX_CHARS);
        assert_eq!(cut(longest.as_bytes()).to_string(), longest);
    }

    #[test]
    fn a_long_value_is_cut_whatever_it_contains() {
        for value in [vec![b'x'; 30_000], "é".repeat(101).into_bytes(), vec![0; 30_000], vec![0xff; 30_000]]
        {
            let shown = cut(&value).to_string();
            assert_eq!(shown.chars().count(), MAX_CHARS + 1, "{shown}");
            assert!(shown.ends_with('…'));
        }
    }

    #[test]
    fn a_value_has_no_line_breaks() {
        assert_eq!(cut(b"a\nb\x1b[31m\"").to_string(), "a\\nb\\u{1b}[31m\\\"");
    }
}
