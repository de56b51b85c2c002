//! Links.

use pulldown_cmark::LinkType;

use super::open::{Label, Open};
use super::state::Writer;
use crate::destination::Destination;
use crate::run::start_link;

impl Writer<'_> {
    /// A link with a disallowed URL is shown as it was written.
    pub(super) fn link(&mut self, link_type: LinkType, url: &str, title: &str) {
        let is_auto = matches!(link_type, LinkType::Autolink | LinkType::Email);
        let destination = match link_type {
            _ if self.stack.is_in_a_link() => None,
            LinkType::Email => Destination::parse(&format!("mailto:{url}")),
            _ => Destination::parse(url),
        };
        let refused = match destination {
            Some(destination) if title.is_empty() => {
                start_link(&destination, &[], &mut self.html);
                None
            }
            Some(destination) => {
                start_link(&destination, &[("title", title)], &mut self.html);
                None
            }
            None if is_auto => {
                self.html.text("<");
                Some(">".to_owned())
            }
            None => {
                self.html.text("[");
                Some(format!("]{}", in_brackets(url, title)))
            }
        };
        let label = Label { url: url.to_owned(), shown: self.shown };
        self.stack.push(Open::Link { refused, label });
    }
}

/// The part of a link after its text, as it was written.
pub(super) fn in_brackets(url: &str, title: &str) -> String {
    if title.is_empty() { format!("({url})") } else { format!("({url} \"{title}\")") }
}
