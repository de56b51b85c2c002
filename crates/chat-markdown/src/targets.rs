//! Where the links of a body lead.

use pulldown_cmark::{Event, Parser, Tag};

use crate::limits::MAX_MARKDOWN;
use crate::links::bare_links;
use crate::shape::is_hostile;
use crate::writer::OPTIONS;

/// The targets of the links and images in a body, as they are written: those of Markdown, and bare
/// ones such as `https://example.org` and `www.example.org`, also in code. Mail addresses are none.
///
/// ```
/// let found = chat_markdown::targets("[a](https://a.example) ![b](//b.example) www.c.example");
/// assert_eq!(found, ["//b.example", "https://a.example", "www.c.example"]);
/// ```
pub fn targets(body: &str) -> Vec<String> {
    let mut found = Vec::new();
    if body.len() <= MAX_MARKDOWN && !is_hostile(body) {
        for event in Parser::new_ext(body, OPTIONS) {
            if let Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) = event {
                found.push(dest_url.to_string());
            }
        }
    }
    let bare = bare_links(body).into_iter().map(|range| body[range].to_owned());
    found.extend(bare.filter(|link| link.contains("://") || !link.contains('@')));
    found.sort();
    found.dedup();
    found
}
