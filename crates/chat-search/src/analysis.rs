//! From text to terms.
//!
//! The terms of a text are words without differences of case and accents. Scripts that put no
//! spaces between words give the pairs of their neighbouring characters instead, so that any part
//! of two characters and more can be found.

use std::ops::RangeInclusive;

use icu_casemap::CaseMapper;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Raised when texts get other terms although the versions of the data are the same.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
const REVISION: u32 = 1;

/// The maximum length of a word in characters. Of a longer word only the beginning counts.
pub(crate) const MAX_WORD: usize = 64;

/// The versions from which the terms of a text follow. An index keeps this text, and is built again
/// if it has changed.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) fn version() -> String {
    let (major, minor, update) = unicode_normalization::UNICODE_VERSION;
    format!("normalization {major}.{minor}.{update}, revision {REVISION}")
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A word, or an emoji.
    Word(String),
    /// Characters of a script without spaces between words.
    Run(Vec<char>),
}

/// The pieces of a text, in order, and whether the text ends with the last one, without a space or
/// a punctuation mark after it.
pub(crate) fn pieces(text: &str) -> (Vec<Piece>, bool) {
    let mut pieces = Vec::new();
    let (mut word, mut run) = (String::new(), Vec::new());
    let mut length = 0;
    let mut is_open = false;
    for character in fold(text).chars() {
        let kind = kind(character);
        if kind == Kind::Ignored {
            continue;
        }
        if kind != Kind::Word && !word.is_empty() {
            pieces.push(Piece::Word(std::mem::take(&mut word)));
            length = 0;
        }
        if kind != Kind::Unspaced && !run.is_empty() {
            pieces.push(Piece::Run(std::mem::take(&mut run)));
        }
        is_open = kind != Kind::Separator;
        match kind {
            Kind::Word => {
                if length < MAX_WORD {
                    word.push(character);
                }
                length += 1;
            }
            Kind::Unspaced => run.push(character),
            Kind::Symbol => pieces.push(Piece::Word(character.to_string())),
            Kind::Separator | Kind::Ignored => {}
        }
    }
    if !word.is_empty() {
        pieces.push(Piece::Word(word));
    }
    if !run.is_empty() {
        pieces.push(Piece::Run(run));
    }
    let is_open = is_open && !pieces.is_empty();
    (pieces, is_open)
}

/// The terms of a text, in order, each with a space before and after it; empty if there are none.
///
/// A run of characters without spaces has a term for each pair of neighbours, and one for its last
/// character: the terms of "世界人" are "世界 界人 人". So each character begins a term.
pub(crate) fn terms(text: &str) -> String {
    let mut terms = String::new();
    for piece in pieces(text).0 {
        match piece {
            Piece::Word(word) => {
                terms.push(' ');
                terms.push_str(&word);
            }
            Piece::Run(run) => {
                push_pairs(&mut terms, &run);
                if let Some(last) = run.last() {
                    terms.push(' ');
                    terms.push(*last);
                }
            }
        }
    }
    if !terms.is_empty() {
        terms.push(' ');
    }
    terms
}

/// Adds the pairs of neighbours, each with a space before it.
pub(crate) fn push_pairs(terms: &mut String, run: &[char]) {
    for (first, second) in run.iter().zip(run.iter().skip(1)) {
        terms.push(' ');
        terms.push(*first);
        terms.push(*second);
    }
}

/// The text without differences of case, accents and presentation.
fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut base = ' ';
    let plain: String = text
        .nfkd()
        .filter(|character| {
            if !is_combining_mark(*character) {
                base = *character;
            }
            !is_accent(*character, base)
        })
        .collect();
    let folded = CaseMapper::new().fold_string(&plain).nfkd().collect::<String>();
    let mut letters = String::with_capacity(folded.len());
    for character in folded.chars() {
        match replacement(character) {
            Some(replacement) => letters.push_str(replacement),
            None => letters.push(digit(character)),
        }
    }
    letters.nfc().collect()
}

/// Whether a combining mark of a decomposed text is an accent or a vowel sign that is often left
/// out. In other scripts such marks are letters.
fn is_accent(mark: char, base: char) -> bool {
    // й and ў are letters of their own
    if mark == '\u{306}' && matches!(base, 'и' | 'И' | 'у' | 'У') {
        return false;
    }
    ACCENTS.iter().any(|accents| accents.contains(&mark))
}

