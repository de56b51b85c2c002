//! The tokens that say when a message was sent.
//!
//! GIN returns what it finds in no order, so a search covers stretches of time, the newest first. A
//! message has a token for each of the stretches, from a minute to seven weeks long, in which it
//! was sent. A query with the tokens of a few stretches reads the messages of these only, however
//! many others have its words.

use crate::key::{Key, TIE_BITS};
use crate::tokens::TIME;

/// The lengths of stretches, as a power of two of milliseconds: a minute, 17 minutes, five hours,
/// three days, seven weeks.
const LEVELS: [(char, u32); 5] = [('a', 16), ('b', 20), ('c', 24), ('d', 28), ('e', 32)];

/// How many keys the shortest stretch has.
pub(super) const SHORTEST: Key = 1 << (16 + TIE_BITS);

/// How many stretches a query names at most. Each one that is named makes it slower.
const MAX_STRETCHES: i64 = 16;

/// The tokens of a message with this key, each with a space before it.
pub(super) fn push_tokens(tokens: &mut String, key: Key) {
    for (name, bits) in LEVELS {
        tokens.push(' ');
        tokens.push_str(&token(name, key >> (bits + TIE_BITS)));
    }
}

fn token(name: char, number: i64) -> String {
    format!("{TIME}{name}{number:x}")
}

/// The tokens of stretches that cover the keys from `start` up to `end`, and the first key that
/// they cover. `None` if there would be too many.
pub(super) fn covering(start: Key, end: Key) -> Option<(Key, Vec<String>)> {
    LEVELS.iter().find_map(|(name, bits)| {
        let shift = bits + TIE_BITS;
        let (first, last) = (start >> shift, (end - 1) >> shift);
        (last - first < MAX_STRETCHES)
            .then(|| (first << shift, (first..=last).map(|number| token(*name, number)).collect()))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_has_a_token_of_each_level() {
        let mut tokens = String::new();
        push_tokens(&mut tokens, (0x12_3456_7890 << TIE_BITS) + 5);
        let expected = " \u{e003}a123456 \u{e003}b12345 \u{e003}c1234 \u{e003}d123 \u{e003}e12";
        assert_eq!(tokens, expected);
    }

    proptest! {
        #[test]
        fn stretches_cover_exactly_what_follows_their_start(
            end in 1..1_i64 << 48,
            length in 1..1_i64 << 40,
            at in 0..1_i64 << 40,
        ) {
            let start = (end - length).max(0);
            let Some((first, stretches)) = covering(start, end) else {
                prop_assert!(end - start > SHORTEST << 16);
                return Ok(());
            };
            prop_assert!(first <= start && stretches.len() <= MAX_STRETCHES as usize);
            // a sixteenth of a level is a stretch of the level before
            prop_assert!(end - first <= (end - start).max(SHORTEST) * 3);
            for key in [first, start, (first + at % (end - first)), end - 1, first - 1] {
                let mut tokens = String::new();
                push_tokens(&mut tokens, key);
                let is_covered = tokens.split(' ').any(|token| stretches.iter().any(|one| one == token));
                prop_assert_eq!(is_covered, key >= first, "{} in {}..{}", key, first, end);
            }
        }
    }
}
