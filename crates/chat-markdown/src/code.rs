//! Code blocks: language and highlighting.

use hl_lite::{Kind, Lang};

use crate::html::Html;
use crate::limits::{MAX_HIGHLIGHTED, MAX_SPANS};

/// The classes of highlighted spans.
pub(crate) const CLASSES: [&str; 12] = [
    "hl-attribute",
    "hl-comment",
    "hl-constant",
    "hl-function",
    "hl-keyword",
    "hl-number",
    "hl-operator",
    "hl-property",
    "hl-string",
    "hl-tag",
    "hl-type",
    "hl-variable",
];

/// The prefix of the class that names a language.
const LANGUAGE: &str = "language-";

/// How many consecutive lines may end with a backslash.
const MAX_CONTINUED: usize = 64;

/// What is left of the limits on highlighting in this message.
#[derive(Debug)]
pub(crate) struct Highlighter {
    bytes: usize,
    spans: usize,
}

impl Default for Highlighter {
    fn default() -> Self {
        Self { bytes: MAX_HIGHLIGHTED, spans: MAX_SPANS }
    }
}

impl Highlighter {
    /// Writes a block of code. `info` is the text after the opening fence.
    pub(crate) fn block(&mut self, info: &str, code: &str, html: &mut Html) {
        html.start_with("pre", &[("dir", "ltr")]);
        match language_class(info) {
            Some(class) => html.start_with("code", &[("class", &class)]),
            None => html.start("code"),
        }
        if !is_info(info) {
            html.text(info);
            html.text("\n");
        }
        let highlighted = match Lang::from_slug(name(info)).filter(|_| is_info(info)) {
            Some(language) => self.highlight(language, code, html),
            None => 0,
        };
        html.text(&code[highlighted..]);
        html.end("code");
        html.end("pre");
    }

    /// Writes the part of the code that may be highlighted, and returns its length.
    fn highlight(&mut self, language: Lang, code: &str, html: &mut Html) -> usize {
        let part = whole_lines(code, self.bytes);
        if is_hostile(part) {
            return 0;
        }
        self.bytes -= part.len();
        let mut done = 0;
        for span in hl_lite::highlight(language, part) {
            match class(span.kind) {
                None => html.text(span.text),
                Some(_) if self.spans == 0 => break,
                Some(class) => {
                    self.spans -= 1;
                    html.start_with("span", &[("class", class)]);
                    html.text(span.text);
                    html.end("span");
                }
            }
            done += span.text.len();
        }
        done
    }
}

/// The first lines of `code` that fit into `max` bytes.
fn whole_lines(code: &str, max: usize) -> &str {
    if code.len() <= max {
        return code;
    }
    let end = code.as_bytes()[..max].iter().rposition(|byte| *byte == b'\n');
    end.map_or("", |end| &code[..=end])
}

/// Whether many consecutive lines of the code continue on the next line. At each of them the lexer
/// for JavaScript may look ahead to the last one.
fn is_hostile(code: &str) -> bool {
    let mut in_a_row = 0;
    code.lines().any(|line| {
        in_a_row = if line.ends_with('\\') { in_a_row + 1 } else { 0 };
        in_a_row > MAX_CONTINUED
    })
}

/// The class of a highlighted span. Brackets and commas are not highlighted: they would be half of
/// all elements.
fn class(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Plain | Kind::Punctuation => None,
        Kind::Attribute => Some("hl-attribute"),
        Kind::Comment => Some("hl-comment"),
        Kind::Constant => Some("hl-constant"),
        Kind::Function => Some("hl-function"),
        Kind::Keyword => Some("hl-keyword"),
        Kind::Number => Some("hl-number"),
        Kind::Operator => Some("hl-operator"),
        Kind::Property => Some("hl-property"),
        Kind::String => Some("hl-string"),
        Kind::Tag => Some("hl-tag"),
        Kind::Type => Some("hl-type"),
        Kind::Variable => Some("hl-variable"),
    }
}