/// The characters that [`is_accent`] means.
const ACCENTS: [RangeInclusive<char>; 24] = [
    '\u{300}'..='\u{36f}',
    '\u{483}'..='\u{489}',
    // Hebrew points
    '\u{591}'..='\u{5bd}',
    '\u{5bf}'..='\u{5bf}',
    '\u{5c1}'..='\u{5c2}',
    '\u{5c4}'..='\u{5c5}',
    '\u{5c7}'..='\u{5c7}',
    // Arabic vowel signs, and the tatweel, which only makes a word longer
    '\u{610}'..='\u{61a}',
    '\u{640}'..='\u{640}',
    '\u{64b}'..='\u{65f}',
    '\u{670}'..='\u{670}',
    '\u{6d6}'..='\u{6dc}',
    '\u{6df}'..='\u{6e4}',
    '\u{6e7}'..='\u{6e8}',
    '\u{6ea}'..='\u{6ed}',
    '\u{898}'..='\u{89f}',
    '\u{8ca}'..='\u{8e1}',
    '\u{8e3}'..='\u{8ff}',
    // Syriac points
    '\u{711}'..='\u{711}',
    '\u{730}'..='\u{74a}',
    // more of those of the first range
    '\u{1ab0}'..='\u{1aff}',
    '\u{1dc0}'..='\u{1dff}',
    '\u{20d0}'..='\u{20ff}',
    '\u{fe20}'..='\u{fe2f}',
];

/// What replaces a letter that has no decomposition, but is written without its stroke as often.
fn replacement(letter: char) -> Option<&'static str> {
    Some(match letter {
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'đ' | 'ð' => "d",
        'ł' => "l",
        'ħ' => "h",
        'ŧ' => "t",
        'ı' => "i",
        'þ' => "th",
        // Arabic: the forms of alef maksura, teh marbuta, and the Persian kaf and yeh
        'ى' | 'ی' => "ي",
        'ة' => "ه",
        'ک' => "ك",
        'ٱ' => "ا",
        _ => return None,
    })
}

/// The digit that stands for a digit of Arabic.
fn digit(character: char) -> char {
    let zero = match character {
        '\u{660}'..='\u{669}' => 0x660,
        '\u{6f0}'..='\u{6f9}' => 0x6f0,
        _ => return character,
    };
    char::from_digit(u32::from(character) - zero, 10).unwrap_or(character)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Word,
    Unspaced,
    /// An emoji or another pictograph, which is a term by itself.
    Symbol,
    Separator,
    Ignored,
}

fn kind(character: char) -> Kind {
    if character.is_ascii() {
        return if character.is_ascii_alphanumeric() { Kind::Word } else { Kind::Separator };
    }
    let is_in = |ranges: &[RangeInclusive<char>]| ranges.iter().any(|range| range.contains(&character));
    if is_in(&IGNORED) {
        Kind::Ignored
    } else if PRIVATE.contains(&character) {
        Kind::Separator
    } else if is_unspaced(character) {
        Kind::Unspaced
    } else if is_in(&SYMBOLS) {
        Kind::Symbol
    } else if character.is_alphanumeric() || is_combining_mark(character) {
        Kind::Word
    } else {
        Kind::Separator
    }
}

/// Joiners, marks of direction, variation selectors, tones of skin.
const IGNORED: [RangeInclusive<char>; 12] = [
    '\u{ad}'..='\u{ad}',
    '\u{34f}'..='\u{34f}',
    '\u{61c}'..='\u{61c}',
    '\u{180b}'..='\u{180f}',
    '\u{200b}'..='\u{200f}',
    '\u{202a}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{fe00}'..='\u{fe0f}',
    '\u{feff}'..='\u{feff}',
    '\u{1f3fb}'..='\u{1f3ff}',
    '\u{e0000}'..='\u{e007f}',
    '\u{e0100}'..='\u{e01ef}',
];

/// Characters for private use: an index has terms of its own that begin with them.
const PRIVATE: RangeInclusive<char> = '\u{e000}'..='\u{f8ff}';

/// Emoji, arrows and other pictographs.
const SYMBOLS: [RangeInclusive<char>; 7] = [
    '\u{2190}'..='\u{21ff}',
    '\u{2300}'..='\u{23ff}',
    '\u{25a0}'..='\u{27bf}',
    '\u{2900}'..='\u{297f}',
    '\u{2b00}'..='\u{2bff}',
    '\u{1f000}'..='\u{1f0ff}',
    '\u{1f300}'..='\u{1faff}',
];

