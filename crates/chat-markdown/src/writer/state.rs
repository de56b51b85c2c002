//! The state of the writer.

use std::ops::Range;

use pulldown_cmark::Alignment;

use super::open::{Open, Stack};
use crate::code::Highlighter;
use crate::html::Html;
use crate::images::RemoteImages;

pub(super) struct Writer<'b> {
    pub(super) body: &'b str,
    pub(super) images: RemoteImages,
    pub(super) html: Html,
    pub(super) stack: Stack,
    /// The text since the last markup: the parser splits text at each character that could be
    /// markup.
    pub(super) run: String,
    /// The info string and the text of the open code block.
    pub(super) code: Option<(String, String)>,
    pub(super) image: Option<Image>,
    /// The columns of the open table, and the current column.
    pub(super) alignments: Vec<Alignment>,
    pub(super) column: usize,
    /// Where the current row ends in the body.
    pub(super) row_end: usize,
    /// Open elements that may turn out to be empty.
    pub(super) begun: Vec<Begun>,
    /// The open lists. `None`: without numbers.
    pub(super) lists: Vec<Option<Numbers>>,
    /// Grows with everything that is visible.
    pub(super) shown: usize,
    /// Whether the surrounding block has `dir="auto"` and no letter yet. Then a new block inherits
    /// its direction, because a browser ignores children that have a direction of their own.
    pub(super) inherits: bool,
    pub(super) highlighter: Highlighter,
}

/// Where an element begins in the HTML and in the body, and how much was shown before it.
pub(super) struct Begun {
    pub(super) html: usize,
    pub(super) source: Range<usize>,
    pub(super) shown: usize,
}

/// The numbers of a list: the first one, whether all numbers so far are the same, and the number
/// that a browser gives to the next item.
pub(super) struct Numbers {
    pub(super) first: u64,
    pub(super) is_same: bool,
    pub(super) next: u64,
}

/// An image whose alternative text is being read.
pub(super) struct Image {
    pub(super) url: String,
    pub(super) title: String,
    pub(super) alt: String,
    /// The depth of images nested in its alternative text, of which only the text counts.
    pub(super) inner: usize,
}

impl<'b> Writer<'b> {
    pub(super) fn new(body: &'b str, images: RemoteImages) -> Self {
        Self {
            body,
            images,
            html: Html::default(),
            stack: Stack::default(),
            run: String::new(),
            code: None,
            image: None,
            alignments: Vec::new(),
            column: 0,
            row_end: 0,
            begun: Vec::new(),
            lists: Vec::new(),
            shown: 0,
            inherits: false,
            highlighter: Highlighter::default(),
        }
    }

    /// Accounts for text that is written.
    pub(super) fn count_text(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.shown += 1;
        }
        if self.inherits && text.contains(char::is_alphabetic) {
            self.inherits = false;
        }
    }

    pub(super) fn element(&mut self, name: &'static str) {
        self.html.start(name);
        self.stack.push(Open::Element(name));
    }
}
