//! Emoji by short codes.

/// The maximum length of a short code.
const MAX_CODE: usize = 64;

/// Passes `text` on piece by piece, with short codes replaced by their emoji.
///
/// A code begins where a word could begin: `a::b::c` and `10:00:00` have none.
pub(crate) fn with_emoji<'t>(text: &'t str, mut piece: impl FnMut(&'t str)) {
    let mut rest = text;
    let mut may_begin = true;
    while let Some(colon) = rest.find(':') {
        let code = &rest[colon + 1..];
        may_begin = rest[..colon].chars().next_back().map_or(may_begin, |last| !last.is_alphanumeric());
        let length = code.bytes().take(MAX_CODE).take_while(|byte| is_of_a_code(*byte)).count();
        let emoji = match code.as_bytes().get(length) {
            Some(b':') if may_begin => emojis::get_by_shortcode(&code[..length]),
            _ => None,
        };
        if let Some(emoji) = emoji {
            piece(&rest[..colon]);
            piece(emoji.as_str());
            rest = &code[length + 1..];
        } else {
            piece(&rest[..colon + 1 + length]);
            rest = &code[length..];
        }
        may_begin = emoji.is_some();
    }
    piece(rest);
}

/// How many emoji alone are shown large, and in how many bytes.
const MAX_ALONE: usize = 3;
const MAX_ALONE_BYTES: usize = 128;
/// The maximum size of an emoji in bytes.
const MAX_EMOJI_BYTES: usize = 40;

/// The emoji of a text that consists of a few emoji and spaces; `None` for any other text.
pub(crate) fn alone(text: &str) -> Option<String> {
    let text = text.trim();
    if text.len() > MAX_ALONE_BYTES || text.chars().next().is_none_or(char::is_alphabetic) {
        return None;
    }
    let mut shown = String::new();
    with_emoji(text, |piece| shown.push_str(piece));
    let mut rest = shown.as_str();
    let mut count = 0;
    while !rest.is_empty() {
        let length = (1..=rest.len().min(MAX_EMOJI_BYTES))
            .rev()
            .find(|length| rest.get(..*length).is_some_and(|start| emojis::get(start).is_some()))?;
        count += 1;
        rest = rest[length..].trim_start_matches(' ');
    }
    (count <= MAX_ALONE).then_some(shown)
}

fn is_of_a_code(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'+' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let mut all = String::new();
        with_emoji(text, |piece| all.push_str(piece));
        all
    }

    #[test]
    fn codes_become_emoji() {
        assert_eq!(shown("a :smile: b :+1::tada:"), "a 😄 b 👍🎉");
        assert_eq!(shown("(:smile:): :smile:"), "(😄): 😄");
    }

    #[test]
    fn other_text_is_unchanged() {
        for text in
            [":", "::", ":nosuch:", "10:30:45", ":smile", ": smile:", ":Smile:", "a::b::c", "a:b:c", ""]
        {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn emoji_alone_are_found() {
        for text in ["👍", " :tada: ", "❤", "❤️ 🎉", "👩🏽‍❤️‍💋‍👨🏻", "👍🏽👎", ":+1: :+1: 🎉", "🇩🇪"]
        {
            assert!(alone(text).is_some(), "{text}");
        }
        for text in
            ["", "a", "a 👍", "👍.", ":nosuch:", "👍👍👍👍", "1", "#", "*", "👍\n👍", &"👍 ".repeat(100)]
        {
            assert_eq!(alone(text), None, "{text}");
        }
        let longest = emojis::iter().map(|emoji| emoji.as_str().len()).max().unwrap();
        assert!(longest <= MAX_EMOJI_BYTES, "{longest}");
    }

    #[test]
    fn the_longest_code_fits() {
        let longest = emojis::iter().flat_map(emojis::Emoji::shortcodes).map(str::len).max().unwrap();
        assert!(longest <= MAX_CODE, "{longest}");
    }

    #[test]
    fn every_code_is_found() {
        for emoji in emojis::iter() {
            for code in emoji.shortcodes() {
                assert_eq!(shown(&format!(":{code}:")), emoji.as_str(), "{code}");
            }
        }
    }
}
