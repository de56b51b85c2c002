//! The tokens under which an index in a database finds a message, and the expression that finds it.
//!
//! Tokens are separated by spaces only: a token has no ASCII but lower-case letters and digits.
//! Tokens of this crate's own begin with a character for private use, which no term of a text has.
//!
//! A message has the tokens of
//! - its room and its author, so that a search of one room reads the messages of that room only;
//! - its terms;
//! - the beginnings of its words, of two to four characters, and the first character of each pair.
//!
//! The indexes keep no positions, and finding the beginnings of words by themselves would take
//! FTS5 an index that is three times as large, and PostgreSQL a scan of all words that begin so. A
//! longer beginning, or a run of three characters and more, is found by its parts and then compared
//! with the terms of the message ([`Expression::is_exact`]).

use crate::Query;
use crate::analysis::{is_unspaced, push_pairs};
use crate::query::Term;

/// What the token of a room begins with.
const ROOM: char = '\u{e000}';

/// What the token of an author begins with.
const AUTHOR: char = '\u{e001}';

/// What the token of the beginning of a word begins with.
const BEGINNING: char = '\u{e002}';

/// What the token of a stretch of time begins with.
#[cfg(feature = "postgres")]
pub(crate) const TIME: char = '\u{e003}';

/// The first of 128 characters that stand for ASCII in the name of an author.
const ASCII: u32 = 0xe100;

/// The lengths of the beginnings of words that have tokens, in characters.
const BEGINNINGS: std::ops::RangeInclusive<usize> = 2..=4;

/// The tokens of a message with these [terms](crate::analysis::terms), separated by spaces.
pub(crate) fn tokens(room: i64, author: &str, terms: &str) -> String {
    let mut tokens = String::with_capacity(terms.len() * 4 + 64);
    push_room(&mut tokens, room);
    tokens.push(' ');
    push_author(&mut tokens, author);
    for term in terms.split_ascii_whitespace() {
        tokens.push(' ');
        tokens.push_str(term);
        let Some(first) = term.chars().next() else { continue };
        if is_unspaced(first) {
            tokens.push(' ');
            tokens.push(first);
            continue;
        }
        // of those that are shorter than the word
        for (length, (end, _)) in term.char_indices().enumerate() {
            if BEGINNINGS.contains(&length)
                && let Some(beginning) = term.get(..end)
            {
                tokens.push(' ');
                tokens.push(BEGINNING);
                tokens.push_str(beginning);
            }
            if length > *BEGINNINGS.end() {
                break;
            }
        }
    }
    tokens
}

fn push_room(tokens: &mut String, room: i64) {
    tokens.push(ROOM);
    tokens.push_str(&room.to_string());
}

/// The name of an author as one token that keeps its case and its signs.
fn push_author(tokens: &mut String, author: &str) {
    tokens.push(AUTHOR);
    let in_token = |c: char| if c.is_ascii() { char::from_u32(ASCII + u32::from(c)).unwrap_or(c) } else { c };
    tokens.extend(author.chars().map(in_token));
}

/// What a message has to have.
pub(crate) struct Expression {
    /// The message has one token of each of these lists.
    pub(crate) all: Vec<Vec<String>>,
    /// Whether each message that it finds is one that the query finds. Otherwise the terms of the
    /// message have to be compared.
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code))]
    pub(crate) is_exact: bool,
}

/// The expression that finds the messages of a query, of one of these rooms if there are any.
pub(crate) fn expression(query: &Query, rooms: &[i64]) -> Expression {
    let mut all: Vec<Vec<String>> = Vec::new();
    let mut is_exact = true;
    for term in &query.terms {
        match term {
            Term::Word(word) => all.push(vec![word.clone()]),
            Term::Prefix(prefix) => {
                let end = prefix.char_indices().nth(*BEGINNINGS.end());
                match end.and_then(|(end, _)| prefix.get(..end)) {
                    Some(beginning) => {
                        is_exact = false;
                        all.push(vec![format!("{BEGINNING}{beginning}")]);
                    }
                    None => all.push(vec![prefix.clone(), format!("{BEGINNING}{prefix}")]),
                }
            }
            Term::Run(run) => {
                is_exact = is_exact && run.len() <= 2;
                let mut parts = String::new();
                match run.as_slice() {
                    [single] => parts.push(*single),
                    run => push_pairs(&mut parts, run),
                }
                all.extend(parts.split_ascii_whitespace().map(|part| vec![part.to_owned()]));
            }
        }
    }
    if let Some(author) = &query.from {
        let mut token = String::new();
        push_author(&mut token, author.as_str());
        all.push(vec![token]);
    }
    if !rooms.is_empty() {
        let token = |room: &i64| {
            let mut token = String::new();
            push_room(&mut token, *room);
            token
        };
        all.push(rooms.iter().map(token).collect());
    }
    all.sort_unstable();
    all.dedup();
    Expression { all, is_exact }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::terms;

    #[test]
    fn a_message_has_the_tokens_of_its_room_its_author_and_its_words() {
        let all = tokens(7, "Ana.B", &terms("hello to 世界"));
        let expected = "\u{e000}7 \u{e001}\u{e141}\u{e16e}\u{e161}\u{e12e}\u{e142} hello \u{e002}he \u{e002}hel \u{e002}hell to 世界 世 界 界";
        assert_eq!(all, expected);
    }

    #[test]
    fn an_expression_says_whether_it_is_exact() {
        for (text, rooms, expected, is_exact) in [
            ("hello ", &[][..], &[&["hello"][..]][..], true),
            ("hel", &[7, 8], &[&["hel", "\u{e002}hel"], &["\u{e000}7", "\u{e000}8"]], true),
            ("hello", &[], &[&["\u{e002}hell"]], false),
            ("世界", &[], &[&["世界"]], true),
            ("世界人", &[], &[&["世界"], &["界人"]], false),
        ] {
            let expression = expression(&Query::new(text, Vec::new()).unwrap(), rooms);
            assert_eq!(
                (expression.all, expression.is_exact),
                (
                    expected
                        .iter()
                        .map(|any| any.iter().map(|token| (*token).to_owned()).collect())
                        .collect(),
                    is_exact
                ),
                "{text:?}"
            );
        }
    }
}
