//! Text between two pieces of markup.

use crate::destination::Destination;
use crate::emoji::with_emoji;
use crate::html::Html;
use crate::placeholder::{LINK_END, LINK_START, restored};

/// The `rel` attribute of every link.
pub(crate) const REL: &str = "noopener noreferrer nofollow";

/// Writes text with bare links as links, and short codes as emoji.
pub(crate) fn linked(run: &str, html: &mut Html) {
    let mut rest = run;
    while let Some((before, link, after)) = next_link(rest) {
        unlinked(before, html);
        let link = restored(link);
        match destination(&link) {
            Some(destination) => {
                start_link(&destination, &[], html);
                html.text(&link);
                html.end("a");
            }
            None => unlinked(&link, html),
        }
        rest = after;
    }
    unlinked(rest, html);
}

/// The first bare link, with the text before and after it. Bare links were marked before the body
/// was parsed.
fn next_link(run: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = run.split_once(LINK_START)?;
    let (link, after) = rest.split_once(LINK_END)?;
    Some((before, link, after))
}

/// The target of a bare link.
fn destination(link: &str) -> Option<Destination> {
    if link.contains("://") {
        Destination::parse(link)
    } else if link.get(..4).is_some_and(|www| www.eq_ignore_ascii_case("www.")) {
        Destination::parse(&format!("http://{link}"))
    } else if link.contains(':') {
        Destination::parse(link)
    } else {
        Destination::parse(&format!("mailto:{link}"))
    }
}

/// Writes text with short codes as emoji.
pub(crate) fn unlinked(text: &str, html: &mut Html) {
    with_emoji(&restored(text), |piece| html.text(piece));
}

/// Writes the start tag of a link.
pub(crate) fn start_link(destination: &Destination, more: &[(&'static str, &str)], html: &mut Html) {
    let mut attributes = vec![("href", destination.as_str())];
    attributes.extend_from_slice(more);
    attributes.extend([("target", "_blank"), ("rel", REL)]);
    html.start_with("a", &attributes);
}
