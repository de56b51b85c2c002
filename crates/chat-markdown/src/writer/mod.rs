//! Turns the parser's events into HTML.

mod blocks;
mod events;
mod images;
mod links;
mod lists;
mod open;
mod state;
mod tables;

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser};

use self::state::Writer;
use crate::images::RemoteImages;
use crate::limits::{MAX_WEIGHT, max_html};
use crate::placeholder::restored_len;

pub(crate) const OPTIONS: Options =
    Options::ENABLE_TABLES.union(Options::ENABLE_STRIKETHROUGH).union(Options::ENABLE_TASKLISTS);

/// The HTML of a body as far as the limits allow, and where in the body it ends.
pub(crate) fn write(body: &str, images: RemoteImages) -> (String, usize) {
    let mut writer = Writer::new(body, images);
    let mut block = Block::default();
    for (event, range) in Parser::new_ext(body, OPTIONS).into_offset_iter() {
        if range.start >= block.range.end {
            let written = block.written + restored_len(&body[block.range.end..range.end]);
            block = Block { html: writer.html.len(), range: range.clone(), written };
        }
        let ends = matches!(event, Event::End(_) | Event::Rule);
        writer.event(event, range);
        if writer.html.weight() > MAX_WEIGHT || writer.html.len() > max_html(block.written) {
            writer.html.truncate(block.html);
            return (writer.html.into_string(), block.range.start);
        }
        if ends && writer.stack.is_empty() {
            writer.html.newline();
        }
    }
    (writer.html.into_string(), body.len())
}

/// A top-level block: its range in the body, and where it begins in the HTML.
#[derive(Debug, Default)]
struct Block {
    range: Range<usize>,
    html: usize,
    /// The size of the original text up to the end of the block.
    written: usize,
}