/// The name of the language: the first word after the fence, without anything after a comma or
/// brace.
fn name(info: &str) -> &str {
    info.split([' ', '\t', ',', '{']).next().unwrap_or_default()
}

/// Whether the text after the fence describes the code: `rust`, `rust,no_run`, `js {1,3}`,
/// `sh title="x"`. Anything else is a first line of code that begins directly after the fence.
fn is_info(info: &str) -> bool {
    let rest = info.strip_prefix(name(info)).unwrap_or_default().trim_start();
    info.is_empty()
        || language(name(info)).is_some()
            && (rest.is_empty()
                || rest.starts_with([',', '{'])
                || rest.split_whitespace().all(|word| word.find('=').is_some_and(|key| key > 0)))
}

fn language_class(info: &str) -> Option<String> {
    language(name(info)).filter(|_| is_info(info))
}

fn language(name: &str) -> Option<String> {
    let class = format!("{LANGUAGE}{}", name.to_ascii_lowercase());
    is_language_class(&class).then_some(class)
}

/// Whether `class` names a language.
pub(crate) fn is_language_class(class: &str) -> bool {
    class.strip_prefix(LANGUAGE).is_some_and(|name| {
        (1..=32).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'-' | b'#'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn highlighting_stops_at_a_line_at_the_byte_limit() {
        let code = "let a = 1;\n".repeat(MAX_HIGHLIGHTED / 11 + 10);
        let mut highlighter = Highlighter { spans: usize::MAX, ..Highlighter::default() };
        let mut html = Html::default();
        highlighter.block("rust", &code, &mut html);
        let html = html.into_string();
        assert_eq!(html.matches("hl-keyword").count(), MAX_HIGHLIGHTED / 11);
        assert!(html.ends_with("let a = 1;\n</code></pre>"));
    }

    #[test]
    fn highlighting_stops_at_the_span_limit() {
        let mut html = Html::default();
        Highlighter::default().block("js", &"'a' ".repeat(2_000), &mut html);
        let html = html.into_string();
        assert_eq!(html.matches("<span").count(), MAX_SPANS);
        assert_eq!(html.matches("'a'").count(), 2_000);
    }

    #[test]
    fn many_continued_lines_are_not_highlighted() {
        let mut html = Html::default();
        Highlighter::default().block("js", &"[/\\\n".repeat(MAX_CONTINUED + 1), &mut html);
        assert!(!html.into_string().contains("<span"));
    }

    #[test]
    fn a_first_line_after_the_fence_is_code() {
        for info in ["", "rust", "rust,no_run", "js {1,3}", "js{1}", "sh title=\"x\"", "c++"] {
            assert!(is_info(info), "{info}");
        }
        for info in ["let a = 1;", "see here", "main()", "<b>", "ü", "a.b"] {
            assert!(!is_info(info), "{info}");
            let mut html = Html::default();
            Highlighter::default().block(info, "b\n", &mut html);
            assert!(!html.into_string().contains("class"), "{info}");
        }
    }

    #[test]
    fn language_names_are_valid_classes() {
        assert_eq!(language_class("C++ title=x").as_deref(), Some("language-c++"));
        assert_eq!(language_class("rust,no_run").as_deref(), Some("language-rust"));
        for info in ["", " ", "a\"b", "<b>", "ü", "a.b", &"a".repeat(33)] {
            assert_eq!(language_class(info), None, "{info:?}");
        }
    }

    #[test]
    fn all_classes_are_listed() {
        for language in ["rs", "js", "py", "css", "html", "sh", "yaml"] {
            for span in
                hl_lite::highlight(Lang::from_slug(language).unwrap(), "<a b='c'> @x $y 1 # :z { fn If }")
            {
                assert!(class(span.kind).is_none_or(|class| CLASSES.contains(&class)));
            }
        }
    }
}