/// Whether the character is of a script that puts no spaces between words: Han, Hiragana, Katakana,
/// Hangul (whose words have many endings), Bopomofo, Thai, Lao, Khmer, Myanmar; or a half of a
/// flag.
pub(crate) fn is_unspaced(character: char) -> bool {
    let is_of_script = matches!(character,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1100}'..='\u{11ff}' | '\u{1780}'..='\u{17ff}'
        | '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{3029}' | '\u{3038}'..='\u{303b}'
        | '\u{3041}'..='\u{3096}' | '\u{3099}'..='\u{309f}' | '\u{30a1}'..='\u{30fa}' | '\u{30fc}'..='\u{30ff}'
        | '\u{3105}'..='\u{312f}' | '\u{3131}'..='\u{318e}' | '\u{31a0}'..='\u{31bf}'
        | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{a960}'..='\u{a97f}' | '\u{a9e0}'..='\u{a9fe}' | '\u{aa60}'..='\u{aa7f}'
        | '\u{ac00}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}' | '\u{1b000}'..='\u{1b16f}'
        | '\u{1f1e6}'..='\u{1f1ff}' | '\u{20000}'..='\u{3fffd}');
    // without the signs of these scripts, such as the mark of the Thai currency
    is_of_script
        && (character.is_alphanumeric()
            || is_combining_mark(character)
            || matches!(character, '\u{1f1e6}'..='\u{1f1ff}'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> Vec<String> {
        terms(text).split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn case_and_accents_make_no_difference() {
        for (text, same) in [
            ("Café", "cafe"),
            ("CAFE\u{301}", "cafe"),
            ("Straße", "STRASSE"),
            ("Ångström", "angstrom"),
            ("Łódź", "lodz"),
            ("Søren Ærø", "soren aero"),
            ("İSTANBUL ısı", "istanbul isi"),
            ("Tiếng Việt", "tieng viet"),
            ("ﬁn ①", "fin 1"),
            ("Ёлка ЛЕС", "елка лес"),
            ("ΟΔΥΣΣΕΎΣ", "οδυσσευς"),
            ("مُحَمَّد", "محمد"),
            ("محمـــد", "محمد"),
            ("أحمد إلى آخر", "احمد الي اخر"),
            ("مدرسة", "مدرسه"),
            ("کتاب", "كتاب"),
            ("١٢٣ ۴۵", "123 45"),
            ("שָׁלוֹם", "שלום"),
            ("ｶﾞｰﾄﾞ", "ガード"),
            ("Ａｂｃ", "abc"),
        ] {
            assert_eq!(of(text), of(same), "{text}");
            assert!(!of(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn letters_that_only_look_accented_stay_different() {
        for (text, other) in [("мой", "мои"), ("が", "か"), ("กิน", "กน"), ("कि", "क"), ("한", "하")]
        {
            assert_ne!(of(text), of(other), "{text}");
        }
    }

    #[test]
    fn words_end_at_anything_that_is_no_letter() {
        assert_eq!(of("l'amour, don’t snake_case (x)"), ["l", "amour", "don", "t", "snake", "case", "x"]);
        assert_eq!(of("https://example.com/a?b=1"), ["https", "example", "com", "a", "b", "1"]);
        assert_eq!(of("a\u{ad}b می\u{200c}خواهم"), ["ab", "ميخواهم"]);
        assert_eq!(of(" \t\n.,;!? ¿ «»"), [""; 0]);
        assert_eq!(of("\u{e000}12 \u{e002}ab"), ["12", "ab"]);
        assert_eq!(of(&"x".repeat(100)), ["x".repeat(MAX_WORD)]);
    }

    #[test]
    fn scripts_without_spaces_give_pairs() {
        assert_eq!(of("世界人"), ["世界", "界人", "人"]);
        assert_eq!(of("世"), ["世"]);
        assert_eq!(of("你好,世界"), ["你好", "好", "世界", "界"]);
        assert_eq!(of("iPhone手机 2024년"), ["iphone", "手机", "机", "2024", "년"]);
        assert_eq!(of("東京タワー"), ["東京", "京タ", "タワ", "ワー", "ー"]);
        assert_eq!(of("안녕"), ["안녕", "녕"]);
        assert_eq!(of("ไทย"), ["ไท", "ทย", "ย"]);
        assert_eq!(of("က ខ ລ"), ["က", "ខ", "ລ"]);
    }

    #[test]
    fn emoji_are_terms() {
        assert_eq!(of("yes🎉🎉 👍🏽 👩‍🚀"), ["yes", "🎉", "🎉", "👍", "👩", "🚀"]);
        assert_eq!(of("☀️"), ["☀"]);
        assert_eq!(of("🇩🇪"), ["🇩🇪", "🇪"]);
    }

    #[test]
    fn a_text_may_end_with_a_piece() {
        for (text, is_open) in [("ab", true), ("ab ", false), ("ab.", false), ("世界", true), ("", false)] {
            assert_eq!(pieces(text).1, is_open, "{text}");
        }
    }

    proptest! {
        #[test]
        fn terms_have_terms_of_their_own(text in "\\PC{0,40}") {
            let once = terms(&text);
            prop_assert!(once.is_empty() || (once.starts_with(' ') && once.ends_with(' ')));
            for term in once.split_whitespace() {
                // a term is one token to FTS5: no ASCII but lower-case letters and digits
                prop_assert!(
                    term.chars().all(|c| !c.is_ascii() || c.is_ascii_lowercase() || c.is_ascii_digit()),
                    "{term:?}"
                );
                let is_private = |c: char| ('\u{e000}'..='\u{f8ff}').contains(&c);
                prop_assert!(!term.contains(is_private));
                let again = terms(term);
                prop_assert!(again.contains(&format!(" {term} ")), "{term:?} has {again:?}");
            }
        }
    }
}
