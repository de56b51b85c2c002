//! What a message may cost. All of it is counted, none of it is timed: the same message gives the same HTML everywhere.

/// The longest body that is read as Markdown, in bytes. A longer one is shown as plain text.
pub const MOST_MARKDOWN: usize = 64 * 1024;

/// How deep block quotes, lists and list items may stand in each other. Deeper ones are shown without their markup.
pub const MOST_BLOCKS: usize = 24;

/// How deep emphasis, strong and struck-out text may stand in each other. Deeper ones are shown without their markup.
pub const MOST_INLINES: usize = 12;

/// The longest URL that becomes a link or an image, in bytes as it stands in the message. A longer one stays text.
pub const MOST_URL: usize = 2048;

/// How many bytes of code are highlighted in one message. What comes after that is shown plain.
pub const MOST_HIGHLIGHTED: usize = 16 * 1024;

/// How many pieces of code are coloured in one message; beyond that it is shown plain.
pub(crate) const MOST_SPANS: usize = 1_500;

/// What [`Html`](crate::html::Html) may weigh. Elements and escaped characters are what the sanitiser spends its time on.
pub(crate) const MOST_WEIGHT: usize = 16_000;

/// How many combining marks one character may have. Languages need up to five or six; hundreds would be drawn over other messages.
pub const MAX_MARKS: usize = 8;

/// An element weighs this.
pub(crate) const ELEMENT: usize = 4;

/// An attribute weighs this on top.
pub(crate) const ATTRIBUTE: usize = 2;

/// A character that is, or may have to be, escaped weighs this.
pub(crate) const ESCAPE: usize = 3;

const FACTOR: usize = 16;
const EXTRA: usize = 4 * 1024;

/// The most bytes of HTML that a body of `body_len` bytes can become: 16 times as much, and 4 KiB.
///
/// Blocks that would go beyond it are shown as they were written.
pub const fn most_html(body_len: usize) -> usize {
    body_len.saturating_mul(FACTOR).saturating_add(EXTRA)
}
