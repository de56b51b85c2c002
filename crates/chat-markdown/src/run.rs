//! A run of text: what lies between two pieces of markup.

use linkify::{LinkFinder, LinkKind};

use crate::destination::Destination;
use crate::emoji::with_emoji;
use crate::html::Html;

/// What every link says beside where it leads.
pub(crate) const REL: &str = "noopener noreferrer nofollow";

/// Write a run in which bare URLs become links, and short codes emoji.
///
/// A URL must have its scheme: without, the finder's time grows with the square of a run that is made for it.
pub(crate) fn linked(text: &str, html: &mut Html) {
    let mut finder = LinkFinder::new();
    finder.kinds(&[LinkKind::Url]);
    for span in finder.spans(text) {
        match span.kind().and_then(|_| Destination::parse(span.as_str())) {
            Some(destination) => {
                start_link(&destination, &[], html);
                html.text(span.as_str());
                html.end("a");
            }
            None => unlinked(span.as_str(), html),
        }
    }
}

/// Write a run in which short codes become emoji.
pub(crate) fn unlinked(text: &str, html: &mut Html) {
    with_emoji(text, |piece| html.text(piece));
}

/// Write the start of a link.
pub(crate) fn start_link(destination: &Destination, more: &[(&'static str, &str)], html: &mut Html) {
    let mut attributes = vec![("href", destination.as_str())];
    attributes.extend_from_slice(more);
    attributes.extend([("target", "_blank"), ("rel", REL)]);
    html.start_with("a", &attributes);
}
