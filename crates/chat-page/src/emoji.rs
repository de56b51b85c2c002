//! The short codes of emoji, for completing `:smile:` in the message box.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::LazyLock;

/// The path of the list.
pub(crate) const PATH: &str = "/emoji.json";

/// The list as JSON, and its hash.
pub(crate) static LIST: LazyLock<(String, [u8; 32])> = LazyLock::new(|| {
    let list = list();
    let mut hasher = DefaultHasher::new();
    list.hash(&mut hasher);
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&hasher.finish().to_be_bytes());
    (list, hash)
});

/// `{"smile":"😄",…}`: the codes that `chat-markdown` knows, in the order in which keyboards show
/// emoji.
fn list() -> String {
    let codes = emojis::iter().flat_map(|emoji| emoji.shortcodes().map(move |code| (code, emoji.as_str())));
    // Neither short codes nor emoji contain characters that need escaping in JSON.
    let entries: Vec<String> = codes.map(|(code, emoji)| format!("\"{code}\":\"{emoji}\"")).collect();
    format!("{{{}}}", entries.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_the_list_needs_an_escape() {
        for emoji in emojis::iter() {
            for text in emoji.shortcodes().chain([emoji.as_str()]) {
                assert!(!text.contains(['"', '\\']) && !text.contains(char::is_control), "{text}");
            }
        }
        assert!(LIST.0.starts_with("{\"grinning\":\"😀\",") && LIST.0.ends_with("\"}"));
    }
}
