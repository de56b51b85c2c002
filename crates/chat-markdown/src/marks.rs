//! Limits combining marks: hundreds of them on one letter would be drawn over other messages.

use std::borrow::Cow;

use unicode_normalization::char::is_combining_mark;

use crate::limits::MAX_MARKS;

/// The lowest first byte of a combining mark.
const FIRST: u8 = 0xCC;

/// Counts the marks since the last other character, across all pieces of a text.
#[derive(Debug, Default)]
pub(crate) struct Marks(usize);

impl Marks {
    /// The text with at most [`MAX_MARKS`] marks on each character.
    pub(crate) fn limited<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        if text.bytes().all(|byte| byte < FIRST) {
            if !text.is_empty() {
                self.0 = 0;
            }
            return Cow::Borrowed(text);
        }
        let mut bounded: Option<String> = None;
        for (at, c) in text.char_indices() {
            let fits = self.fits(c);
            match &mut bounded {
                Some(bounded) if fits => bounded.push(c),
                None if !fits => bounded = Some(text[..at].to_owned()),
                _ => {}
            }
        }
        bounded.map_or(Cow::Borrowed(text), Cow::Owned)
    }

    fn fits(&mut self, c: char) -> bool {
        if is_combining_mark(c) {
            self.0 += 1;
        } else if !is_invisible(c) {
            self.0 = 0;
        }
        self.0 <= MAX_MARKS || !is_combining_mark(c)
    }
}

/// Whether the character has no width, so that marks after it belong to the letter before it.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_limited_per_character() {
        let mut marks = Marks::default();
        let stack = "\u{301}".repeat(MAX_MARKS);
        assert_eq!(marks.limited(&format!("a{stack}\u{302}b{stack}")), format!("a{stack}b{stack}"));
        // the count continues in the next piece
        assert_eq!(marks.limited(&format!("\u{301}{stack}")), "");
        assert_eq!(marks.limited(&format!("\u{200d}\u{301}\u{200b}{stack}")), "\u{200d}\u{200b}");
        assert_eq!(marks.limited("c"), "c");
        assert_eq!(marks.limited(&stack), stack);
    }

    #[test]
    fn marks_of_languages_fit() {
        for text in ["Việt Nam", "שָׁלוֹם", "اَلسَّلَامُ عَلَيْكُمْ", "หนึ่งที่", "क्षत्रिय", "བསྒྲུབས", "👩🏽‍❤️‍💋‍👨🏻", "🏴󠁧󠁢󠁳󠁣󠁴󠁿"]
        {
            assert_eq!(Marks::default().limited(text), text);
        }
    }
}
