//! Short codes to emoji.

/// No short code is longer than this.
const LONGEST: usize = 64;

/// Hand `text` on piece by piece, with the emoji in place of their short codes.
///
/// A code begins where a word could: `a::b::c` and `10:00:00` are something else.
pub(crate) fn with_emoji<'t>(text: &'t str, mut piece: impl FnMut(&'t str)) {
    let mut rest = text;
    let mut may_begin = true;
    while let Some(colon) = rest.find(':') {
        let code = &rest[colon + 1..];
        may_begin = rest[..colon].chars().next_back().map_or(may_begin, |last| !last.is_alphanumeric());
        let length = code.bytes().take(LONGEST).take_while(|byte| is_of_a_code(*byte)).count();
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
    fn all_else_stays() {
        for text in
            [":", "::", ":nosuch:", "10:30:45", ":smile", ": smile:", ":Smile:", "a::b::c", "a:b:c", ""]
        {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn the_longest_code_fits() {
        let longest = emojis::iter().flat_map(emojis::Emoji::shortcodes).map(str::len).max().unwrap();
        assert!(longest <= LONGEST, "{longest}");
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
