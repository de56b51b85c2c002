//! A run of text: what lies between two pieces of markup.

use crate::destination::Destination;
use crate::emoji::with_emoji;
use crate::html::Html;
use crate::placeholder::{LINK_END, LINK_START, restored};

/// What every link says beside where it leads.
pub(crate) const REL: &str = "noopener noreferrer nofollow";

/// Write a run in which bare links become links, and short codes emoji.
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

/// The first bare link, with what stands before and after it. They were found before the body was parsed.
fn next_link(run: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = run.split_once(LINK_START)?;
    let (link, after) = rest.split_once(LINK_END)?;
    Some((before, link, after))
}

/// Where a bare link leads.
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

/// Write a run in which short codes become emoji.
pub(crate) fn unlinked(text: &str, html: &mut Html) {
    with_emoji(&restored(text), |piece| html.text(piece));
}

/// Write the start of a link.
pub(crate) fn start_link(destination: &Destination, more: &[(&'static str, &str)], html: &mut Html) {
    let mut attributes = vec![("href", destination.as_str())];
    attributes.extend_from_slice(more);
    attributes.extend([("target", "_blank"), ("rel", REL)]);
    html.start_with("a", &attributes);
}
