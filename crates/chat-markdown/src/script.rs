//! Properties of characters: scripts that are written without spaces, and punctuation of many
//! scripts.

/// Whether words of this character's script are written without spaces between them, or take
/// particles without a space.
pub(crate) fn is_spaceless(c: char) -> bool {
    matches!(c,
        '\u{0e00}'..='\u{0fff}' // Thai, Lao, Tibetan
        | '\u{1000}'..='\u{109f}' // Myanmar
        | '\u{1100}'..='\u{11ff}' // Hangul Jamo
        | '\u{1780}'..='\u{17ff}' // Khmer
        | '\u{2e80}'..='\u{2fdf}'
        | '\u{3005}'..='\u{3007}'
        | '\u{3021}'..='\u{302f}'
        | '\u{3031}'..='\u{303c}'
        | '\u{3041}'..='\u{a4cf}' // Kana, Bopomofo, Hangul, Han, Yi
        | '\u{ac00}'..='\u{d7ff}' // Hangul
        | '\u{f900}'..='\u{faff}'
        | '\u{ff10}'..='\u{ff19}'
        | '\u{ff21}'..='\u{ff3a}'
        | '\u{ff41}'..='\u{ff5a}'
        | '\u{ff66}'..='\u{ffdc}'
        | '\u{1b000}'..='\u{1b16f}'
        | '\u{20000}'..='\u{3ffff}')
}

/// Whether the character is full-width punctuation, or another sign of Chinese, Japanese or Korean
/// text.
pub(crate) fn is_wide_punctuation(c: char) -> bool {
    matches!(c,
        '\u{3000}'..='\u{3004}'
        | '\u{3008}'..='\u{3020}'
        | '\u{3030}'
        | '\u{303d}'
        | '\u{30fb}'
        | '\u{fe10}'..='\u{fe19}'
        | '\u{fe30}'..='\u{fe4f}'
        | '\u{ff01}'..='\u{ff0f}'
        | '\u{ff1a}'..='\u{ff20}'
        | '\u{ff3b}'..='\u{ff40}'
        | '\u{ff5b}'..='\u{ff65}')
}

/// Whether the character counts as punctuation for emphasis.
pub(crate) fn is_punctuation(c: char) -> bool {
    !c.is_alphanumeric() && !c.is_whitespace() && !c.is_control()
}

/// Whether the character opens a quotation or a bracket, so that emphasis may begin before it.
pub(crate) fn opens(c: char) -> bool {
    matches!(
        c,
        '(' | '['
            | '{'
            | '<'
            | '"'
            | '\''
            | '#'
            | '$'
            | '@'
            | '“'
            | '‘'
            | '„'
            | '«'
            | '‹'
            | '（'
            | '［'
            | '｛'
            | '〈'
            | '《'
            | '「'
            | '『'
            | '【'
            | '〔'
            | '〖'
            | '〘'
            | '〚'
            | '｟'
            | '｢'
            | '¿'
            | '¡'
    )
}

/// Whether a bare link ends before this character, which is not ASCII.
pub(crate) fn ends_link(c: char) -> bool {
    is_wide_punctuation(c)
        || c.is_whitespace()
        || matches!(c,
            '«' | '»' | '‹' | '›' | '¡' | '¿' | '\u{2018}'..='\u{201f}' | '\u{2022}' | '\u{2024}'..='\u{2026}'
            | '\u{0589}' | '\u{05c3}' | '\u{05f4}' // Armenian, Hebrew
            | '\u{060c}' | '\u{061b}' | '\u{061f}' | '\u{06d4}' // Arabic
            | '\u{0964}' | '\u{0965}' // the danda of India
            | '\u{0f0d}'..='\u{0f12}' | '\u{104a}'..='\u{104b}' | '\u{1361}'..='\u{1368}'
            | '\u{17d4}'..='\u{17d6}' | '\u{1801}'..='\u{1805}'
            // Invisible ones that change the order of what is shown.
            | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
