//! Texts that may contain NUL (U+0000), which PostgreSQL can't store.
//!
//! A stored text has U+0001 U+0001 for U+0000, and U+0001 U+0002 for U+0001. So stored texts are
//! equal, and in the order of their code points, exactly if the texts are. Nearly no text has one
//! of the two characters, and all others are stored as they are.

use std::borrow::Cow;

/// What begins an escape.
const ESCAPE: char = '\u{1}';

/// The form in which a text is stored and compared. It only allocates if there is something to
/// escape.
pub fn to_stored(text: &str) -> Cow<'_, str> {
    // without an early exit, so that many bytes are compared at once
    if text.bytes().fold(false, |found, byte| found | (byte <= 1)) {
        Cow::Owned(text.replace(ESCAPE, "\u{1}\u{2}").replace('\0', "\u{1}\u{1}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The text that was stored in this form. What is not an escape, and was written by another
/// program, stays as it is.
pub fn from_stored(stored: String) -> String {
    if !stored.contains(ESCAPE) {
        return stored;
    }
    let mut text = String::with_capacity(stored.len());
    let mut rest = stored.chars().peekable();
    while let Some(c) = rest.next() {
        let original = match (c, rest.peek()) {
            (ESCAPE, Some('\u{1}')) => '\0',
            (ESCAPE, Some('\u{2}')) => ESCAPE,
            _ => {
                text.push(c);
                continue;
            }
        };
        text.push(original);
        rest.next();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_restored() {
        // all texts of up to 5 of these characters
        let mut texts = vec![String::new()];
        for length in 0..5 {
            let longest: Vec<_> =
                texts.iter().filter(|text| text.chars().count() == length).cloned().collect();
            for text in longest {
                texts.extend(['\0', '\u{1}', '\u{2}', 'é'].map(|c| format!("{text}{c}")));
            }
        }
        assert_eq!(texts.len(), 1 + 4 + 16 + 64 + 256 + 1_024);
        texts.sort();
        let stored: Vec<_> = texts.iter().map(|text| to_stored(text).into_owned()).collect();
        assert!(stored.iter().all(|text| !text.contains('\0')));
        assert!(stored.is_sorted_by(|one, next| one < next), "the order stays");
        for (text, stored) in texts.into_iter().zip(stored) {
            assert_eq!(from_stored(stored), text);
        }
    }

    #[test]
    fn other_texts_are_not_copied() {
        assert!(matches!(to_stored("plain\n\u{2}\u{7f}é"), Cow::Borrowed("plain\n\u{2}\u{7f}é")));
        assert_eq!(to_stored("a\0\u{1}"), "a\u{1}\u{1}\u{1}\u{2}");
        let stored = String::from("plain");
        let address = stored.as_ptr();
        let text = from_stored(stored);
        assert_eq!(text.as_ptr(), address);
    }

    #[test]
    fn what_is_no_escape_stays() {
        for text in ["\u{1}", "\u{1}x", "a\u{1}é"] {
            assert_eq!(from_stored(text.to_owned()), text);
        }
    }
}
