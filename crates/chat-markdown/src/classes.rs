//! The classes of elements.

/// A link that stands for an image.
pub(crate) const IMAGE: &str = "md-image";

/// A paragraph of a few emoji and nothing else.
pub(crate) const EMOJI: &str = "md-emoji";

/// A list item that is a task: its box replaces the bullet.
pub(crate) const TASK: &str = "md-task";

/// Text that is shown as it was written. Its line breaks count.
pub(crate) const PLAIN: &str = "md-plain";
