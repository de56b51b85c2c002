//! The differences between a chat's Markdown and CommonMark: characters that are meant as text are
//! hidden from the parser.

use std::borrow::Cow;
use std::ops::Range;

use crate::links::bare_links;
use crate::placeholder::Edits;
use crate::script::{is_punctuation, is_spaceless, is_wide_punctuation, opens};

/// The body for the parser, with placeholders for the characters that are meant as text.
pub(crate) fn shielded(body: &str) -> Cow<'_, str> {
    let links = bare_links(body);
    let mut edits = Edits::default();
    for link in &links {
        let text = &body[link.clone()];
        // the parser reads `<https://a.example>` as a link, and needs the brackets directly beside
        // the URL
        let is_in_angles = body[..link.start].ends_with('<') && body[link.end..].starts_with('>');
        if !is_in_angles || text.starts_with(['w', 'W']) {
            edits.link(link.start, link.end);
        }
        hide_all(text, link.start, &mut edits);
    }
    let mut start = 0;
    for line in body.split('\n') {
        let first = line_start(line, start, &mut edits);
        backslashes(line, start, first, &mut edits);
        start += line.len() + 1;
    }
    signs(body, &mut edits);
    words(body, &links, &mut edits);
    edits.apply(body)
}

/// Hides everything in `text` that could be markup.
fn hide_all(text: &str, start: usize, edits: &mut Edits) {
    for (at, byte) in text.bytes().enumerate() {
        if matches!(byte, b'*' | b'_' | b'~' | b'\\') {
            edits.hide(start + at);
        }
    }
}

/// Hides what looks like a marker at the start of a line and is not meant as one: `+ 1`,
/// `007. James`, `>:(`. Returns the position in the line at which an escaped marker may follow.
fn line_start(line: &str, start: usize, edits: &mut Edits) -> usize {
    let bytes = line.as_bytes();
    let ends_marker = |at: usize| matches!(bytes.get(at), None | Some(b' ' | b'\t'));
    let mut at = 0;
    loop {
        match bytes.get(at) {
            Some(b'>') if matches!(bytes.get(at + 1), Some(next) if b":;.=-/^,|)!?@%&+~_<".contains(next)) => {
                edits.hide(start + at);
                return at;
            }
            Some(b' ' | b'\t' | b'>') => at += 1,
            Some(b'-' | b'*') if ends_marker(at + 1) => at += 1,
            Some(b'+') if ends_marker(at + 1) => {
                edits.hide(start + at);
                return at;
            }
            Some(b'0'..=b'9') => {
                let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                let end = at + digits;
                if !matches!(bytes.get(end), Some(b'.' | b')')) || !ends_marker(end + 1) {
                    return end;
                }
                if digits > 1 && bytes[at] == b'0' {
                    edits.hide(start + end);
                    return end;
                }
                at = end + 1;
            }
            _ => return at,
        }
    }
}

/// Hides backslashes that escape nothing. `marker` is the position in the line at which an escaped
/// marker may follow.
fn backslashes(line: &str, start: usize, marker: usize, edits: &mut Edits) {
    let bytes = line.as_bytes();
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(|byte| *byte == b'\\') {
        at += found;
        let escapes = match bytes.get(at + 1) {
            Some(b'\\' | b'*' | b'_' | b'~' | b'`' | b'[' | b']' | b'<' | b'|') => true,
            Some(b'!') => bytes.get(at + 2) == Some(&b'['),
            Some(b'#' | b'>' | b'-' | b'+' | b'.' | b')') => at == marker,
            _ => false,
        };
        if escapes {
            at += 2;
        } else {
            edits.hide(start + at);
            at += 1;
        }
    }
}

/// Hides the `&` of possible entities, and the `:` of possible link definitions.
fn signs(body: &str, edits: &mut Edits) {
    let bytes = body.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let is_text = match byte {
            b'&' => bytes.get(at + 1).is_some_and(|next| next.is_ascii_alphanumeric() || *next == b'#'),
            b':' => at > 0 && bytes[at - 1] == b']',
            _ => false,
        };
        if is_text {
            edits.hide(at);
        }
    }
}

/// Checks each word: paths and file names are text, and so are stars within words. Beside
/// punctuation of scripts without spaces, emphasis may begin and end.
fn words(body: &str, links: &[Range<usize>], edits: &mut Edits) {
    let mut links = links.iter().peekable();
    let mut start = 0;
    for word in body.split(char::is_whitespace) {
        let end = start + word.len();
        if word.bytes().any(|byte| matches!(byte, b'*' | b'_' | b'~' | b'\\')) {
            let mut from = start;
            while let Some(link) = links.peek().filter(|link| link.start < end) {
                if link.start >= start {
                    piece(body, from..link.start, edits);
                    from = link.end.min(end);
                }
                links.next();
            }
            piece(body, from..end, edits);
            faces(word, start, edits);
            runs(body, start..end, edits);
        } else {
            while links.next_if(|link| link.start < end).is_some() {}
        }
        start = end + body[end..].chars().next().map_or(0, char::len_utf8);
    }
}

