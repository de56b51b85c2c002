//! The limits of a message. They count and never measure time, so that a message gives the same
//! HTML everywhere.

/// The longest body that is read as Markdown, in bytes. A longer one is shown as plain text.
pub const MAX_MARKDOWN: usize = 64 * 1024;

/// The maximum depth of block quotes, lists and list items. Deeper ones are shown without their
/// markup.
pub const MAX_BLOCKS: usize = 24;

/// The maximum depth of emphasis, strong and struck-out text. Deeper ones are shown without their
/// markup.
pub const MAX_INLINES: usize = 12;

/// The longest URL of a link or image, in bytes as written in the message. A longer one is text.
pub const MAX_URL: usize = 2048;

/// How many bytes of code are highlighted in one message. The rest is shown plain.
pub const MAX_HIGHLIGHTED: usize = 16 * 1024;

/// How many spans of code are highlighted in one message. The rest is shown plain.
pub(crate) const MAX_SPANS: usize = 1_500;

/// The maximum weight of the HTML of a message. The sanitiser spends its time on elements and
/// escaped characters.
pub(crate) const MAX_WEIGHT: usize = 16_000;

/// How many combining marks a character may have. Languages need up to six; hundreds would be drawn
/// over other messages.
pub const MAX_MARKS: usize = 8;

const FACTOR: usize = 16;
const EXTRA: usize = 4 * 1024;

/// The maximum size of the HTML of a body of `body_len` bytes: 16 times the body and 4 KiB.
///
/// Blocks that would exceed it are shown as they were written.
pub const fn max_html(body_len: usize) -> usize {
    body_len.saturating_mul(FACTOR).saturating_add(EXTRA)
}
