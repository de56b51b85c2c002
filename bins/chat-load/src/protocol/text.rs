//! The text of messages: words, because repeated characters would compress too well.

use std::sync::OnceLock;

/// The length of the text before it repeats.
const LENGTH: usize = 64 << 10;

const WORDS: &str = "the of and a to in is you that it he was for on are as with his they I at be this have from or one had by word but not \
    what all were we when your can said there use an each which she do how their if will up other about out many then them these so some her \
    would make like him into time has look two more write go see number no way could people my than first water been call who oil its now find \
    long down day did get come made may part maybe tomorrow meeting thanks please really works server room deploy broken again coffee lunch \
    later question answer idea release test branch review merge today yesterday morning weekend nobody everybody wonderful strange question? \
    yes! no. hello, sure, agreed. https://example.org/ :-) **bold** `code`";

/// Appends `length` bytes of an endless text. `from` selects the position in it.
pub(super) fn write(from: usize, length: usize, out: &mut Vec<u8>) {
    static TEXT: OnceLock<Vec<u8>> = OnceLock::new();
    let text = TEXT.get_or_init(|| {
        let words: Vec<&str> = WORDS.split_whitespace().collect();
        let (mut text, mut random) = (Vec::with_capacity(LENGTH + 32), 1_u32);
        while text.len() < LENGTH {
            // the constants of Numerical Recipes; the high bits are the random ones
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text.extend_from_slice(words[(random >> 8) as usize % words.len()].as_bytes());
            text.push(b' ');
        }
        text
    });
    // consecutive messages differ, and positions repeat only after a long time
    let start = from.wrapping_mul(1_009) % text.len();
    out.extend(text.iter().cycle().skip(start).take(length));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_the_requested_length_and_differs_each_time() {
        let text = |from, length| {
            let mut text = Vec::new();
            write(from, length, &mut text);
            text
        };
        for length in [0, 1, 100, 200_000] {
            assert_eq!(text(3, length).len(), length);
        }
        assert_ne!(text(1, 100), text(2, 100));
        // JSON needs no escapes for it
        assert!(text(0, LENGTH).iter().all(|byte| (b' '..0x7f).contains(byte) && !b"\"\\".contains(byte)));
    }
}
