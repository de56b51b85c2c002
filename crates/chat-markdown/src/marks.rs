//! A bound for combining marks: hundreds of them on one letter would be drawn over other messages.

use std::borrow::Cow;

use unicode_normalization::char::is_combining_mark;

use crate::limits::MAX_MARKS;

/// The first byte that a combining mark can begin with.
const FIRST: u8 = 0xCC;

/// Counts the marks since the last other character, over all pieces of a text.
#[derive(Debug, Default)]
pub(crate) struct Marks(usize);

impl Marks {
    /// The text with at most [`MAX_MARKS`] on each character.
    pub(crate) fn bounded<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
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

/// Whether the character takes no space, so that marks after it still stand on the letter before it.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_bounded_for_each_character() {
        let mut marks = Marks::default();
        let stack = "\u{301}".repeat(MAX_MARKS);
        assert_eq!(marks.bounded(&format!("a{stack}\u{302}b{stack}")), format!("a{stack}b{stack}"));
        // The next piece goes on where this one ended.
        assert_eq!(marks.bounded(&format!("\u{301}{stack}")), "");
        assert_eq!(marks.bounded(&format!("\u{200d}\u{301}\u{200b}{stack}")), "\u{200d}\u{200b}");
        assert_eq!(marks.bounded("c"), "c");
        assert_eq!(marks.bounded(&stack), stack);
    }

    #[test]
    fn what_languages_need_fits() {
        for text in ["Việt Nam", "שָׁלוֹם", "اَلسَّلَامُ عَلَيْكُمْ", "หนึ่งที่", "क्षत्रिय", "བསྒྲུབས", "👩🏽‍❤️‍💋‍👨🏻", "🏴󠁧󠁢󠁳󠁣󠁴󠁿"]
        {
            assert_eq!(Marks::default().bounded(text), text);
        }
    }
}
