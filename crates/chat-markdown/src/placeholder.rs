//! Hides characters from the Markdown parser. Each hidden character is replaced by a Unicode
//! noncharacter, which the parser treats as a letter, and is restored in the output.

use std::borrow::Cow;

/// The characters that can be hidden, each with its placeholder.
const PLACEHOLDERS: [(u8, char); 10] = [
    (b'*', '\u{fdd0}'),
    (b'_', '\u{fdd1}'),
    (b'~', '\u{fdd2}'),
    (b'\\', '\u{fdd3}'),
    (b'&', '\u{fdd4}'),
    (b':', '\u{fdd5}'),
    (b'+', '\u{fdd6}'),
    (b'.', '\u{fdd7}'),
    (b')', '\u{fdd8}'),
    (b'>', '\u{fdd9}'),
];

/// Inserted between emphasis and punctuation, so that the parser sees a letter there.
const JOINER: char = '\u{fdda}';
pub(crate) const LINK_START: char = '\u{fddb}';
pub(crate) const LINK_END: char = '\u{fddc}';

/// The first two bytes of each placeholder, and its size in bytes.
const LEAD: [u8; 2] = [0xEF, 0xB7];
const WIDTH: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Edit {
    LinkEnd,
    Joiner,
    LinkStart,
    Hide,
}

/// Changes to a body before it is parsed.
#[derive(Debug, Default)]
pub(crate) struct Edits(Vec<(usize, Edit)>);

impl Edits {
    /// Marks the ASCII character at this offset as text.
    pub(crate) fn hide(&mut self, at: usize) {
        self.0.push((at, Edit::Hide));
    }

    /// Makes the parser see a letter before this offset.
    pub(crate) fn join(&mut self, at: usize) {
        self.0.push((at, Edit::Joiner));
    }

    pub(crate) fn link(&mut self, start: usize, end: usize) {
        self.0.push((start, Edit::LinkStart));
        self.0.push((end, Edit::LinkEnd));
    }

    /// Applies all changes to the body.
    pub(crate) fn apply(mut self, body: &str) -> Cow<'_, str> {
        if self.0.is_empty() {
            return Cow::Borrowed(body);
        }
        self.0.sort_unstable();
        self.0.dedup();
        let mut shielded = String::with_capacity(body.len() + self.0.len() * WIDTH);
        let mut done = 0;
        for (at, edit) in self.0 {
            shielded.push_str(&body[done..at]);
            done = at;
            match edit {
                Edit::LinkEnd => shielded.push(LINK_END),
                Edit::Joiner => shielded.push(JOINER),
                Edit::LinkStart => shielded.push(LINK_START),
                Edit::Hide => {
                    let byte = body.as_bytes()[at];
                    if let Some((_, placeholder)) = PLACEHOLDERS.iter().find(|(hidden, _)| *hidden == byte) {
                        shielded.push(*placeholder);
                        done += 1;
                    }
                }
            }
        }
        shielded.push_str(&body[done..]);
        Cow::Owned(shielded)
    }
}

/// The original text, without placeholders.
pub(crate) fn restored(text: &str) -> Cow<'_, str> {
    if !text.as_bytes().contains(&LEAD[0]) || !text.contains(is_reserved) {
        return Cow::Borrowed(text);
    }
    let mut restored = String::with_capacity(text.len());
    for c in text.chars() {
        match PLACEHOLDERS.iter().find(|(_, placeholder)| *placeholder == c) {
            Some((hidden, _)) => restored.push(char::from(*hidden)),
            None if is_reserved(c) => {}
            None => restored.push(c),
        }
    }
    Cow::Owned(restored)
}

/// The size of the original text in bytes.
pub(crate) fn restored_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut len = bytes.len();
    for i in 0..bytes.len() {
        if bytes[i] == LEAD[0] && bytes.get(i + 1) == Some(&LEAD[1]) {
            len -= match bytes.get(i + 2) {
                Some(0x90..=0x99) => WIDTH - 1,
                Some(0x9a..=0x9c) => WIDTH,
                _ => 0,
            };
        }
    }
    len
}

/// Whether the character is a placeholder. Bodies must not contain it.
pub(crate) fn is_reserved(c: char) -> bool {
    ('\u{fdd0}'..=LINK_END).contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_restored() {
        let body = "a*b_c~d\\e&f:g+h.i)j>k";
        let mut edits = Edits::default();
        for (at, _) in body.match_indices(|c: char| c.is_ascii_punctuation()) {
            edits.hide(at);
        }
        edits.join(3);
        edits.link(4, 6);
        let shielded = edits.apply(body).into_owned();
        assert!(!shielded.contains(|c: char| c.is_ascii_punctuation()));
        assert_eq!(restored(&shielded), body);
        assert_eq!(restored_len(&shielded), body.len());
    }

    #[test]
    fn other_noncharacters_are_unchanged() {
        let text = "\u{fdcf}\u{fddd}\u{fdf0}ﷺ";
        assert_eq!(restored(text), text);
        assert_eq!(restored_len(text), text.len());
    }
}
