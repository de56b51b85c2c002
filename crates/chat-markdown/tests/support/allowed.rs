//! Checks a rendered message with an HTML parser. The tests and the fuzz target share this.

use std::cell::RefCell;

use chat_markdown::{MAX_BLOCKS, MAX_INLINES, max_html};
use html5ever::Attribute;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    BufferQueue, EndTag, StartTag, Tag, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

/// The greatest depth: a table in the deepest block, and in it the deepest emphasis with a link or
/// code.
const MAX_DEPTH: usize = MAX_BLOCKS + 4 + MAX_INLINES + 2;

const VOID: [&str; 3] = ["br", "hr", "img"];

const TAGS: [&str; 27] = [
    "a",
    "blockquote",
    "br",
    "code",
    "del",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "img",
    "li",
    "ol",
    "p",
    "pre",
    "span",
    "strong",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
];

const COLOURS: [&str; 12] = [
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

/// Checks the HTML of `body` against the rules, and returns its text.
///
/// # Panics
///
/// If the HTML contains anything that is not allowed.
pub(crate) fn assert_allowed(body: &str, html: &str) -> String {
    assert!(html.len() <= max_html(body.len()), "{} bytes of {}", html.len(), body.len());
    let tokenizer =
        Tokenizer::new(Reader::default(), TokenizerOpts { exact_errors: true, ..Default::default() });
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(html));
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    let seen = tokenizer.sink.seen.into_inner();
    assert!(seen.wrong.is_empty(), "{:?} in {html:?}", seen.wrong);
    assert!(seen.open.is_empty(), "not ended: {:?} in {html:?}", seen.open);
    assert_eq!(read_and_written(html), html, "a parser reads it otherwise than it is written");
    seen.text
}

/// The output of a sanitiser that allows all our elements: the tree of a browser, serialised again.
fn read_and_written(html: &str) -> String {
    let attributes = [
        "align",
        "alt",
        "class",
        "dir",
        "href",
        "loading",
        "referrerpolicy",
        "rel",
        "src",
        "start",
        "target",
        "title",
        "value",
    ];
    let mut sanitiser = ammonia::Builder::empty();
    sanitiser.tags(TAGS.into()).generic_attributes(attributes.into()).link_rel(None);
    sanitiser.url_schemes(["http", "https", "mailto"].into()).url_relative(ammonia::UrlRelative::Deny);
    sanitiser.clean(html).to_string()
}

#[derive(Default)]
struct Reader {
    seen: RefCell<Seen>,
}

#[derive(Default)]
struct Seen {
    open: Vec<String>,
    text: String,
    wrong: Vec<String>,
}

impl TokenSink for Reader {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut seen = self.seen.borrow_mut();
        match token {
            Token::TagToken(tag) => seen.tag(&tag),
            Token::CharacterTokens(text) => seen.text.push_str(&text),
            Token::EOFToken => {}
            // control characters are text, although the parser reports them
            Token::ParseError(error) if error.starts_with("Bad character") => {}
            other => seen.wrong.push(format!("{other:?}")),
        }
        TokenSinkResult::Continue
    }
}

impl Seen {
    fn tag(&mut self, tag: &Tag) {
        let name = &*tag.name;
        match tag.kind {
            StartTag => {
                if !may_stand(name, &self.open) {
                    self.wrong.push(format!("<{name}> in {:?}", self.open));
                }
                for attribute in &tag.attrs {
                    self.check(is_allowed(name, attribute), || format!("{attribute:?} of {name}"));
                }
                self.check(has_all(tag), || format!("what is missing in {tag:?}"));
                if name == "br" {
                    self.text.push('\n');
                }
                if !VOID.contains(&name) {
                    self.open.push(name.to_owned());
                    self.check(self.open.len() <= MAX_DEPTH, || "depth".to_owned());
                }
            }
            EndTag => {
                let open = self.open.pop();
                self.check(open.as_deref() == Some(name), || format!("</{name}> where {open:?} is open"));
            }
        }
    }

    fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            let what = what();
            self.wrong.push(what);
        }
    }
}

/// Whether the element is allowed here, and does not make a browser close an open element.
fn may_stand(name: &str, open: &[String]) -> bool {
    let parent = open.last().map_or("", String::as_str);
    let in_blocks = matches!(parent, "" | "blockquote" | "li");
    match name {
        "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "blockquote" | "ul" | "ol" | "pre" | "table"
        | "hr" => in_blocks,
        "li" => matches!(parent, "ul" | "ol"),
        "thead" | "tbody" => parent == "table",
        "tr" => matches!(parent, "thead" | "tbody"),
        "th" | "td" => parent == "tr",
        "code" | "br" | "em" | "strong" | "del" | "img" => {
            !matches!(parent, "" | "ul" | "ol" | "table" | "tr" | "code")
        }
        "span" => parent == "code" && open.iter().any(|name| name == "pre"),
        "a" => !open.iter().any(|name| matches!(name.as_str(), "a" | "code" | "pre")),
        _ => false,
    }
}

fn is_allowed(name: &str, attribute: &Attribute) -> bool {
    let value = &*attribute.value;
    match (name, &*attribute.name.local) {
        ("a", "href") => {
            starts_with_one_of(value, &["http://", "https://", "mailto:"]) && is_plain_url(value)
        }
        ("a", "target") => value == "_blank",
        ("a", "rel") => value == "noopener noreferrer nofollow",
        ("a", "class") => value == "md-image",
        ("a" | "img", "title") | ("img", "alt") => true,
        ("img", "src") => starts_with_one_of(value, &["https://"]) && is_plain_url(value),
        ("img", "loading") => value == "lazy",
        ("img", "referrerpolicy") => value == "no-referrer",
        ("td" | "th", "align") => matches!(value, "left" | "center" | "right"),
        ("ol", "start") | ("li", "value") => value.parse::<u32>().is_ok(),
        ("li", "class") => value == "md-task",
        ("p", "class") => value == "md-emoji",
        ("code" | "pre", "dir") if value == "ltr" => true,
        (
            "blockquote" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "li" | "ol" | "p" | "pre" | "td" | "th"
            | "ul",
            "dir",
        ) => value == "auto",
        ("code", "class") => value.strip_prefix("language-").is_some_and(|language| {
            (1..=32).contains(&language.len())
                && language.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+-#".contains(&byte))
        }),
        ("pre", "class") => value == "md-plain",
        ("span", "class") => COLOURS.contains(&value),
        _ => false,
    }
}

fn starts_with_one_of(value: &str, starts: &[&str]) -> bool {
    let value = value.to_ascii_lowercase();
    starts.iter().any(|start| value.starts_with(start))
}

fn is_plain_url(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'`'))
}

/// Whether the element has all attributes that it must have.
fn has_all(tag: &Tag) -> bool {
    let needed: &[&str] = match &*tag.name {
        "a" => &["href", "target", "rel"],
        "img" => &["src", "alt", "loading", "referrerpolicy"],
        "span" => &["class"],
        _ => &[],
    };
    needed.iter().all(|needed| tag.attrs.iter().any(|attribute| &*attribute.name.local == *needed))
}
