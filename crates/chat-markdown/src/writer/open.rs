//! The open elements, and how each will end.

use crate::limits::{MAX_BLOCKS, MAX_INLINES};

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Open {
    /// A block quote, a list or an item, which contains blocks.
    Block {
        name: &'static str,
        /// Whether it inherits the direction of the surrounding block.
        inherits: bool,
    },
    /// Such a block at too great a depth. Its content is shown, followed by a line break.
    DeepBlock,
    /// Emphasis, strong or struck-out text.
    Inline(&'static str),
    /// The same at too great a depth.
    DeepInline,
    /// Any other element. None of these can be nested in itself.
    Element(&'static str),
    Heading(&'static str),
    /// A paragraph with a line of dashes or equals signs under it.
    Underlined(String),
    TableHead,
    Table,
    /// A link. If its URL is not allowed, it ends with the text in `refused`.
    Link {
        refused: Option<String>,
        label: Label,
    },
}

/// The label of a link without text, and how much was shown before it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) url: String,
    pub(crate) shown: usize,
}

/// All open elements, the outermost first.
#[derive(Debug, Default)]
pub(crate) struct Stack {
    open: Vec<Open>,
    blocks: usize,
    inlines: usize,
    links: usize,
}

impl Stack {
    pub(crate) fn push(&mut self, open: Open) {
        match &open {
            Open::Block { .. } => self.blocks += 1,
            Open::Inline(_) => self.inlines += 1,
            Open::Link { .. } => self.links += 1,
            _ => {}
        }
        self.open.push(open);
    }

    pub(crate) fn pop(&mut self) -> Option<Open> {
        let open = self.open.pop()?;
        match &open {
            Open::Block { .. } => self.blocks -= 1,
            Open::Inline(_) => self.inlines -= 1,
            Open::Link { .. } => self.links -= 1,
            _ => {}
        }
        Some(open)
    }

    /// Whether this number of nested blocks fits here. Blocks in a block that is too deep are too
    /// deep, too.
    pub(crate) fn has_room_for_blocks(&self, blocks: usize) -> bool {
        self.blocks + blocks <= MAX_BLOCKS && self.open.last() != Some(&Open::DeepBlock)
    }

    pub(crate) fn has_room_for_an_inline(&self) -> bool {
        self.inlines < MAX_INLINES
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(crate) fn is_in_a_table_head(&self) -> bool {
        self.open.last() == Some(&Open::TableHead)
    }

    pub(crate) fn is_in_a_link(&self) -> bool {
        self.links > 0
    }
}
