//! Finds where a message may address somebody: `@` and a name.

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use crate::limits::MAX_MARKDOWN;
use crate::literal::shielded;
use crate::placeholder::{LINK_END, LINK_START, restored};
use crate::renderer::normalised;
use crate::script::is_spaceless;
use crate::shape::is_hostile;
use crate::writer::OPTIONS;

/// How many places are found in one message. Further ones address nobody.
pub const MAX_MENTIONS: usize = 20;

/// How many characters after an `@` can be a name.
const MAX_NAME: usize = 64;

/// A place where a message may address somebody: the text after an `@`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MentionText {
    text: String,
    /// Where a name can end.
    ends: Vec<usize>,
}

impl MentionText {
    /// Every text that may be the name, the longest one first. Only the program knows which of them
    /// is a name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.ends.iter().rev().map(|end| &self.text[..*end])
    }
}

/// The places where a message may address somebody, as it is shown: outside of code and links, and
/// not in a mail address.
///
/// A name has letters, marks, digits, `_` and `-`. It ends where none of these follows, or else, in
/// scripts that write no spaces, after any character. A body that [`Renderer`](crate::Renderer)
/// shows as plain text addresses nobody.
///
/// ```
/// let found = chat_markdown::mentions("*@ana*, see `@bob` or mail eve@example.com. @田中さん");
/// let names: Vec<Vec<&str>> = found.iter().map(|mention| mention.names().collect()).collect();
/// assert_eq!(names, [vec!["ana"], vec!["田中さん", "田中さ", "田中", "田"]]);
/// ```
pub fn mentions(body: &str) -> Vec<MentionText> {
    if !body.contains('@') {
        return Vec::new();
    }
    let body = normalised(body);
    if body.len() > MAX_MARKDOWN || is_hostile(&body) {
        return Vec::new();
    }
    let mut finder = Finder::default();
    for event in Parser::new_ext(&shielded(&body), OPTIONS) {
        finder.event(&event);
        if finder.found.len() >= MAX_MENTIONS {
            break;
        }
    }
    finder.end();
    finder.found
}

#[derive(Debug, Default)]
struct Finder {
    /// The text of a block, as far as it is known.
    text: String,
    /// How many links and images are open.
    links: usize,
    in_code: bool,
    found: Vec<MentionText>,
}

/// Stands for what is no text: it is not a letter.
const OTHER: char = '\u{fffc}';

impl Finder {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Text(text) if !self.in_code && self.links == 0 => self.push(text),
            Event::Text(_) | Event::Code(_) => self.text.push(OTHER),
            Event::Html(text) | Event::InlineHtml(text) => self.push(text),
            Event::SoftBreak | Event::HardBreak => self.text.push('\n'),
            Event::Start(Tag::CodeBlock(_)) => self.in_code = true,
            Event::End(TagEnd::CodeBlock) => {
                self.in_code = false;
                self.end();
            }
            Event::Start(Tag::Link { .. } | Tag::Image { .. }) => self.links += 1,
            Event::End(TagEnd::Link | TagEnd::Image) => {
                self.links = self.links.saturating_sub(1);
                self.text.push(OTHER);
            }
            // emphasis does not end a name
            Event::Start(Tag::Emphasis | Tag::Strong | Tag::Strikethrough)
            | Event::End(TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough) => {}
            _ => self.end(),
        }
    }

    /// Adds text, without the bare links in it.
    fn push(&mut self, text: &str) {
        let mut rest = text;
        while let Some(start) = rest.find(LINK_START) {
            self.text.push_str(&restored(&rest[..start]));
            self.text.push(OTHER);
            let end = rest[start..].find(LINK_END).map_or(rest.len(), |end| start + end);
            rest = &rest[end..];
        }
        self.text.push_str(&restored(rest));
    }

    /// The end of a block.
    fn end(&mut self) {
        let text = std::mem::take(&mut self.text);
        let mut before = None;
        for (at, c) in text.char_indices() {
            let may_begin = before.is_none_or(|before| !is_of_a_name(before) || is_spaceless(before));
            if c == '@' && may_begin && self.found.len() < MAX_MENTIONS {
                self.found.extend(candidate(&text[at + 1..]));
            }
            before = Some(c);
        }
    }
}

