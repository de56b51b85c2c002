//! Checks a body before it is parsed.

/// The maximum depth of blocks in a body that is parsed. The parser visits each open block for each
/// line, so its time grows with depth times lines.
const MAX_DEPTH: usize = 64;

/// The maximum cost of link titles: the number of lines of each times its bytes. For each line of a
/// title the parser scans the title up to this line.
const MAX_TITLES: usize = 1 << 20;

/// Whether the body has a shape for which the parser's time grows faster than the body.
pub(crate) fn is_hostile(body: &str) -> bool {
    is_too_deep(body) || has_long_titles(body)
}

/// Whether some line could be deeper in blocks than [`MAX_DEPTH`].
///
/// A line in a block has a marker for it, or two columns of space. Counting them finds every block
/// that is too deep, and a few lines that are not, such as a hundred dashes with spaces between
/// them.
fn is_too_deep(body: &str) -> bool {
    body.split(['\n', '\r']).any(|line| deepest(line.as_bytes()) > MAX_DEPTH)
}

fn deepest(line: &[u8]) -> usize {
    let (mut markers, mut columns) = (0, 0_usize);
    for (i, byte) in line.iter().enumerate() {
        match byte {
            b' ' => columns += 1,
            b'\t' => columns += 4,
            b'>' => markers += 1,
            b'-' | b'+' | b'*' | b'.' | b')' => {
                if !matches!(line.get(i + 1), None | Some(b' ' | b'\t')) {
                    break;
                }
                // one space after a marker belongs to it
                markers += 1;
                columns = columns.saturating_sub(1);
            }
            b'0'..=b'9' => {}
            _ => break,
        }
    }
    if markers == 0 { 0 } else { markers + columns / 2 }
}

/// Whether the possible titles of links cost more than [`MAX_TITLES`].
///
/// A title follows a space, the end of a URL in angle brackets, or the marker of a quote.
/// Everything like this after the first link is counted, whether or not it is a title. Each is
/// scanned up to the next mark of its kind, so the body is read three times at most.
fn has_long_titles(body: &str) -> bool {
    let bytes = body.as_bytes();
    let Some(first) = body.find("](") else { return false };
    let mut cost = 0_usize;
    for i in first + 2..bytes.len() {
        let end = match bytes[i] {
            b'(' => b')',
            mark @ (b'"' | b'\'') => mark,
            _ => continue,
        };
        if !matches!(bytes[i - 1], b' ' | b'\t' | b'\n' | b'\r' | b'>') {
            continue;
        }
        let rest = &bytes[i + 1..];
        let length = rest.iter().position(|byte| *byte == end || *byte == bytes[i]).unwrap_or(rest.len());
        let lines = rest[..length].iter().filter(|byte| **byte == b'\n').count();
        cost += lines * length;
        if cost > MAX_TITLES {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_and_indentation_count() {
        assert!(is_too_deep(&">".repeat(65)));
        assert!(is_too_deep(&format!("fine\n{}a", "- ".repeat(65))));
        assert!(is_too_deep(&format!("{}- a", " ".repeat(130))));
        assert!(is_too_deep(&format!("{}1. a", "1. ".repeat(65))));
    }

    #[test]
    fn ordinary_text_is_not_hostile() {
        assert!(!is_too_deep(&"-".repeat(500)));
        assert!(!is_too_deep(&format!("{}let it = be;", " ".repeat(500))));
        assert!(!is_too_deep("> > > - 1. a"));
        assert!(!is_hostile(&"He said: \"[See](http://a \"b\")\", and (it's fine).\n".repeat(1_000)));
        assert!(!is_too_deep("3.14159 and so on, 10 - 2 = 8"));
    }

    #[test]
    fn unclosed_titles_count() {
        assert!(is_hostile(&format!("[a](b \"{}", "c\n".repeat(1_000))));
        assert!(is_hostile(&format!("[a](<b>'{}", "c\n".repeat(1_000))));
        assert!(!is_hostile(&format!("[a](b \"{}\")", "c\n".repeat(100))));
        assert!(!is_hostile(&format!("a (b \"{}", "c\n".repeat(1_000))));
    }
}
