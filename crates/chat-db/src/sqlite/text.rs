//! Texts that may contain NUL (U+0000). SQLite stores them as they are.

use std::borrow::Cow;

/// The form in which a text is stored and compared: the text itself.
pub fn to_stored(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}

/// The text that was stored in this form: the text itself.
pub fn from_stored(stored: String) -> String {
    stored
}
