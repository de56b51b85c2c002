//! The tokens under which FTS5 finds a message, and the expression that finds it.
//!
//! FTS5 splits what it is given at spaces only: a token has no ASCII but lower-case letters and
//! digits. Tokens of this crate's own begin with a character for private use, which no term of a
//! text has.
//!
//! A message has the tokens of
//! - its room and its author, so that a search of one room reads the messages of that room only;
//! - its terms;
//! - the beginnings of its words, of two to four characters, and the first character of each pair.
//!
//! FTS5 keeps no positions, and has an index for the beginnings of words that would be three times
//! as large. A longer beginning, or a run of three characters and more, is found by its parts and
//! then compared with the terms of the message ([`Expression::is_exact`]).

use crate::Query;
use crate::analysis::{is_unspaced, push_pairs};
use crate::query::Term;

/// What the token of a room begins with.
const ROOM: char = '\u{e000}';

/// What the token of an author begins with.
const AUTHOR: char = '\u{e001}';

/// What the token of the beginning of a word begins with.
const BEGINNING: char = '\u{e002}';

/// The first of 128 characters that stand for ASCII in the name of an author.
const ASCII: u32 = 0xe100;

/// The lengths of the beginnings of words that have tokens, in characters.
const BEGINNINGS: std::ops::RangeInclusive<usize> = 2..=4;

/// The tokens of a message with these [terms](crate::analysis::terms), separated by spaces.
pub(super) fn tokens(room: i64, author: &str, terms: &str) -> String {
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

/// An expression of FTS5.
pub(super) struct Expression {
    /// Its text.
    pub(super) text: String,
    /// Whether each message that it finds is one that the query finds. Otherwise the terms of the
    /// message have to be compared.
    pub(super) is_exact: bool,
}

/// The expression that finds the messages of a query, of one of these rooms if there are any.
pub(super) fn expression(query: &Query, rooms: &[i64]) -> Expression {
    let mut all: Vec<String> = Vec::new();
    let mut is_exact = true;
    for term in &query.terms {
        match term {
            Term::Word(word) => all.push(quoted(word)),
            Term::Prefix(prefix) => {
                let end = prefix.char_indices().nth(*BEGINNINGS.end());
                match end.and_then(|(end, _)| prefix.get(..end)) {
                    Some(beginning) => {
                        is_exact = false;
                        all.push(quoted(&format!("{BEGINNING}{beginning}")));
                    }
                    None => {
                        let longer = quoted(&format!("{BEGINNING}{prefix}"));
                        all.push(format!("({} OR {longer})", quoted(prefix)));
                    }
                }
            }
            Term::Run(run) => {
                is_exact = is_exact && run.len() <= 2;
                let mut parts = String::new();
                match run.as_slice() {
                    [single] => parts.push(*single),
                    run => push_pairs(&mut parts, run),
                }
                all.extend(parts.split_ascii_whitespace().map(quoted));
            }
        }
    }
    if let Some(author) = &query.from {
        let mut token = String::new();
        push_author(&mut token, author.as_str());
        all.push(quoted(&token));
    }
    if !rooms.is_empty() {
        let one_of: Vec<_> = rooms
            .iter()
            .map(|room| {
                let mut token = String::new();
                push_room(&mut token, *room);
                quoted(&token)
            })
            .collect();
        all.push(format!("({})", one_of.join(" OR ")));
    }
    all.sort_unstable();
    all.dedup();
    Expression { text: all.join(" AND "), is_exact }
}

/// A token as a string of FTS5, in which nothing has a special meaning.
fn quoted(token: &str) -> String {
    format!("\"{}\"", token.replace('"', "\"\""))
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
        let expression = |text: &str, rooms: &[i64]| {
            let Expression { text, is_exact } = expression(&Query::new(text, Vec::new()).unwrap(), rooms);
            (text, is_exact)
        };
        assert_eq!(expression("hello ", &[]), ("\"hello\"".into(), true));
        assert_eq!(expression("hel", &[7]).0, "(\"hel\" OR \"\u{e002}hel\") AND (\"\u{e000}7\")");
        assert_eq!(expression("hello", &[]), ("\"\u{e002}hell\"".into(), false));
        assert_eq!(expression("世界", &[]), ("\"世界\"".into(), true));
        assert_eq!(expression("世界人", &[]), ("\"世界\" AND \"界人\"".into(), false));
    }
}
