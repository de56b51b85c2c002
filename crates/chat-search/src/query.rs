//! What is searched for, and what was found.

use chat_history::{Cursor, MessageKey};
use chat_protocol::{RoomName, Username};

use crate::analysis::{self, Piece};

/// The maximum length of the text of a query, in characters.
pub const MAX_QUERY_CHARS: usize = 256;

/// The maximum number of different words in a query. Characters of a script without spaces between
/// words count as one word for each run of them.
pub const MAX_QUERY_WORDS: usize = 16;

/// The maximum number of rooms that a query names.
pub const MAX_QUERY_ROOMS: usize = 2_000;

/// The maximum number of messages that one search finds.
pub const MAX_FOUND: usize = 100;

/// Why a text is not a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The text has no letter, digit or emoji.
    #[error("the query has no words to search for")]
    Empty,
    /// The text is too long.
    #[error("the query must have at most {MAX_QUERY_CHARS} characters")]
    TooLong,
    /// The text has too many words.
    #[error("the query must have at most {MAX_QUERY_WORDS} words")]
    TooManyWords,
    /// There are too many rooms.
    #[error("a search covers at most {MAX_QUERY_ROOMS} rooms")]
    TooManyRooms,
}

/// A search for the newest messages that have all words of a text.
///
/// - Case and accents make no difference.
/// - A word is found as a whole word. The last one also matches the beginning of a word if the text
///   ends with it, and it has at least two characters: that is search as you type.
/// - In scripts that put no spaces between words (Chinese, Japanese, Korean, Thai and others) any
///   part of a text is found, also of a single character.
/// - An emoji is a word. Other signs only separate words; there are no operators.
///
/// ```
/// use chat_search::{Query, QueryError};
///
/// let lobby = chat_protocol::RoomName::parse("lobby")?;
/// let query = Query::new("Café", vec![lobby])?.limit(20);
/// assert!(query.matches("To the CAFE!") && query.matches("cafeteria"));
/// assert!(!query.matches("the caf"));
/// assert_eq!(Query::new("\"*\"", vec![]), Err(QueryError::Empty));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    pub(crate) terms: Vec<Term>,
    pub(crate) rooms: Vec<RoomName>,
    pub(crate) from: Option<Username>,
    pub(crate) before: Option<Cursor>,
    pub(crate) limit: usize,
}

/// What a message has to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Term {
    /// A whole word.
    Word(String),
    /// A word that begins with this, of at least two characters.
    Prefix(String),
    /// These characters in a row, at least one.
    Run(Vec<char>),
}

impl Query {
    /// A search for the text in these rooms: those that the user who asks may read. It finds at
    /// most 50 messages.
    ///
    /// # Errors
    /// [`QueryError`] if there is nothing to search for, or too much.
    pub fn new(text: &str, rooms: Vec<RoomName>) -> Result<Self, QueryError> {
        if text.chars().nth(MAX_QUERY_CHARS).is_some() {
            return Err(QueryError::TooLong);
        }
        if rooms.len() > MAX_QUERY_ROOMS {
            return Err(QueryError::TooManyRooms);
        }
        let (pieces, is_open) = analysis::pieces(text);
        let last = pieces.len().saturating_sub(1);
        let mut terms: Vec<Term> = Vec::new();
        for (i, piece) in pieces.into_iter().enumerate() {
            let term = match piece {
                Piece::Word(word) if is_open && i == last && word.chars().nth(1).is_some() => {
                    Term::Prefix(word)
                }
                Piece::Word(word) => Term::Word(word),
                Piece::Run(run) => Term::Run(run),
            };
            if !terms.contains(&term) {
                terms.push(term);
            }
        }
        match terms.len() {
            0 => Err(QueryError::Empty),
            1..=MAX_QUERY_WORDS => Ok(Self { terms, rooms, from: None, before: None, limit: 50 }),
            _ => Err(QueryError::TooManyWords),
        }
    }

    /// Finds only messages that were sent under this name. `None`: under any name.
    #[must_use]
    pub fn from(self, from: impl Into<Option<Username>>) -> Self {
        Self { from: from.into(), ..self }
    }

    /// Continues an earlier search, from where it [ended](Found::next). `None`: from the newest
    /// message.
    #[must_use]
    pub fn before(self, before: impl Into<Option<Cursor>>) -> Self {
        Self { before: before.into(), ..self }
    }

    /// Finds at most this number of messages: at least 1, at most [`MAX_FOUND`].
    #[must_use]
    pub fn limit(self, limit: usize) -> Self {
        Self { limit: limit.clamp(1, MAX_FOUND), ..self }
    }

    /// Whether a message with this text is found. The index follows the history with a short delay;
    /// a caller that has loaded a message in its current state can check it with this.
    pub fn matches(&self, body: &str) -> bool {
        self.matches_terms(&analysis::terms(body))
    }

