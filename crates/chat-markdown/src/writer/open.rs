//! What has begun and not yet ended, and how it will end.

use crate::limits::{MOST_BLOCKS, MOST_INLINES};

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Open {
    /// A block quote, a list or an item: what blocks stand in.
    Block {
        name: &'static str,
        /// Whether it takes its direction from the block around.
        inherits: bool,
    },
    /// Such a block that stands too deep to be one. What is in it is shown, and a line break behind it.
    DeepBlock,
    /// Emphasis and the like.
    Inline(&'static str),
    /// The same, too deep to be shown.
    DeepInline,
    /// Any other element. None of these can stand in themselves.
    Element(&'static str),
    Heading(&'static str),
    /// A paragraph with a line of dashes or equals signs under it.
    Underlined(String),
    TableHead,
    Table,
    /// A link, which ends with this text where it may not be one.
    Link {
        refused: Option<String>,
        label: Label,
    },
}

/// What a link without text is called, and how much was shown before it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) url: String,
    pub(crate) shown: usize,
}

/// All that is open, the outermost first.
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

    /// Whether as many blocks may still stand here, one in the other. What is in a block that is too deep is too deep as well.
    pub(crate) fn has_room_for_blocks(&self, blocks: usize) -> bool {
        self.blocks + blocks <= MOST_BLOCKS && self.open.last() != Some(&Open::DeepBlock)
    }

    pub(crate) fn has_room_for_an_inline(&self) -> bool {
        self.inlines < MOST_INLINES
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