/// Hides possible markup in paths and file names.
fn piece(body: &str, range: Range<usize>, edits: &mut Edits) {
    let mut start = range.start;
    for part in body[range].split(['[', ']', '(', ')', '<', '>', '|', '"', '\'', '`']) {
        let end = start + part.len();
        if part.bytes().any(|byte| matches!(byte, b'*' | b'_' | b'~' | b'\\')) {
            let is_windows_path = has_literal_backslash(body, start..end);
            // emphasis around it is kept
            let inner = part.trim_start_matches(['*', '_', '~']);
            let from = end - inner.len();
            let mut inner = inner.trim_end_matches(['.', ',', ':', ';', '!', '?']);
            if !(is_windows_path && inner.trim_end_matches(['*', '_', '~']).ends_with('\\')) {
                inner = inner.trim_end_matches(['*', '_', '~']);
            }
            if is_windows_path || is_path(inner) || is_file_name(part) {
                hide_all(inner, from, edits);
            }
        }
        start = end + 1;
    }
}

/// Whether there is a backslash that cannot be an escape: `C:\Users`, `src\_private`, `dir\*.txt`,
/// `¯\_`.
fn has_literal_backslash(body: &str, range: Range<usize>) -> bool {
    let bytes = body.as_bytes();
    range.clone().filter(|at| bytes[*at] == b'\\').any(|at| {
        let before = at.checked_sub(1).map(|before| bytes[before]);
        let is_after_name = before.is_some_and(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b':' | b')' | b'%') || !byte.is_ascii()
        });
        match (bytes.get(at + 1), bytes.get(at + 2)) {
            (Some(next), _) if next.is_ascii_alphanumeric() => true,
            (Some(b'_'), next) => {
                let is_name = next.is_some_and(|next| next.is_ascii_alphanumeric() || !next.is_ascii());
                is_after_name && (is_name || !before.is_some_and(|byte| byte.is_ascii_alphanumeric()))
            }
            (Some(b'*'), Some(b'.')) => is_after_name,
            (Some(b'*'), None) => before == Some(b':'),
            (Some(b'*'), Some(next)) => before == Some(b':') || (is_after_name && *next == b'\\'),
            _ => false,
        }
    })
}

/// Whether it is a path: with slashes, and not `yes**/**no`.
fn is_path(text: &str) -> bool {
    text.find('/').is_some_and(|slash| !text[..slash].ends_with(['*', '~']))
}

/// Whether it is a file name or a pattern of file names, such as `__init__.py` and `*.txt`.
fn is_file_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.windows(3).any(|three| three[0] == b'_' && three[1] == b'.' && three[2].is_ascii_alphanumeric())
}

/// Hides underscores between two equal signs, and the signs themselves if they are stars or tildes:
/// `^_^`, `-_-`, `*_*`.
fn faces(word: &str, start: usize, edits: &mut Edits) {
    let mut at = 0;
    while let Some(found) = word[at..].find('_') {
        let mouth = at + found;
        at = mouth + word[mouth..].bytes().take_while(|byte| *byte == b'_').count();
        let (Some(left), Some(right)) = (word[..mouth].chars().next_back(), word[at..].chars().next()) else {
            continue;
        };
        let is_pair = left == right || (left == '>' && right == '<');
        if !is_pair || left.is_alphanumeric() || matches!(left, '"' | '`' | '|' | '\\' | '/') {
            continue;
        }
        let is_run = word[..mouth - left.len_utf8()].ends_with(left)
            || word[at + right.len_utf8()..].starts_with(right);
        if matches!(left, '*' | '~') && is_run {
            continue;
        }
        for at in mouth..at {
            edits.hide(start + at);
        }
        if matches!(left, '*' | '~') {
            edits.hide(start + mouth - 1);
            edits.hide(start + at);
        }
    }
}

/// Checks each run of stars or tildes in a word.
fn runs(body: &str, word: Range<usize>, edits: &mut Edits) {
    let text = &body[word.clone()];
    let is_marked = text.trim_start_matches(['(', '"', '\'', '[']).starts_with(['*', '_', '~']);
    let mut at = 0;
    while let Some(found) = text[at..].find(['*', '~']) {
        let start = at + found;
        let sign = text.as_bytes()[start];
        let length = text.as_bytes()[start..].iter().take_while(|byte| **byte == sign).count();
        let end = start + length;
        at = end;
        let before = body[..word.start + start].chars().next_back().unwrap_or(' ');
        let after = body[word.start + end..].chars().next().unwrap_or(' ');
        if is_text(&text[..start], &text[end..], before, after, length, is_marked) {
            for at in start..end {
                edits.hide(word.start + at);
            }
            continue;
        }
        // as if a letter stood between the emphasis and the punctuation, so that `**重要：**请看` is
        // bold
        if before != '\\' && joins(before, after) && !opens(before) {
            edits.join(word.start + start);
        }
        if joins(after, before) && opens(after) {
            edits.join(word.start + end);
        }
    }
}