fn is_of_a_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-') || is_mark(c)
}

/// Whether the character is written over the one before it.
fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

/// The text at the beginning of `rest` that may be a name.
fn candidate(rest: &str) -> Option<MentionText> {
    let length = rest.chars().take(MAX_NAME).take_while(|c| is_of_a_name(*c)).map(char::len_utf8).sum();
    let text = &rest[..length];
    let name = text.trim_end_matches(['_', '-']).len();
    let mut ends = Vec::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let end = at + c.len_utf8();
        let ends_here = match characters.peek() {
            None => true,
            Some((_, next)) if is_mark(*next) => false,
            // signs at the end may belong to the text
            Some((_, next)) => end >= name || is_spaceless(c) || is_spaceless(*next),
        };
        if ends_here {
            ends.push(end);
        }
    }
    (!ends.is_empty()).then(|| MentionText { text: text.to_owned(), ends })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The longest and the shortest name of each place.
    fn found(body: &str) -> Vec<String> {
        let names = |mention: MentionText| {
            let names: Vec<_> = mention.names().map(str::to_owned).collect();
            if names.len() == 1 { names[0].clone() } else { names.join("|") }
        };
        mentions(body).into_iter().map(names).collect()
    }

    #[test]
    fn names_are_found_where_they_are_shown() {
        for (body, expected) in [
            ("@ana", &["ana"][..]),
            ("hi @ana, @bob: (@cid) @dan's \"@eve\"", &["ana", "bob", "cid", "dan", "eve"]),
            ("**@ana** *@bob* ~~@cid~~ @**dan**", &["ana", "bob", "cid", "dan"]),
            ("# @ana\n\n> @bob\n\n- @cid\n\n|@dan|\n|-|\n|@eve|", &["ana", "bob", "cid", "dan", "eve"]),
            ("@ana_b @a-b @ana_ @ana-", &["ana_b", "a-b", "ana_|ana", "ana-|ana"]),
            ("@Ünal @josé @jose\u{301} @Вова @محمد", &["Ünal", "josé", "jose\u{301}", "Вова", "محمد"]),
            ("@1 @room", &["1", "room"]),
            ("@@ana", &["ana"]),
            ("a\n@ana\n@bob", &["ana", "bob"]),
        ] {
            assert_eq!(found(body), expected, "{body}");
        }
    }

    #[test]
    fn names_end_anywhere_in_scripts_without_spaces() {
        for (body, expected) in [
            ("@田中さん", "田中さん|田中さ|田中|田"),
            ("こんにちは@田中", "田中|田"),
            ("@anaさん", "anaさん|anaさ|ana"),
            ("@김철수님", "김철수님|김철수|김철|김"),
            ("@สมชาย", "สมชาย|สมชา|สมช|สม|ส"),
        ] {
            assert_eq!(found(body), [expected], "{body}");
        }
    }

    #[test]
    fn other_places_address_nobody() {
        for body in [
            "",
            "@",
            "@ ana",
            "@.",
            "ana@bob",
            "ana@example.com",
            "`@ana`",
            "``` \n@ana\n```",
            "    @ana",
            "[@ana](https://a.example)",
            "https://a.example/@ana",
            "www.a.example/@ana",
            "![@ana](https://a.example/b.png)",
            "a_@ana",
            &format!("@ana{}", "x".repeat(MAX_MARKDOWN)),
        ] {
            assert_eq!(found(body), [""; 0], "{body}");
        }
        assert_eq!(found(&"@ana ".repeat(100)).len(), MAX_MENTIONS);
        assert_eq!(found(&format!("@{}", "x".repeat(100)))[0].len(), MAX_NAME);
    }

    proptest! {
        #[test]
        fn any_body_is_searched(body in "([@a_b*` \n田\u{301}.-]|https://|\\PC){0,60}") {
            for mention in mentions(&body) {
                prop_assert!(mention.names().all(|name| !name.is_empty()));
                prop_assert!(mention.names().is_sorted_by(|a, b| a.len() > b.len()));
            }
        }
    }
}
