//! NATS subjects of topics.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::Topic;

/// All bytes but letters and digits of ASCII, `-` and `_` are encoded. So a name is one token of a
/// subject, whatever it contains: `.` separates tokens, `*` and `>` are wildcards, spaces end a
/// subject. `%` itself is encoded, so that different names have different tokens.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// The subjects of a cluster: those that begin with its prefix.
///
/// | what | subject |
/// |---|---|
/// | a room | `PREFIX.room.NAME`, the name with percent-encoding of bytes of UTF-8 |
/// | a node | `PREFIX.node.NAME` |
/// | all nodes | `PREFIX.all` |
/// | confirmations | `PREFIX.echo.ID` and `PREFIX.reply.ID-NAME.N` |
#[derive(Debug, Clone)]
pub(super) struct Subjects {
    prefix: String,
}

impl Subjects {
    /// The maximum number of characters in a prefix.
    const MAX: usize = 64;

    /// The subjects of a cluster with this prefix. `None` unless the prefix is one token or several
    /// with dots between them, of the characters `A-Za-z0-9-_`.
    pub(super) fn new(prefix: &str) -> Option<Self> {
        let is_token = |token: &str| {
            !token.is_empty()
                && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        let is_prefix = prefix.len() <= Self::MAX && prefix.split('.').all(is_token);
        is_prefix.then(|| Self { prefix: prefix.to_owned() })
    }

    /// The prefix.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The subject of a topic.
    pub(super) fn of(&self, topic: &Topic) -> String {
        let prefix = &self.prefix;
        match topic {
            Topic::Room(room) => {
                let mut subject = String::with_capacity(prefix.len() + 6 + room.as_str().len());
                subject.push_str(prefix);
                subject.push_str(".room.");
                push_token(&mut subject, room.as_str());
                subject
            }
            Topic::Node(node) => format!("{prefix}.node.{node}"),
            Topic::All => format!("{prefix}.all"),
        }
    }

    /// The subject on which the connection with this id returns what is sent to it.
    pub(super) fn echo(&self, id: &str) -> String {
        format!("{}.echo.{id}", self.prefix)
    }

    /// The beginning of the subjects on which replies for this id arrive.
    pub(super) fn reply(&self, id: &str) -> String {
        format!("{}.reply.{id}", self.prefix)
    }
}

fn push_token(subject: &mut String, name: &str) {
    // writing to a string does not fail
    let _ = write!(subject, "{}", utf8_percent_encode(name, ENCODED));
}

#[cfg(test)]
mod tests {
    use chat_protocol::RoomName;
    use proptest::prelude::*;

    use super::*;

    fn token(name: &str) -> String {
        let mut token = String::new();
        push_token(&mut token, name);
        token
    }

    #[test]
    fn a_topic_has_a_subject() {
        let subjects = Subjects::new("chatd").unwrap();
        let room = |name| Topic::Room(RoomName::parse(name).unwrap());
        for (topic, subject) in [
            (room("lobby_1-a"), "chatd.room.lobby_1-a"),
            (room("Lobby"), "chatd.room.Lobby"),
            (room("café"), "chatd.room.caf%C3%A9"),
            (room("~aaaaaaaaaaaaaaaaaaaaaaaaah"), "chatd.room.%7Eaaaaaaaaaaaaaaaaaaaaaaaaah"),
            (Topic::Node("chat-1".parse().unwrap()), "chatd.node.chat-1"),
            (Topic::All, "chatd.all"),
        ] {
            assert_eq!(subjects.of(&topic), subject);
        }
    }

    #[test]
    fn a_name_is_one_token_whatever_it_contains() {
        for name in [".", "a.b", "*", ">", "a >", " ", "\t\r\n", "%2E", "$SYS", "\0", "世界"] {
            let token = token(name);
            assert!(
                token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_%".contains(&byte)),
                "{token:?}"
            );
        }
    }

    #[test]
    fn the_longest_name_fits_into_a_line_of_the_protocol() {
        let longest = RoomName::parse(&"𐐷".repeat(RoomName::MAX)).unwrap();
        let subject = Subjects::new(&"p".repeat(64)).unwrap().of(&Topic::Room(longest));
        // the server's limit is 4096 by default
        assert!(subject.len() < 1_000, "{}", subject.len());
    }

    #[test]
    fn a_prefix_has_tokens() {
        for prefix in ["chatd", "a.b", "chat-1_x"] {
            assert!(Subjects::new(prefix).is_some(), "{prefix}");
        }
        for prefix in ["", ".", "a.", ".a", "a..b", "a b", "*", "a.>", "é", &"p".repeat(65)] {
            assert!(Subjects::new(prefix).is_none(), "{prefix}");
        }
    }

    proptest! {
        #[test]
        fn different_names_have_different_tokens(one in "\\PC{0,6}|[.*>% a-c]{0,4}", other in "[.*>% a-c]{0,4}") {
            prop_assert_eq!(token(&one) == token(&other), one == other);
        }
    }
}