    /// Whether a text with these [terms](analysis::terms) is found.
    pub(crate) fn matches_terms(&self, terms: &str) -> bool {
        self.terms.iter().all(|term| term.is_in(terms))
    }
}

impl Term {
    pub(crate) fn is_in(&self, terms: &str) -> bool {
        terms.contains(&self.wanted())
    }

    /// What the [terms](analysis::terms) of a text have to contain.
    pub(crate) fn wanted(&self) -> String {
        let mut wanted = String::from(" ");
        match self {
            Self::Word(word) => {
                wanted.push_str(word);
                wanted.push(' ');
            }
            Self::Prefix(prefix) => wanted.push_str(prefix),
            Self::Run(run) => match run.as_slice() {
                [single] => wanted.push(*single),
                run => {
                    wanted.clear();
                    analysis::push_pairs(&mut wanted, run);
                    wanted.push(' ');
                }
            },
        }
        wanted
    }
}

/// What a search has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// The messages, newest first by the time at which they were sent. It may be fewer than the
    /// query's limit, or none, although there are more.
    pub keys: Vec<MessageKey>,
    /// Where the next search continues; `None` if there are no more messages.
    pub next: Option<Cursor>,
}

impl Found {
    /// These messages, and where the next search continues.
    pub fn new(keys: Vec<MessageKey>, next: Option<Cursor>) -> Self {
        Self { keys, next }
    }
}

#[cfg(test)]
mod tests {
    use chat_history::InvalidCursor;

    use super::*;
    use proptest::prelude::*;

    fn query(text: &str) -> Query {
        Query::new(text, Vec::new()).unwrap()
    }

    #[test]
    fn a_query_has_bounds() {
        let error = |text: &str| Query::new(text, Vec::new()).unwrap_err();
        for empty in ["", "  ", "\"\"", "* - ^ : ( )", "\u{0}", "\u{200d}"] {
            assert_eq!(error(empty), QueryError::Empty, "{empty}");
        }
        assert_eq!(error(&"x".repeat(MAX_QUERY_CHARS + 1)), QueryError::TooLong);
        let words = |n: usize| (0..n).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(error(&words(MAX_QUERY_WORDS + 1)), QueryError::TooManyWords);
        assert_eq!(query(&words(MAX_QUERY_WORDS)).terms.len(), MAX_QUERY_WORDS);
        assert_eq!(query("a a a ").terms.len(), 1);
        let rooms = vec![RoomName::parse("r").unwrap(); MAX_QUERY_ROOMS + 1];
        assert_eq!(Query::new("a", rooms), Err(QueryError::TooManyRooms));
        assert_eq!((query("a").limit(0).limit, query("a").limit(9_999).limit), (1, MAX_FOUND));
    }

    #[test]
    fn the_last_word_is_also_a_beginning() {
        assert!(query("hello wor").matches("Hello, world"));
        assert!(!query("hello wor ").matches("Hello, world"));
        assert!(!query("hel world").matches("Hello, world"));
        assert!(query("hello").matches("hello"));
        // a single letter is only a word
        assert!(query("a").matches("a b") && !query("a").matches("ab"));
    }

    #[test]
    fn operators_are_text() {
        assert!(query("a OR b").matches("b or a") && !query("a OR b").matches("a"));
        assert!(query("NOT cats").matches("cats are not dogs"));
        assert!(query("\"a b\"").matches("b a"));
        assert!(!query("-a b").matches("b"));
    }

    #[test]
    fn scripts_without_spaces_match_anywhere() {
        for (text, body, is_found) in [
            ("界人", "世界人民", true),
            ("世界人民", "世界人民", true),
            ("世人", "世界人民", false),
            ("人", "世界人民", true),
            ("民", "世界人民", true),
            ("世", "世界人民", true),
            ("界你", "世界,你好", false),
            ("世界 你好", "你好,世界", true),
            ("界世界", "世界世界", true),
            ("タワ", "東京タワー", true),
            ("하세요", "안녕하세요", true),
            ("กิน", "เขากินข้าว", true),
        ] {
            assert_eq!(query(text).matches(body), is_found, "{text} in {body}");
        }
    }

    #[test]
    fn a_cursor_is_a_number() {
        for text in ["", "-1", "+1", "x", "ffffffffffffffff", "1 "] {
            assert_eq!(text.parse::<Cursor>(), Err(InvalidCursor), "{text}");
        }
        assert_eq!("7f".parse::<Cursor>().unwrap().to_string(), "7f");
    }

    proptest! {
        #[test]
        fn a_text_is_found_by_itself(text in "\\PC{1,60}") {
            if let Ok(query) = Query::new(&text, Vec::new()) {
                prop_assert!(query.matches(&text));
            }
        }
    }
}
