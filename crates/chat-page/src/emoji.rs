//! The emoji with their names and short codes: for completing `:smile:` in the message box, and for
//! choosing a reaction.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::LazyLock;

use emojis::{Emoji, Group};

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

/// `[["Smileys & emotion",[["😀","grinning face","grinning"],…]],…]`: each group with its emoji, and
/// each emoji with its name and the codes that `chat-markdown` knows, in the order in which
/// keyboards show them.
fn list() -> String {
    let groups = Group::iter().map(|group| format!("[\"{}\",[{}]]", title(group), entries(group)));
    format!("[{}]", groups.collect::<Vec<_>>().join(","))
}

/// Neither names, short codes nor emoji contain characters that need escaping in JSON.
fn entries(group: Group) -> String {
    let entry = |emoji: &Emoji| {
        let texts = [emoji.as_str(), emoji.name()].into_iter().chain(emoji.shortcodes());
        format!("[\"{}\"]", texts.collect::<Vec<_>>().join("\",\""))
    };
    group.emojis().map(entry).collect::<Vec<_>>().join(",")
}

fn title(group: Group) -> &'static str {
    match group {
        Group::SmileysAndEmotion => "Smileys & emotion",
        Group::PeopleAndBody => "People & body",
        Group::AnimalsAndNature => "Animals & nature",
        Group::FoodAndDrink => "Food & drink",
        Group::TravelAndPlaces => "Travel & places",
        Group::Activities => "Activities",
        Group::Objects => "Objects",
        Group::Symbols => "Symbols",
        Group::Flags => "Flags",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_the_list_needs_an_escape() {
        for emoji in emojis::iter() {
            for text in emoji.shortcodes().chain([emoji.as_str(), emoji.name()]) {
                assert!(!text.contains(['"', '\\']) && !text.contains(char::is_control), "{text}");
            }
        }
        assert!(LIST.0.starts_with("[[\"") && LIST.0.ends_with("\"]]]]"));
    }
}
