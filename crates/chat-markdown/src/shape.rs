//! A look at a body before it is parsed.

/// How deep blocks may stand in each other for the body to be parsed at all. The parser looks at each open block for each line, so
/// its time grows with depth times lines.
const MOST_DEPTH: usize = 64;

/// Whether some line could stand deeper in blocks than [`MOST_DEPTH`].
///
/// To stand in a block a line has a marker for it, or two columns of space. Counting them finds every block that is too deep, and a
/// few lines that are not: a hundred dashes with spaces between them.
pub(crate) fn is_too_deep(body: &str) -> bool {
    body.split(['\n', '\r']).any(|line| deepest(line.as_bytes()) > MOST_DEPTH)
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
                // The space behind it is its own.
                markers += 1;
                columns = columns.saturating_sub(1);
            }
            b'0'..=b'9' => {}
            _ => break,
        }
    }
    if markers == 0 { 0 } else { markers + columns / 2 }
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
    fn what_people_write_does_not() {
        assert!(!is_too_deep(&"-".repeat(500)));
        assert!(!is_too_deep(&format!("{}let it = be;", " ".repeat(500))));
        assert!(!is_too_deep("> > > - 1. a"));
        assert!(!is_too_deep("3.14159 and so on, 10 - 2 = 8"));
    }
}