/// Whether a run of stars or tildes cannot be emphasis: `2*3*4`, `x**2`, `f*ck`, `5~10`, `*.txt`,
/// `.*`. `start` and `rest` are the parts of the word around it, `before` and `after` the
/// characters beside it.
fn is_text(start: &str, rest: &str, before: char, after: char, length: usize, is_marked: bool) -> bool {
    let is_letter = |c: char| c.is_alphanumeric() && !is_spaceless(c);
    if !is_marked && is_letter(before) && is_letter(after) {
        return true;
    }
    if length > 1 {
        return false;
    }
    // an emoticon: `(*^_^*)`
    if before == '('
        && is_punctuation(after)
        && !opens(after)
        && !matches!(after, '_' | '~' | '`' | '!' | '\\')
    {
        return true;
    }
    // a pattern of file names
    let is_first = start.is_empty() || start.ends_with(['/', '(', '"', '\'']);
    let is_extension = |rest: &str| rest.starts_with(|c: char| c.is_alphanumeric() || c == '*');
    if is_first && rest.strip_prefix('.').is_some_and(is_extension) {
        return true;
    }
    // a regular expression
    let before_dot = start.strip_suffix('.').map(|start| start.chars().next_back());
    before_dot.is_some_and(|before| after.is_alphanumeric() || !before.is_some_and(char::is_alphanumeric))
}

/// Whether the punctuation `beside` a run, with `beyond` on the other side of the run, allows
/// emphasis.
fn joins(beside: char, beyond: char) -> bool {
    !beyond.is_whitespace()
        && (is_wide_punctuation(beside) || (is_punctuation(beside) && is_spaceless(beyond)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placeholder::restored;

    /// The characters of the body that are hidden from the parser.
    fn hidden(body: &str) -> String {
        let shielded = shielded(body);
        assert_eq!(restored(&shielded), body);
        let mut written = body.chars().peekable();
        let mut hidden = String::new();
        for c in shielded.chars() {
            if written.peek() == Some(&c) {
                written.next();
            } else if restored(&c.to_string()).is_empty() {
                continue;
            } else {
                hidden.extend(written.next());
            }
        }
        hidden
    }

    #[test]
    fn paths_are_text() {
        for (body, expected) in [
            (r"C:\Users\_me\*.txt", r"\\_\*"),
            (r"C:\", r"\"),
            (r"C:\*", r"\*"),
            (r"C:\Program Files (x86)\_me", r"\\_"),
            (r"\\server\share\_x", r"\\\\_"),
            (r"src\_private\mod.rs", r"\_\"),
            (r"¯\_(ツ)_/¯", r"\_"),
            ("Lib/json/__init__.py", "____"),
            ("__init__.py", "__"),
            ("src/**/*.rs and lib/**/*.rs", "******"),
            ("~/a_b/*x", "_*"),
            ("*.txt and *.md", "**"),
            ("*.tar.*", "*"),
        ] {
            assert_eq!(hidden(body), expected, "{body}");
        }
    }

    #[test]
    fn stars_within_words_are_text() {
        for (body, expected) in [
            ("2*3*4", "**"),
            ("x**2 + y**2", "****"),
            ("f*ck this sh*t", "**"),
            ("5~10, 3~4", "~~"),
            ("^_^ and -__- and ¬_¬", "____"),
            ("*_* ~_~", "*_*~_~"),
            ("(*^_^*)", "*_"),
            ("(.*)", "*"),
            (".*foo.*bar", "**"),
        ] {
            assert_eq!(hidden(body), expected, "{body}");
        }
    }

    #[test]
    fn unintended_markers_are_text() {
        for (body, expected) in [
            ("+ 1", "+"),
            ("> + 1", "+"),
            ("007. James", "."),
            ("00) a", ")"),
            (">:(", ">"),
            (">_<", ">_"),
            ("&amp; &#38; a & b", "&&"),
            ("[a]: https://b.example", ":"),
            ("a\\\nb\\", "\\\\"),
            (r"\(a\) \, \; 50\%", r"\\\\\"),
            (r"a\-b 1\.5", r"\\"),
        ] {
            assert_eq!(hidden(body), expected, "{body}");
        }
    }

    #[test]
    fn markup_is_not_hidden() {
        for body in [
            "*a* **b** ~~c~~ __d__ _e_ `f` [g](h)",
            "**H**yper**T**ext",
            "*done.* (*done.*)",
            "**yes**/**no**",
            "**重要**的",
            "> a\n>b\n>> c\n- d\n* e\n1. f\n2) g\n10. h",
            r"\*a\* \_b\_ \`c\` \[d\] \~e\~ \\ \![",
            "\\# a\n\\> b\n\\- c\n1\\. d\n2\\) e",
            r"2\*3\*4",
            "***a** b*",
            "**_a_** ~~_b_~~ *_c_* (*\"d\"*) (*_e_*)",
        ] {
            assert_eq!(hidden(body), "", "{body}");
        }
    }
}
